"""BeamDagRunner with small components: events, failures, caching, metadata."""

import re
from pathlib import Path

import pytest
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.types import Channel, standard_artifacts

from components.resolver.served import ServedModel, unknown_reference
from janus_core.errors import ConfigError, DataError
from janus_core.progress import listening
from pipeline.kubeflow.run_node import check_execution
from pipeline.lineage.store import executions_of_node, executions_of_run, open_store
from pipeline.run import runner
from pipeline.run.interruption import Interruption
from pipeline.run.record import RunRecord
from pipeline.run.runner import run_on_beam


@component
def MakeModel(  # noqa: N802 - a component's name
    model: OutputArtifact[standard_artifacts.Model], size: Parameter[int]
) -> None:
    """Fails for a negative size."""
    if size < 0:
        raise DataError(f"a size of {size}", ["size"])
    Path(model.uri).mkdir(parents=True, exist_ok=True)
    (Path(model.uri) / "model").write_text(str(size))


def run(folder: Path, run_id: str, size: int, reference: int = 0) -> RunRecord:
    """A model, and what it would be compared with."""
    made = MakeModel(size=size).with_id("Trainer")
    resolver = Resolver(
        strategy_class=ServedModel,
        config={"base": str(folder / "models"), "reference": reference},
        model=Channel(type=standard_artifacts.Model),
        pushed_model=Channel(type=standard_artifacts.PushedModel),
        candidate=made.outputs["model"],
    ).with_id("Resolver")
    return run_of([made, resolver], folder, run_id)


def run_of(components: list[BaseNode], folder: Path, run_id: str) -> RunRecord:
    """Runs components in a folder as a pipeline's home."""
    pipeline = Pipeline(
        pipeline_name="small",
        pipeline_root=str(folder / "root"),
        components=components,
        enable_cache=True,
        metadata_connection_config=sqlite_metadata_connection_config(str(folder / "metadata.db")),
    )
    record = RunRecord()
    with listening(Interruption(), record):
        run_on_beam(pipeline, run_id)
    return record


def states(record: RunRecord) -> dict[str, tuple[str, bool]]:
    return {name: (event.state, event.cached) for name, event in record.components.items()}


def test_what_did_not_change_is_cached_the_resolver_included(tmp_path: Path) -> None:
    first = run(tmp_path, "first", size=1)
    again = run(tmp_path, "again", size=1)
    other = run(tmp_path, "other", size=2)
    assert states(first) == {"Trainer": ("complete", False), "Resolver": ("complete", False)}
    assert states(again) == {"Trainer": ("complete", True), "Resolver": ("complete", True)}
    assert states(other) == {"Trainer": ("complete", False), "Resolver": ("complete", False)}
    assert all(event.seconds > 0 for event in first.components.values())

    store = open_store(tmp_path / "metadata.db")
    found = {run_id: executions_of_run(store, run_id) for run_id in ("first", "again", "other", "never")}
    assert found["never"] == {}
    assert set(found["first"]) == {"Trainer", "Resolver"}
    first_model, same_model = (found[run_id]["Trainer"].output("model") for run_id in ("first", "again"))
    assert first_model is not None
    assert same_model == first_model
    assert Path(first_model.uri, "model").read_text() == "1"
    assert found["first"]["Trainer"].output("nothing") is None
    newest_first = [execution.id for execution in executions_of_node(store, "small", "Trainer")]
    assert newest_first == [found[run_id]["Trainer"].id for run_id in ("other", "again", "first")]


@pytest.mark.parametrize("size", [1, -1])
def test_a_node_that_runs_beside_the_others_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(runner, "BESIDE", frozenset({"Beside"}))
    first = MakeModel(size=1).with_id("Trainer")
    beside = MakeModel(size=size).with_id("Beside")
    beside.add_upstream_node(first)
    for run_id in ("first", "again"):
        record = run_of([first, beside], tmp_path, run_id)
        cached = run_id == "again"
        # Its failure is not the run's.
        ended = ("complete", cached) if size > 0 else ("failed", False)
        assert states(record) == {"Trainer": ("complete", cached), "Beside": ended}
        assert record.failure is None


def test_an_error_of_a_resolver_is_known_as_it_was_raised(tmp_path: Path) -> None:
    """TFX keeps only its traceback, as text (tfx/orchestration/portable/resolver_node_handler.py)."""
    record = RunRecord()
    with pytest.raises(Exception, match="version 7"), listening(Interruption(), record):
        run(tmp_path, "first", size=1, reference=7)
    assert record.failure is not None
    assert record.failure.component == "Resolver"
    assert type(record.failure.error) is ConfigError
    assert str(record.failure.error) == unknown_reference(7, [])
    execution = executions_of_run(open_store(tmp_path / "metadata.db"), "first")["Resolver"]
    with pytest.raises(ConfigError, match=re.escape(unknown_reference(7, [])) + "$"):
        check_execution("Resolver", execution)


def test_a_failure_is_known_as_it_was_raised(tmp_path: Path) -> None:
    record = RunRecord()
    with pytest.raises(Exception, match="a size of -1") as caught, listening(Interruption(), record):
        run(tmp_path, "first", size=-1)
    assert record.failure is not None
    assert record.failure.component == "Trainer"
    assert type(record.failure.error) is DataError
    assert record.failure.error.problems == ["size"]
    assert caught.value is not record.failure.error, "Beam wraps it"
    assert states(record) == {"Trainer": ("failed", False)}
    execution = executions_of_run(open_store(tmp_path / "metadata.db"), "first")["Trainer"]
    assert execution.failed
    assert not execution.cached
