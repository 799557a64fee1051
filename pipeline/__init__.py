"""Configuration, the TFX pipeline, its runners and the command line."""
