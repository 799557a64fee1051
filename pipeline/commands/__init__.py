"""The commands of `janus`, one file or folder per verb: its typer function and its work."""
