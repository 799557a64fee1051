"""A Kubeflow Pipelines server, and a client of it that does not wait for long."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.kubeflow.access import Access
from pipeline.kubeflow.client import Client, connect
from pipeline.kubeflow.submission import Submission
from tests.pipeline.kubeflow.kfp_server import State, running

WAITS = (0.01, 0.02, 0.03)


@pytest.fixture
def kfp() -> Iterator[State]:
    with running(State()) as state:
        yield state


@pytest.fixture
def client(kfp: State) -> Client:
    return connect_to(kfp)


def connect_to(kfp: State, namespace: str | None = None, token: str | None = None) -> Client:
    return connect(Access(kfp.host, token), namespace, seconds=(0.5, 0.5), waits=WAITS)


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    """Of a pipeline that is none, but looks like one to the server."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump_all([{"pipelineInfo": {"name": "small"}, "root": {}}, {"platforms": {}}]))
    return Submission(
        pipeline="small",
        version="small-0123456789abcdef",
        yaml=path,
        digest="d" * 64,
        parameters={"epochs": 3},
        experiment="janus",
        service_account="trains",
        root="gs://bucket/root",
    )
