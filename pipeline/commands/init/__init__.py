"""`janus init`: a first configuration and schema, guessed from a table."""
