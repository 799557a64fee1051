"""The stand-in of Kubeflow Pipelines, as for `pipeline.kubeflow`."""

from tests.pipeline.kubeflow.conftest import client, kfp, submission

__all__ = ["client", "kfp", "submission"]
