"""A real TensorFlow Serving, which JANUS_MODEL_SERVER names, in the development server's place."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.config import model_server_config_pb2

from serving.deployment.config import DeploymentConfig
from serving.deployment.render import config_files
from serving.deployment.server import CONFIG_FOLDER, MODELS_CONFIG, arguments, server_of
from tests.serving.server.conftest import Client

VARIABLE = "JANUS_MODEL_SERVER"
START_SECONDS = 120.0


def program() -> str:
    """The server's path."""
    found = shutil.which(os.environ[VARIABLE])
    assert found, f"{VARIABLE} names {os.environ[VARIABLE]}, which is no program on the PATH"
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def started(folder: Path, base: Path, specific: dict[str, Any] | None = None, **changed: Any) -> Iterator[Client]:
    """Starts it with the generated flags and configuration files; ends it by SIGTERM, as a container runtime does.

    Args:
        folder: for the configuration files.
        base: the folder of versions.
        specific: versions and labels other than the configuration's.
        changed: keys of `serving.deployment`.
    """
    ports = {"rest_port": free_port(), "grpc_port": free_port()}
    config = DeploymentConfig.model_validate({"version_poll_seconds": 1, **ports, **changed})
    server = server_of("tiny", "unused", config, "2.16.1")
    for name, text in config_files(server).items():
        (folder / name).write_text(text.replace(server.base_path, str(base)), encoding="utf-8")
    if specific:
        path = folder / MODELS_CONFIG
        models = text_format.Parse(path.read_text(encoding="utf-8"), model_server_config_pb2.ModelServerConfig())
        (model,) = models.model_config_list.config
        model.model_version_policy.specific.versions[:] = specific["versions"]
        model.version_labels.clear()
        model.version_labels.update(specific["labels"])
        path.write_text(text_format.MessageToString(models), encoding="utf-8")
    words = [word.replace(CONFIG_FOLDER, str(folder)) for word in arguments(server)]
    log = (folder / "log").open("w", encoding="utf-8")
    with ExitStack() as stack:
        stack.enter_context(log)
        process = subprocess.Popen([program(), *words], stdout=log, stderr=subprocess.STDOUT)
        stack.callback(_end, process)
        rest, target = f"http://127.0.0.1:{config.rest_port}", f"127.0.0.1:{config.grpc_port}"
        http = stack.enter_context(httpx.Client(base_url=rest, timeout=60))
        channel = stack.enter_context(grpc.insecure_channel(target, [("grpc.max_send_message_length", -1)]))
        _wait(process, http, folder / "log", len(specific["versions"]) if specific else 1)
        # What of RunningServer the tests read.
        where: Any = SimpleNamespace(rest=rest, grpc=target, manager=None)
        yield Client(where, http, PredictionServiceStub(channel), channel)


def served_versions(http: httpx.Client) -> set[str]:
    found = http.get("/v1/models/tiny").json().get("model_version_status", [])
    return {status["version"] for status in found if status["state"] == "AVAILABLE"}


def _wait(process: subprocess.Popen[bytes], http: httpx.Client, log: Path, versions: int) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, f"ended with {process.returncode}: {log.read_text(encoding='utf-8')[-3000:]}"
        try:
            if len(served_versions(http)) == versions:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < end, log.read_text(encoding="utf-8")[-3000:]
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


@pytest.fixture(scope="session")
def client(publish: Callable[[Path, int, int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server of versions 1 (offset 100, label `stable`), 2 (not loaded) and 3 (offset 0)."""
    base = tmp_path_factory.mktemp("real")
    for version, offset in ((1, 100), (2, 200), (3, 0)):
        publish(base, version, offset)
    labels = {"stable": 1, "canary": 2_000}
    specific = {"versions": [1, 3], "labels": labels}
    with started(tmp_path_factory.mktemp("config"), base, specific, labels=labels) as found:
        yield found
