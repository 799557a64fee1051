"""Stops a pipeline whose data is not what the schema and the configuration expect, before anything is trained."""
