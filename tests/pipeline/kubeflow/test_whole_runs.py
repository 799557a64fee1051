"""Whole runs without a cluster: KFP's own orchestrator takes the compiled YAML, each container is a process here."""

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.kubeflow.bundle import write_bundle
from pipeline.kubeflow.compile import compile_pipeline
from pipeline.kubeflow.metadata import connection_config
from pipeline.lineage.store import executions_of_run
from pipeline.run.job import run_job
from tests.pipeline.kubeflow.harness import cluster_config
from tests.pipeline.kubeflow.local_run import LocalRun, run_container, run_locally
from tests.pipeline.kubeflow.mysql import mysql_server
from tests.pipeline.small import small_config, write_table
from trainer.config import TrainerConfig

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(1800)]

Runner = Callable[..., LocalRun]


@pytest.fixture
def mysql(tmp_path: Path) -> Iterator[dict[str, str]]:
    with mysql_server(tmp_path) as environment:
        yield environment


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    bundle = write_bundle(cluster_config(tmp_path, parameters=["training.learning_rate"]), tmp_path / "bundle")
    path = compile_pipeline(bundle, tmp_path / "pipeline.yaml")
    # Only now: the data are not where a pipeline is compiled.
    write_table(tmp_path, 300)
    return path


def _untimed(tasks: dict[str, Any]) -> dict[str, Any]:
    """Without the seconds in which the baselines were fitted."""
    baselines = {
        name: {baseline: {**one, "seconds": 0} for baseline, one in task["baselines"].items()}
        for name, task in tasks.items()
    }
    return {name: {**task, "baselines": baselines[name]} for name, task in tasks.items()}


def _report(folder: Path, run: LocalRun) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "runs/small" / run.run_id / "report.json").read_text())
    return report


def _worked(report: Mapping[str, Any]) -> set[str]:
    return {name for name, component in report["components"].items() if not component["cached"]}


def _trained(store: MetadataStore, run_id: str) -> TrainerConfig:
    """The configuration that a run's Trainer was given."""
    (execution,) = store.get_executions_by_id([executions_of_run(store, run_id)["Trainer"].id])
    custom = json.loads(execution.custom_properties["custom_config"].string_value)
    return TrainerConfig.model_validate_json(custom["trainer"])


def test_three_runs_on_mysql(
    compiled: Path, mysql: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_locally(compiled, mysql, monkeypatch)
    assert first.succeeded, first.outputs
    assert set(first.codes.values()) == {0}
    report = _report(tmp_path, first)
    assert report["blessed"]
    made = tmp_path / "runs/small" / first.run_id
    assert "<h1" in (made / "report.html").read_text()
    assert (made / "model_card.md").read_text().startswith("#")
    assert (Path(report["pushed"]) / "saved_model.pb").exists()
    assert "artifacts for Kubeflow's pages: " in first.outputs["report"]
    (page,) = (tmp_path / "kfp").rglob("html_report")
    assert page.read_text() == (made / "report.html").read_text()

    # The same metrics as on one machine, in a home of its own.
    alone = tmp_path / "alone"
    alone.mkdir()
    with monkeypatch.context() as there:
        there.chdir(alone)
        data = {"path": str(tmp_path / "data")}
        assert run_job(small_config(alone, data=data)) == 0
    local = json.loads((alone / "runs/small/latest/report.json").read_text())
    assert _untimed(report["tasks"]) == _untimed(local["tasks"])

    second = run_locally(compiled, mysql, monkeypatch)
    assert second.run_id != first.run_id
    assert second.succeeded, second.outputs
    again = _report(tmp_path, second)
    # TFX gives a Resolver no cache: what it chooses is looked up each time.
    assert _worked(again) == {"Resolver"}
    assert (again["tasks"], again["pushed"]) == (report["tasks"], report["pushed"])
    assert f"nothing new to do: {report['pushed']} is up to date" in " ".join(second.outputs["report"].split())

    table = tmp_path / "data/table.csv"
    table.write_text(table.read_text() + "130,B,no,5\n" * 20, encoding="utf-8")
    third = run_locally(compiled, mysql, monkeypatch, training_learning_rate="0.0123")
    assert third.succeeded, third.outputs
    last = _report(tmp_path, third)
    assert {"ExampleGen", "Trainer", "Evaluator", "Pusher"} <= _worked(last)
    assert not report["tasks"]["delay"]["baseline"]
    assert last["tasks"]["delay"]["baseline"], "the first run's model"
    assert last["pushed"] != report["pushed"]
    store = MetadataStore(connection_config(mysql))
    rates = [_trained(store, run.run_id).training.learning_rate for run in (first, third)]
    assert rates == [0.001, 0.0123]


def test_each_step_may_be_killed(compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"JANUS_MLMD": f"sqlite://{tmp_path}/metadata.db"}
    killed: list[str] = []
    moments = random.Random(17)

    def container(command: list[str], variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        if "pipeline.kubeflow.run_node" in command:
            killed.append(_kill_once_begun(command, variables, moments))
        return run_container(command, variables)

    run = run_locally(compiled, environment, monkeypatch, container)
    assert run.succeeded, run.outputs
    report = _report(tmp_path, run)
    assert report["exit_code"] == 0
    assert set(killed) == set(report["components"])
    # One execution counts per node, and one model was pushed.
    store = MetadataStore(connection_config(environment))
    assert all(execution.complete for execution in executions_of_run(store, run.run_id).values())
    assert [path.name for path in (tmp_path / "serving").glob("[0-9]*")] == [Path(report["pushed"]).name]

    again = run_locally(compiled, environment, monkeypatch)
    assert again.succeeded, again.outputs
    assert _worked(_report(tmp_path, again)) == {"Resolver"}


def _kill_once_begun(command: list[str], variables: Mapping[str, str], moments: random.Random) -> str:
    """Starts a step, and kills it at some moment after ML Metadata knows of its execution."""
    options = dict(part.removeprefix("--").split("=", 1) for part in command if part.startswith("--"))
    node, run_id = options["node-id"], options["run-id"]
    environment = {**os.environ, **variables}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as step:
        while step.poll() is None and not _begun(variables, run_id, node):
            time.sleep(0.02)
        time.sleep(moments.uniform(0.0, 1.5))
        # As a pod ends: with all of its processes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(step.pid, signal.SIGKILL)
    return node


def _begun(variables: Mapping[str, str], run_id: str, node: str) -> bool:
    if not Path(variables["JANUS_MLMD"].removeprefix("sqlite://")).exists():
        return False
    config = connection_config(variables)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READONLY
    return node in executions_of_run(MetadataStore(config), run_id)
