"""`janus kubeflow`: compiles the pipeline for Kubeflow Pipelines, starts and schedules it, and shows its runs."""
