"""TensorFlow Serving's deployment, generated: its own configuration files, Docker Compose, Kubernetes."""
