"""A model of a few operations, and a server that serves it."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from playwright.sync_api import Browser
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from serving.server.run import RunningServer, ServerOptions, running
from tests.browser import chromium
from tests.serving.server.pages import Open, opener
from tests.serving.server.tiny_model import save_model
from tests.serving.server.waiting import until_available


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Offset of `delay` → a SavedModel, made once."""
    folder = tmp_path_factory.mktemp("tiny_models")

    def model(offset: int) -> Path:
        path = folder / str(offset)
        if not path.exists():
            save_model(path, float(offset))
        return path

    return model


@pytest.fixture(scope="session")
def publish(tiny_models: Callable[[int], Path]) -> Callable[[Path, int, int], Path]:
    """Puts the model of an offset into a base path, whole, as a version."""

    def put(base: Path, version: int, offset: int = 0) -> Path:
        base.mkdir(parents=True, exist_ok=True)
        staging = base / f".staging-{version}"
        shutil.copytree(tiny_models(offset), staging)
        return staging.rename(base / str(version))

    return put


@dataclass(frozen=True)
class Client:
    """Both protocols of a server."""

    server: RunningServer
    http: httpx.Client
    grpc: PredictionServiceStub
    channel: grpc.Channel


@pytest.fixture(scope="session")
def client(publish: Callable[[Path, int, int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A running server of versions 1 (offset 100, label `stable`), 2 (not loaded) and 3 (offset 0)."""
    base = tmp_path_factory.mktemp("served")
    for version, offset in ((1, 100), (2, 200), (3, 0)):
        publish(base, version, offset)
    options = ServerOptions("tiny", base, rest_port=0, grpc_port=0, labels={"stable": 1, "canary": 2_000})
    with (
        running(options) as server,
        httpx.Client(base_url=server.rest, timeout=60) as http,
        grpc.insecure_channel(server.grpc, [("grpc.max_send_message_length", -1)]) as channel,
    ):
        until_available(server.manager, 1, 3)
        yield Client(server, http, PredictionServiceStub(channel), channel)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For the tests of pages."""
    with chromium() as found:
        yield found


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens a server's page; afterwards there must be no error in its console, and no request to anyone else."""
    with opener(browser) as open_:
        yield open_
