"""Kubeflow Pipelines: one container task per node of TFX's pipeline, compiled, submitted and scheduled."""
