"""`janus runs`: the runs of a pipeline, newest first."""
