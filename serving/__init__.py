"""What meets a pushed model from outside: TF Serving's deployment, a development server, clients, checks."""
