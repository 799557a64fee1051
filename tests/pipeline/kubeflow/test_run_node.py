"""The node runner: what decides its exit code, and a whole run without a cluster."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from janus_core.errors import ConfigError, DataError, GateError, JanusError, ServingError
from pipeline.kubeflow.bundle import write_bundle
from pipeline.kubeflow.metadata import check_reachable, connection_config, explained
from pipeline.kubeflow.run_node import RETRY_INDEX, check_execution
from pipeline.kubeflow.step import (
    TransientError,
    check_run_id,
    check_writable,
    is_transient,
    report_reason,
    run_attempts,
)
from pipeline.lineage.store import NodeExecution, StoredArtifact
from tests.pipeline.kubeflow.harness import cluster_config
from tests.pipeline.small import write_table


def execution(**changed: Any) -> NodeExecution:
    given: dict[str, Any] = {"cached": False, "failed": False, "complete": True, "message": "", "seconds": 1.0}
    return NodeExecution(1, "Node", **{**given, "outputs": {}, **changed})


def blessing(blessed: int) -> dict[str, list[StoredArtifact]]:
    return {"blessing": [StoredArtifact(1, "", {"blessed": blessed})]}


def failed(error: str, **changed: Any) -> NodeExecution:
    return execution(
        failed=True, complete=False, message=f"Traceback (most recent call last):\n  …\n{error}", **changed
    )


def test_what_tfx_recorded_decides() -> None:
    check_execution("Trainer", execution())
    check_execution("Evaluator", execution(outputs=blessing(1)))
    for node, found, error, words in (
        ("Trainer", None, JanusError, "one of its inputs is missing"),
        ("Trainer", execution(failed=True, complete=False, message="out of memory"), JanusError, "out of memory"),
        ("Trainer", execution(complete=False), JanusError, "has not ended"),
        ("ExampleGen", failed("no column", exit_code=3), DataError, "no column"),
        ("ExampleGen", failed("the reason is DataError: too few", exit_code=1), JanusError, "too few"),
        ("Transform", failed("google.api_core.exceptions.ServiceUnavailable: 503"), TransientError, "503"),
        ("Evaluator", execution(outputs=blessing(0)), GateError, "a task's gate failed"),
        ("ServingCheck", execution(outputs=blessing(0)), ServingError, "serving check"),
    ):
        with pytest.raises(error, match=words) as failure:
            check_execution(node, found)
        assert type(failure.value) is error


def test_addresses_of_ml_metadata() -> None:
    mysql = connection_config({"JANUS_MLMD": "mysql://janus@db:3307/metadata", "JANUS_MLMD_PASSWORD": "word"}).mysql
    assert (mysql.host, mysql.port, mysql.database, mysql.user, mysql.password) == (
        "db", 3307, "metadata", "janus", "word",
    )  # fmt: skip
    assert not mysql.HasField("ssl_options")
    tls = connection_config({"JANUS_MLMD": "mysql://janus@db/metadata?tls=true"}).mysql
    assert (tls.database, tls.HasField("ssl_options")) == ("metadata", True)
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
        ("mysql://janus@db/metadata?ssl=1", "is not '\\?tls=true'"),
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


@pytest.mark.parametrize(
    "text",
    [
        "UnavailableError: the server does not answer",
        "tensorflow.python.framework.errors_impl.AbortedError: All 10 retry attempts failed. HTTP response code 503",
        "google.api_core.exceptions.ServiceUnavailable: 503 GET",
        "OSError: HTTP response code 500 with body",
        "apitools.base.py.exceptions.HttpServerError: HttpError accessing <https://x>: response: <{'status': '502'}>",
        "botocore.exceptions.ClientError: An error occurred (SlowDown) when calling the PutObject operation",
        'Traceback (most recent call last):\n  File "a.py"\nConnectionResetError: [Errno 104] Connection reset by peer',
        "ml_metadata.errors.InternalError: mysql_query failed: errno: 2013, Lost connection to MySQL server",
    ],
)
def test_what_may_pass(text: str) -> None:
    assert is_transient(text)


@pytest.mark.parametrize(
    "text",
    [
        "janus_core.errors.DataError: column 'ServiceUnavailable' holds 503 values",
        "ValueError: 500 rows",
        "Traceback (most recent call last):\n    raise ConnectionResetError\ntrainer.errors.ConfigError: no",
        "tensorflow.python.framework.errors_impl.NotFoundError: gs://bucket/none",
        "",
    ],
)
def test_what_would_only_come_again(text: str) -> None:
    assert not is_transient(text)


def attempts(folder: Path, program: str, retries: int = 2) -> tuple[int, int]:
    """Exit code of a step whose process runs `program`, which knows its number as `n`; how often it ran."""
    count = folder / "count"
    start = f"import os, signal, sys; n = os.path.getsize({str(count)!r}) + 1; open({str(count)!r}, 'a').write('.'); "
    count.write_text("")
    code = run_attempts([sys.executable, "-c", start + program], "Trainer", retries, 0.01)
    return code, count.stat().st_size


def test_attempts_that_may_help(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert attempts(tmp_path, "sys.exit(0)") == (0, 1)
    assert attempts(tmp_path, "sys.exit(75 if n < 3 else 0)") == (0, 3)
    assert attempts(tmp_path, "n == 1 and os.kill(os.getpid(), signal.SIGKILL)") == (0, 2)
    told = capfd.readouterr()
    assert "Trainer: its process was ended by SIGKILL, as for lack of memory" in told.err
    assert "Trainer: attempt 2 of 3 follows in 0.01 s" in told.out
    assert attempts(tmp_path, "sys.exit(75)") == (1, 3)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_no_attempt_at_what_would_only_come_again(tmp_path: Path, code: int) -> None:
    assert attempts(tmp_path, f"sys.exit({code})") == (code, 1)


def test_the_end_of_a_pod_ends_the_attempts(tmp_path: Path) -> None:
    program = (
        "import sys; from pipeline.kubeflow.step import run_attempts; "
        'child = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(75)); '
        "print('ready', flush=True); time.sleep(60)\"; "
        "sys.exit(run_attempts([sys.executable, '-c', child], 'Trainer', 5, 0.01))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as step:
        assert step.stdout is not None
        assert step.stdout.readline() == "ready\n"
        step.terminate()
        assert step.wait(20) == 128 + 15


def test_a_literal_placeholder_is_no_run_id() -> None:
    check_run_id("0b7cbb25-5e2a-4e4e-8c7b-6d7f1a5b0b57")
    with pytest.raises(ConfigError, match=r"--run-id is the placeholder '\{\{\$.pipeline_job_uuid\}\}' itself"):
        check_run_id("{{$.pipeline_job_uuid}}")


def test_kubernetes_is_given_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "termination-log"
    report_reason("ExampleGen: no column", log)
    assert not log.exists(), "outside of a container"
    log.touch()
    report_reason("ExampleGen: 2 problems:\n  no column\n  no rows", log)
    assert log.read_text() == "ExampleGen: 2 problems:"
    report_reason("Trainer: Traceback (most recent call last):\n  …\nValueError: too few", log)
    assert log.read_text() == "ValueError: too few"
    assert "ExampleGen: no column" in capsys.readouterr().err


def _node(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.kubeflow.run_node", f"--ir={folder}/bundle/ir.json", *arguments]
    environment = {**os.environ, "JANUS_MLMD": f"sqlite://{folder}/metadata.db", **variables}
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
    for module in ("run_node", "finish"):
        command = [sys.executable, "-m", f"pipeline.kubeflow.{module}", "--ir=none", "--run-id={{$.pipeline_job_uuid}}"]
        command += ["--node-id=Trainer"] if module == "run_node" else ["--pipeline-root=none"]
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        assert refused.returncode == 2
        assert "which the orchestrator should have replaced by the run's id" in refused.stderr


@pytest.mark.slow
def test_kubeflows_own_attempt_at_a_permanent_failure_ends_at_once(tmp_path: Path) -> None:
    write_table(tmp_path, 100)
    write_bundle(cluster_config(tmp_path), tmp_path / "bundle")
    table = tmp_path / "data/table.csv"
    whole = table.read_text()
    table.write_text("distance\n1\n")
    step = ("--node-id=ExampleGen", "--run-id=night", "--retries=2")
    first = _node(tmp_path, *step)
    assert first.returncode == 3, first.stderr
    # Another attempt would succeed by now: that it is not made shows in its failure.
    table.write_text(whole)
    second = _node(tmp_path, *step, **{RETRY_INDEX: "1"})
    assert second.returncode == 3, second.stderr
    assert second.stderr.split("error: ")[-1].splitlines()[-1] == first.stderr.split("error: ")[-1].splitlines()[-1]
    # A retry by hand starts counting anew.
    third = _node(tmp_path, *step, **{RETRY_INDEX: "0"})
    assert third.returncode == 0, third.stderr


def test_a_volume_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    check_writable(f"{tmp_path}/new/root")
    check_writable("gs://bucket/root")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=rf"/file/root cannot be written by user {os.getuid()}, group .*chown"):
        check_writable(f"{tmp_path}/file/root")
