"""report.json, its table, and the words for what became of the model."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from janus_core.errors import ConfigError
from pipeline.home import Home
from pipeline.report.report_json import (
    ComponentReport,
    RunReport,
    janus_version,
    read_latest,
    stack_versions,
    write_report,
)
from pipeline.report.view import report_view
from pipeline.report.wording import failed_gate, mixture_lines, outcome_line
from pipeline.run.display import console_on

TASKS: dict[str, dict[str, Any]] = {
    "status": {
        "kind": "multiclass",
        "labelled": {"train": 90, "eval": 10},
        "metrics": {"auc": 0.77, "f1": None},
        "baseline": {},
        "slices": {},
        "gates": [
            {"metric": "auc", "rule": "min", "limit": 0.7, "value": 0.77, "passed": True},
            {"metric": "auc", "rule": "max_drop", "limit": 0.01, "value": 0.77, "passed": True, "note": "none yet"},
        ],
    },
    "delay": {
        "kind": "regression",
        "unit": "minutes",
        "labelled": {"train": 80, "eval": 9},
        "metrics": {"mae": 22.5, "r2": 0.1},
        "baseline": {"mae": 22.0, "r2": 0.2},
        "slices": {},
        "gates": [{"metric": "mae", "rule": "max", "limit": 20.0, "value": 22.5, "passed": False}],
    },
}


def make_report(**changed: Any) -> RunReport:
    values: dict[str, Any] = {
        "janus": "0.1.0",
        "pipeline": "flights",
        "run_id": "2026-11-24T15-04-05",
        "seconds": 1.0,
        "stack": {},
        "tasks": TASKS,
        "components": {"Trainer": ComponentReport(seconds=1.0, cached=False, state="complete")},
    }
    return RunReport(**{**values, **changed})


def test_the_contracts_keys_are_there(tmp_path: Path) -> None:
    path = write_report(make_report(stack=stack_versions()), tmp_path)
    written = json.loads(path.read_text())
    assert path.name == "report.json"
    assert [*tmp_path.iterdir()] == [path]
    assert {"janus", "pipeline", "run_id", "seconds", "stack", "components", "examples", "tasks"} <= set(written)
    assert {"blessed", "pushed", "exit_code", "problems", "peak_memory_mb"} <= set(written)
    assert set(written["stack"]) == {"python", "tfx", "tensorflow", "keras"}
    assert written["components"]["Trainer"] == {"seconds": 1.0, "cached": False, "state": "complete"}


def test_versions_come_from_what_is_installed() -> None:
    assert janus_version()
    assert all(version[0].isdigit() for version in stack_versions().values())


def test_the_newest_report_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home("flights")
    with pytest.raises(ConfigError, match="no report yet: start it with `janus run CONFIG`"):
        read_latest(home)
    run_id = home.new_run()
    write_report(make_report(), home.run_folder(run_id))
    home.link_latest(run_id)
    assert read_latest(home) == make_report()
    (home.latest / "report.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_latest(home)


def test_the_table_marks_gates_also_without_colour() -> None:
    stream = io.StringIO()
    console_on(stream).print(report_view(make_report(exit_code=4, problems=["task delay: mae is above max"])))
    rows = [" ".join(line.replace("│", " ").split()) for line in stream.getvalue().splitlines()]
    assert "status (10 labelled) auc 0.7700 ✓ ≥ 0.7 passed" in rows
    assert "– drop ≤ 0.01 (no baseline yet)" in rows
    assert "delay (9 labelled) mae [minutes] 22.5000 22.0000 ✗ ≤ 20 FAILED" in rows
    assert "r2 0.1000 0.2000" in rows
    assert rows[-1] == "not pushed: task delay: mae is above max"


def test_metrics_of_every_kind_have_their_units() -> None:
    tasks: dict[str, dict[str, Any]] = {
        "grade": {"kind": "ordinal", "metrics": {"mae": 0.5, "qwk": 0.7}},
        "visits": {"kind": "count", "unit": "visits", "metrics": {"deviance": 1.5, "mae": 2.0}},
        "delay": {
            "kind": "regression",
            "unit": "minutes",
            "quantiles": [0.1, 0.5, 0.9],
            "metrics": {"mae": 3.0, "pinball": 1.0, "coverage": 0.75},
        },
    }
    stream = io.StringIO()
    console_on(stream).print(report_view(make_report(tasks=tasks)))
    rows = [" ".join(line.replace("│", " ").split()) for line in stream.getvalue().splitlines()]
    for row in (
        "grade mae [classes] 0.5000",
        "qwk 0.7000",
        "visits deviance 1.5000",
        "mae [visits] 2.0000",
        "delay mae [minutes] 3.0000",
        "pinball [minutes] 1.0000",
        "coverage [0.8 wanted] 0.7500",
    ):
        assert row in rows


def test_a_resolver_that_ran_is_nothing_new() -> None:
    cached, worked = (ComponentReport(seconds=0.1, cached=found, state="complete") for found in (True, False))
    assert make_report(components={"Trainer": cached, "WindowResolver": worked, "Resolver": worked}).all_cached()
    assert not make_report(components={"Trainer": worked, "Resolver": cached}).all_cached()
    assert not make_report(components={}).all_cached()


def test_what_became_of_the_model() -> None:
    cached = {"Pusher": ComponentReport(seconds=0.1, cached=True, state="complete")}
    assert outcome_line(make_report(pushed="models/flights/17")) == "pushed to models/flights/17"
    assert outcome_line(make_report(pushed="models/flights/17", components=cached)) == (
        "nothing new to do: models/flights/17 is up to date"
    )
    assert outcome_line(make_report(exit_code=4, components=cached, problems=["x"])) == "not pushed: x"
    assert outcome_line(make_report(exit_code=130)) == "not pushed: the run was interrupted"
    assert outcome_line(make_report(exit_code=3)) == "not pushed: the run failed (exit code 3)"


def test_a_failed_runs_problems_are_listed() -> None:
    stream = io.StringIO()
    console_on(stream).print(report_view(make_report(exit_code=3, tasks={}, problems=["one", "two"])))
    assert stream.getvalue() == "not pushed: the run failed (exit code 3)\n  one\n  two\n"


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({"rule": "min", "limit": 0.7, "value": 0.6}, "auc 0.6 is below min 0.7"),
        ({"rule": "max", "limit": 30.0, "value": 31.25}, "auc 31.25 is above max 30"),
        (
            {"rule": "max_drop", "limit": 0.01, "value": 0.6, "baseline": 0.7},
            "auc 0.6 against 0.7 of the baseline breaks max_drop 0.01",
        ),
        ({"rule": "min", "limit": 0.7, "value": None, "note": "not defined"}, "auc: not defined (min 0.7)"),
    ],
)
def test_a_failed_gate_in_words(gate: dict[str, Any], words: str) -> None:
    assert failed_gate({"metric": "auc", "passed": False, **gate}) == words


def test_what_a_task_is_mixed_from() -> None:
    tasks: dict[str, dict[str, Any]] = {
        "status": {**TASKS["status"], "gate_utilisation": {"expert_0": 0.624, "expert_1": 0.376}},
        "delay": {
            **TASKS["delay"],
            "gate_utilisation": {"level_0/delay_0": 1.0, "level_1/delay_0": 0.05, "level_1/shared_0": 0.95},
        },
    }
    assert mixture_lines(make_report(tasks=tasks)) == [
        "status is mixed from expert_0 62 %, expert_1 38 %",
        "delay is mixed from delay_0 5 %, shared_0 95 %",
    ]
    stream = io.StringIO()
    console_on(stream).print(report_view(make_report(tasks=tasks, pushed="x")))
    assert stream.getvalue().splitlines()[-3:] == [*mixture_lines(make_report(tasks=tasks)), "pushed to x"]
    assert mixture_lines(make_report()) == []
