"""The node runner: what decides its exit code, and a whole run without a cluster."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.kubeflow.bundle import write_bundle
from pipeline.kubeflow.finish import exit_code_of
from pipeline.kubeflow.metadata_address import check_reachable, connection_config, explained
from pipeline.metadata import NodeExecution, StoredArtifact
from pipeline.run_node import check_execution
from tests.pipeline.kubeflow.harness import cluster_config
from tests.pipeline.small import write_table
from trainer.errors import ConfigError, GateError, JanusError, ServingError


def execution(**changed: Any) -> NodeExecution:
    given: dict[str, Any] = {"cached": False, "failed": False, "complete": True, "message": "", "seconds": 1.0}
    return NodeExecution(1, "Node", **{**given, "outputs": {}, **changed})


def blessing(blessed: int) -> dict[str, list[StoredArtifact]]:
    return {"blessing": [StoredArtifact(1, "", {"blessed": blessed})]}


def test_what_tfx_recorded_decides() -> None:
    check_execution("Trainer", execution())
    check_execution("Evaluator", execution(outputs=blessing(1)))
    for node, found, error, words in (
        ("Trainer", None, JanusError, "one of its inputs is missing"),
        ("Trainer", execution(failed=True, complete=False, message="out of memory"), JanusError, "out of memory"),
        ("Trainer", execution(complete=False), JanusError, "has not ended"),
        ("Evaluator", execution(outputs=blessing(0)), GateError, "a task's gate failed"),
        ("ServingCheck", execution(outputs=blessing(0)), ServingError, "serving check"),
    ):
        with pytest.raises(error, match=words) as failure:
            check_execution(node, found)
        assert type(failure.value) is error


def test_a_recorded_traceback_tells_the_exit_code() -> None:
    assert exit_code_of("Traceback …\ntrainer.errors.DataError: a column is missing") == 3
    assert exit_code_of("Traceback …\nValueError: no") == 1


def test_addresses_of_ml_metadata() -> None:
    mysql = connection_config({"JANUS_MLMD": "mysql://janus@db:3307/metadata", "JANUS_MLMD_PASSWORD": "word"}).mysql
    assert (mysql.host, mysql.port, mysql.database, mysql.user, mysql.password) == (
        "db", 3307, "metadata", "janus", "word",
    )  # fmt: skip
    grpc = connection_config({"JANUS_MLMD": "grpc://service"})
    assert isinstance(grpc, pb.MetadataStoreClientConfig)
    assert (grpc.host, grpc.port) == ("service", 8080)
    assert connection_config({"JANUS_MLMD": "sqlite:///data/m.db"}).sqlite.filename_uri == "/data/m.db"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "JANUS_MLMD is not set"),
        ("metadata.db", "is none of"),
        ("mysql://janus:word@db", "names no user or no database"),
        ("mysql://db/metadata", "names no user or no database"),
    ],
)
def test_an_address_that_is_none(url: str | None, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        connection_config({"JANUS_MLMD": url} if url else {})
    assert "word@" not in str(error.value)


def test_what_does_not_answer_is_told_at_once() -> None:
    with pytest.raises(JanusError, match=r"127.0.0.1:1 \(JANUS_MLMD\) cannot be reached"):
        check_reachable(connection_config({"JANUS_MLMD": "grpc://127.0.0.1:1"}))
    refused = explained(RuntimeError("mysql_real_connect failed: errno: 1045, Access denied for user"))
    assert "refused the user or the password" in str(refused)
    assert "back it up" in str(explained(RuntimeError("MLMD database schema version 8 is older")))


def _node(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.run_node", f"--ir={folder}/bundle/ir.json", *arguments]
    environment = {**os.environ, "JANUS_MLMD": f"sqlite://{folder}/metadata.db"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.slow
def test_a_step_that_cannot_run_fails(tmp_path: Path) -> None:
    write_table(tmp_path, 100)
    write_bundle(cluster_config(tmp_path), tmp_path / "bundle")
    early = _node(tmp_path, "--node-id=Trainer", "--run-id=early")
    assert early.returncode == 1, early.stderr
    assert "error: Trainer: its input 'examples' is missing, so a node before it has not ended well" in early.stderr
    unknown = _node(tmp_path, "--node-id=Nobody", "--run-id=early")
    assert unknown.returncode == 2
    assert "there is no node 'Nobody' in the pipeline; its nodes are ExampleGen" in unknown.stderr
