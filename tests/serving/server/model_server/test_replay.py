"""The development server's tests against a real TensorFlow Serving, and the generated flags."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

if "JANUS_MODEL_SERVER" not in os.environ:
    pytest.skip(
        "a real TensorFlow Serving is tried with JANUS_MODEL_SERVER=tensorflow_model_server only (a program or path)",
        allow_module_level=True,
    )

from tests.serving.server import test_bad_requests, test_grpc, test_rest
from tests.serving.server.model_server.conftest import served_versions, started

Publish = Callable[..., Path]

OF_THE_DEVELOPMENT_SERVER = {
    "test_a_body_above_the_limit_is_refused",
    "test_the_api_is_described",
    "test_the_configuration_cannot_be_changed",
}


def _tests(module: ModuleType) -> dict[str, Any]:
    short = module.__name__.rpartition(".test_")[2]
    return {
        f"test_{short}_{name.removeprefix('test_')}": found
        for name, found in vars(module).items()
        if name.startswith("test_") and name not in OF_THE_DEVELOPMENT_SERVER
    }


for _module in (test_rest, test_grpc, test_bad_requests):
    globals().update(_tests(_module))


@pytest.mark.parametrize(
    "changed",
    [{}, {"batching": {"enabled": True}}, {"grpc_max_connection_age_seconds": None, "monitoring_path": "/metrics"}],
)
def test_the_generated_flags_and_files(publish: Publish, tmp_path: Path, changed: dict[str, Any]) -> None:
    base = tmp_path / "base"
    publish(base, 1, 100)
    with started(tmp_path, base, **changed) as client:
        health = health_pb2_grpc.HealthStub(client.channel)
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
        path = changed.get("monitoring_path", "/monitoring/prometheus/metrics")
        assert httpx.get(client.server.rest + path, timeout=60).status_code == 200
        assert served_versions(client.http) == {"1"}
        # A version that cannot be loaded does not hold up the next.
        (base / "2").mkdir()
        time.sleep(3)
        publish(base, 3, 0)
        end = time.monotonic() + 60
        while served_versions(client.http) != {"3"}:
            assert time.monotonic() < end, served_versions(client.http)
            time.sleep(0.2)
