"""The `serving.deployment` section."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from serving.deployment.config import BatchingConfig, DeploymentConfig, LabelsConfig


@pytest.mark.parametrize("model", [DeploymentConfig, BatchingConfig, LabelsConfig])
def test_every_key_is_described(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"replica": 3}, "Extra inputs"),
        ({"rest_port": 8500}, "rest_port and grpc_port are both 8500"),
        ({"rest_port": 80}, "greater than or equal to 1024"),
        ({"replicas": True}, "the boolean true"),
        ({"cpu": 0}, "greater than or equal to 0.1"),
        ({"memory": "2 GB"}, "'2 GB' is not an amount such as 512Mi or 2Gi"),
        ({"user_id": 0}, "greater than 0"),
        ({"image": "tensorflow/serving:latest"}, "is not an image's name, without a tag"),
        ({"tag": "2.16.1; rm"}, "is not an image's tag"),
        ({"namespace": "Prod"}, "is not a name of Kubernetes"),
        ({"model_volume_path": "../other"}, "leads out of the volume"),
        ({"model_volume_path": "/models"}, "is not a relative path"),
        ({"monitoring_path": 'x" enable: false'}, "is not a path such as /metrics"),
        ({"monitoring_path": "/v1/metrics"}, "is within /v1/"),
        ({"labels": {"beta": 3}}, "Extra inputs"),
        ({"labels": {"stable": -1}}, "greater than 0"),
        ({"canary_replicas": 1, "labels": {"stable": 3}}, "needs labels.stable and labels.canary"),
        ({"batching": {"allowed_batch_sizes": [8, 4, 1024]}}, "must be ascending"),
        ({"batching": {"allowed_batch_sizes": [8, 16]}}, "ends with 16, but TF Serving demands max_batch_size, 1024"),
    ],
)
def test_what_cannot_work_is_refused(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DeploymentConfig.model_validate(raw)


@pytest.mark.parametrize("image", ["tensorflow/serving", "registry.example:5000/team/tf-serving", "serving"])
def test_images_of_any_registry(image: str) -> None:
    assert DeploymentConfig(image=image).image == image
