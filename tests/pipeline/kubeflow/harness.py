"""A small pipeline that is to run on Kubeflow, with a folder in the place of the volume."""

from pathlib import Path
from typing import Any

from pipeline.config import JanusConfig
from pipeline.config.file import parse_config
from tests.pipeline.small import small_raw


def kubeflow_raw(folder: Path, **changed: Any) -> dict[str, Any]:
    """The `kubeflow` section."""
    return {
        "image": "registry.example/janus:1",
        "pipeline_root": f"{folder}/runs/small/root",
        "metadata": f"sqlite://{folder}/metadata.db",
        "bundle": f"{folder}/bundle",
        "volumes": [{"claim": "janus-data", "path": str(folder)}],
        "steps": {"default": {"cpu": "1", "memory": "2Gi", "retries": 2}, "Trainer": {"cpu": "4", "retries": 0}},
        "secrets": [{"name": "mlmd", "key": "password", "env": "JANUS_MLMD_PASSWORD"}],
        "node_selector": {"pool": "batch"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        **changed,
    }


def cluster_config(folder: Path, **changed: Any) -> JanusConfig:
    """The validated configuration; `changed` changes its `kubeflow` section."""
    return parse_config(small_raw(folder, kubeflow=kubeflow_raw(folder, **changed)))
