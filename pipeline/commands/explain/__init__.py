"""The reference of the configuration's keys, made from the pydantic models."""
