"""`janus kubeflow status`."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pipeline.commands.kubeflow.schedule import schedule
from pipeline.commands.kubeflow.status import (
    PipelineState,
    compiled_steps,
    read_state,
    reported_problems,
    state_view,
    step_failures,
)
from pipeline.kubeflow.client import Client, create_run
from pipeline.kubeflow.submission import Submission, recurring_run_body, run_body, upload
from tests.pipeline.kubeflow.kfp_server import PREFIX, State


def shown(state: PipelineState) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(state_view(state))
    return capture.get()


def task(name: str, state: str, minute: int) -> dict[str, Any]:
    """As KFP gives it, without a message (backend/src/apiserver/server/api_converter.go, toApiPipelineTaskDetail)."""
    return {
        "run_id": "run", "task_id": name, "display_name": name, "state": state,
        "state_history": [{"state": state}],
        "end_time": f"2026-01-01T00:{minute:02}:00Z",
    }  # fmt: skip


SPEC = {
    "components": {
        "comp-exit-handler-1": {
            "dag": {
                "tasks": {
                    "example-gen": {"componentRef": {"name": "comp-example-gen"}},
                    "evaluator": {"componentRef": {"name": "comp-evaluator"}},
                    "trainer": {"componentRef": {"name": "comp-trainer"}},
                }
            }
        },
        "comp-example-gen": {"executorLabel": "exec-example-gen"},
        "comp-evaluator": {"executorLabel": "exec-evaluator"},
    },
    "root": {
        "dag": {
            "tasks": {
                "exit-handler-1": {"componentRef": {"name": "comp-exit-handler-1"}},
                "report": {"componentRef": {"name": "comp-report"}},
            }
        }
    },
}


# KFP 2.17 wraps the specification of a pipeline that has settings for Kubernetes.
@pytest.mark.parametrize("spec", [SPEC, {"pipeline_spec": SPEC, "platform_spec": {}}], ids=["plain", "wrapped"])
def test_the_steps_of_a_compiled_pipeline(spec: dict[str, Any]) -> None:
    assert compiled_steps(spec) == {"example-gen", "evaluator", "trainer", "report"}


@pytest.mark.parametrize("steps", [compiled_steps(SPEC), set()], ids=["of the version", "of a deleted version"])
def test_argos_names_become_those_of_the_steps(steps: set[str]) -> None:
    names = ["root", "exit-handler-1", "executor(1)", "evaluator", "evaluator(0)", "trainer-driver(0)", "trainer",
             "root.onExit", "report.onExit"]  # fmt: skip
    tasks = [SimpleNamespace(display_name=n, state="FAILED", end_time=f"{i:02}") for i, n in enumerate(names)]
    tasks.append(SimpleNamespace(display_name="example-gen", state="SUCCEEDED", end_time="00"))
    assert [(failure.step, failure.message) for failure in step_failures(tasks, steps)] == [
        ("evaluator", ""),
        ("trainer", "its driver failed, before the step began"),
        ("report", ""),
    ]


def test_the_reason_comes_from_the_runs_report(tmp_path: Path) -> None:
    (tmp_path / "id").mkdir()
    assert reported_problems(str(tmp_path), "id") == []
    (tmp_path / "id/report.json").write_text(json.dumps({"problems": ["Evaluator: auc 0.5 is below 0.6"]}))
    assert reported_problems(str(tmp_path), "id") == ["Evaluator: auc 0.5 is below 0.6"]
    (tmp_path / "id/report.json").write_text("{")
    assert reported_problems(str(tmp_path), "id") == []


def test_nothing_is_there_yet(client: Client, submission: Submission) -> None:
    state = read_state(client, "small", "janus")
    assert state == PipelineState(pipeline="small", uploaded=False)
    assert "small: not uploaded" in shown(state)
    upload(client, submission)
    state = read_state(client, "small", "janus")
    assert state.uploaded
    assert "small: not scheduled" in shown(state)
    assert "no runs yet" in shown(state)


@pytest.fixture
def filled(kfp: State, client: Client, submission: Submission) -> State:
    ids = upload(client, submission)
    others = upload(client, replace(submission, pipeline="other"))
    for name, which in (("first", ids), ("of another pipeline", others), ("second", ids), ("third", ids)):
        create_run(client, run_body(submission, name, which))
    schedule(client, recurring_run_body(submission, "0 30 3 * * *", ids))
    first, _, second, third = kfp.runs.values()
    first.update(state="SUCCEEDED", created_at="2026-01-01T00:00:00Z", finished_at="2026-01-01T01:02:03Z")
    second.update(
        state="FAILED",
        created_at="2026-01-02T00:00:00Z",
        finished_at="2026-01-02T00:10:00Z",
        recurring_run_id=next(iter(kfp.recurring_runs)),
        run_details={
            "task_details": [
                task("root", "FAILED", 9),
                task("evaluator(0)", "FAILED", 5),
                task("example-gen", "SUCCEEDED", 1),
                task("executor", "FAILED", 5),
                task("report", "FAILED", 8),
            ]
        },
    )
    third.update(state="RUNNING", created_at="2026-01-03T00:00:00Z")
    return kfp


def test_the_schedule_and_the_newest_runs(filled: State, client: Client) -> None:
    state = read_state(client, "small", "janus")
    (planned,) = state.schedules
    assert (planned.enabled, planned.cron, planned.version) == (True, "0 30 3 * * *", "small-0123456789abcdef")
    assert (planned.service_account, planned.max_concurrency, planned.no_catchup) == ("trains", 1, True)
    assert planned.parameters == {"epochs": 3}
    assert [(run.name, run.state, run.by_schedule) for run in state.runs] == [
        ("third", "RUNNING", False),
        ("second", "FAILED", True),
        ("first", "SUCCEEDED", False),
    ]
    assert state.runs[0].finished is None
    assert [(failure.step, failure.message) for failure in state.runs[1].failures] == [
        ("evaluator", ""),
        ("report", ""),
    ]
    text = shown(state)
    assert "small: scheduled '0 30 3 * * *', version small-0123456789abcdef, as trains, with epochs=3" in text
    assert "second: evaluator failed" in text
    assert "The reason is shown at the step in Kubeflow's pages" in text
    assert "1:02:03" in text
    assert PipelineState.model_validate_json(state.model_dump_json()) == state


def test_no_more_runs_than_asked_for_and_from_several_pages(filled: State, client: Client) -> None:
    filled.page_size = 1
    assert [run.name for run in read_state(client, "small", "janus", 2).runs] == ["third", "second"]
    assert len(filled.asked("GET", f"{PREFIX}/runs/.*")) == 1


def test_a_disabled_schedule_and_a_run_that_never_began(filled: State, client: Client) -> None:
    filled.only("recurring_runs")["status"] = "DISABLED"
    second = next(run for run in filled.runs.values() if run["display_name"] == "second")
    second.update(run_details={}, error={"code": 3, "message": "no such volume"})
    filled.versions.clear()
    text = shown(read_state(client, "small", "janus"))
    assert "small: schedule disabled '0 30 3 * * *', version deleted" in text
    assert "second: run failed: no such volume" in text
