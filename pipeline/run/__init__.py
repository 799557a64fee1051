"""One run of the pipeline: its runner, events, display and interruption."""
