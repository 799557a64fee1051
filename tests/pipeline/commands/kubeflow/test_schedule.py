"""Schedules: one is enabled, whatever fails."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from janus_core.errors import JanusError
from pipeline.commands.kubeflow.schedule import Scheduled, recurring_runs_of, run_unschedule_job, schedule
from pipeline.kubeflow.access import Access
from pipeline.kubeflow.client import Client, create_run
from pipeline.kubeflow.submission import Submission, recurring_run_body, run_body, upload
from tests.pipeline.kubeflow.harness import cluster_config
from tests.pipeline.kubeflow.kfp_server import PREFIX, Fault, State

RUNS = f"{PREFIX}/recurringruns"
NIGHTLY = "0 30 3 * * *"


def put(client: Client, submission: Submission, cron: str = NIGHTLY) -> Scheduled:
    ids = upload(client, submission)
    return schedule(client, recurring_run_body(submission, cron, ids))


@pytest.fixture
def changed(submission: Submission) -> Submission:
    return replace(submission, version="small-fedcba9876543210")


def test_the_request(kfp: State, client: Client, submission: Submission) -> None:
    done = put(client, submission)
    assert done == Scheduled(next(iter(kfp.recurring_runs)), "created")
    (request,) = kfp.asked("POST", RUNS)
    assert request.body == {
        "display_name": "small",
        "description": "Janus pipeline small, version small-0123456789abcdef",
        "experiment_id": next(iter(kfp.experiments)),
        "pipeline_version_reference": {
            "pipeline_id": next(iter(kfp.pipelines)),
            "pipeline_version_id": next(iter(kfp.versions)),
        },
        "runtime_config": {"parameters": {"epochs": 3}, "pipeline_root": "gs://bucket/root"},
        "service_account": "trains",
        "trigger": {"cron_schedule": {"cron": NIGHTLY}},
        "max_concurrency": "1",
        "no_catchup": True,
        "mode": "ENABLE",
    }


def test_the_same_content_changes_nothing(kfp: State, client: Client, submission: Submission) -> None:
    first = put(client, submission)
    sent = len(kfp.asked("POST", ".*"))
    assert put(client, submission) == Scheduled(first.recurring_run_id, "unchanged")
    assert len(kfp.asked("POST", ".*")) == sent
    assert not kfp.asked("DELETE", ".*")


@pytest.mark.parametrize(
    "difference",
    [
        {"version": "small-fedcba9876543210"},
        {"parameters": {}},
        {"service_account": "other"},
        {"experiment": "other"},
        {"root": None},
        {"cron": "0 0 4 * * *"},
    ],
)
def test_new_content_replaces_the_old_one(
    kfp: State, client: Client, submission: Submission, difference: dict[str, Any]
) -> None:
    first = put(client, submission)
    cron = difference.pop("cron", NIGHTLY)
    second = put(client, replace(submission, **difference), cron)
    assert (second.how, second.removed) == ("replaced", (first.recurring_run_id,))
    assert kfp.only("recurring_runs")["status"] == "ENABLED"
    assert max(kfp.enabled) == 1
    order = [request.path.removeprefix(RUNS) for request in kfp.requests if request.path.startswith(RUNS + "/")]
    assert order == [
        f"/{first.recurring_run_id}:disable",
        f"/{second.recurring_run_id}:enable",
        f"/{first.recurring_run_id}",
    ]


def test_one_that_was_disabled_by_hand_is_enabled(kfp: State, client: Client, submission: Submission) -> None:
    first = put(client, submission)
    kfp.only("recurring_runs")["status"] = "DISABLED"
    assert put(client, submission) == Scheduled(first.recurring_run_id, "enabled")
    assert kfp.only("recurring_runs")["status"] == "ENABLED"


def test_recurring_runs_of_others_are_left_alone(kfp: State, client: Client, submission: Submission) -> None:
    put(client, submission)
    ours = kfp.only("recurring_runs")
    kfp.recurring_runs["another-name"] = {**ours, "recurring_run_id": "another-name", "display_name": "small by hand"}
    reference = {"pipeline_id": "elsewhere", "pipeline_version_id": "elsewhere"}
    kfp.recurring_runs["another-pipeline"] = {
        **ours, "recurring_run_id": "another-pipeline", "pipeline_version_reference": reference,
    }  # fmt: skip
    put(client, submission, "0 0 5 * * *")
    assert {"another-name", "another-pipeline"} < set(kfp.recurring_runs)
    assert len(kfp.recurring_runs) == 3
    assert [run.trigger.cron_schedule.cron for run in recurring_runs_of(client, "small")] == ["0 0 5 * * *"]


@pytest.mark.parametrize("kind", ["lost", "half", "busy", "slow", 500])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", RUNS), ("POST", f"{RUNS}/.*:disable"), ("POST", f"{RUNS}/.*:enable"), ("DELETE", f"{RUNS}/.*")],
)
def test_an_answer_that_is_lost(
    kfp: State, client: Client, submission: Submission, changed: Submission, method: str, path: str, kind: int | str
) -> None:
    put(client, submission)
    kfp.faults.append(Fault(method, path, kind))
    assert put(client, changed).how == "replaced"
    assert kfp.only("recurring_runs")["status"] == "ENABLED"
    assert max(kfp.enabled) == 1


@pytest.mark.parametrize(
    ("method", "path"), [("POST", RUNS), ("POST", f"{RUNS}/.*:disable"), ("POST", f"{RUNS}/.*:enable")]
)
def test_the_old_schedule_survives_a_refusal(
    kfp: State, client: Client, submission: Submission, changed: Submission, method: str, path: str
) -> None:
    first = put(client, submission)
    kfp.faults.append(Fault(method, path, 403))
    with pytest.raises(JanusError, match="403"):
        put(client, changed)
    assert {key: run["status"] for key, run in kfp.recurring_runs.items()} == {first.recurring_run_id: "ENABLED"}
    assert max(kfp.enabled) == 1
    assert put(client, changed).how == "replaced"


def test_one_that_is_enabled_although_no_answer_says_so(
    kfp: State, client: Client, submission: Submission, changed: Submission
) -> None:
    put(client, submission)
    kfp.faults.append(Fault("POST", f"{RUNS}/.*:enable", "lost", times=4))
    assert put(client, changed).how == "replaced"
    assert kfp.only("recurring_runs")["status"] == "ENABLED"
    assert max(kfp.enabled) == 1


def test_a_server_that_stays_away_between_the_two_steps(
    kfp: State, client: Client, submission: Submission, changed: Submission
) -> None:
    put(client, submission)
    kfp.faults += [Fault("POST", f"{RUNS}/.*:enable", 500, times=99), Fault("GET", f"{RUNS}/.*", 500, times=99)]
    with pytest.raises(JanusError, match="Neither may be enabled now: `janus kubeflow status` shows it"):
        put(client, changed)
    kfp.faults.clear()
    # The next attempt goes on from there.
    assert put(client, changed).how == "replaced"
    assert kfp.only("recurring_runs")["status"] == "ENABLED"
    assert max(kfp.enabled) == 1


def test_an_old_one_that_is_not_deleted_is_deleted_by_the_next_attempt(
    kfp: State, client: Client, submission: Submission, changed: Submission
) -> None:
    put(client, submission)
    kfp.faults.append(Fault("DELETE", f"{RUNS}/.*", 403))
    with pytest.raises(JanusError, match="deleting the recurring run"):
        put(client, changed)
    assert sorted(run["status"] for run in kfp.recurring_runs.values()) == ["DISABLED", "ENABLED"]
    assert put(client, changed).how == "replaced"
    assert kfp.only("recurring_runs")["status"] == "ENABLED"


@pytest.fixture
def under_way(kfp: State, client: Client, submission: Submission) -> dict[str, Any]:
    """A run that the schedule has started."""
    put(client, submission)
    ids = upload(client, submission)
    create_run(client, run_body(submission, "nightly", ids))
    started = kfp.only("runs")
    started.update(state="RUNNING", recurring_run_id=kfp.only("recurring_runs")["recurring_run_id"])
    return started


@pytest.mark.parametrize("version", ["2.16.0", "2.17.0"])
def test_a_run_under_way_outlives_its_schedule(
    kfp: State, client: Client, submission: Submission, under_way: dict[str, Any], version: str
) -> None:
    kfp.version = version
    done = put(client, submission, "0 0 4 * * *")
    assert (done.how, done.kept) == ("replaced", ())
    assert len(kfp.recurring_runs) == 1
    assert kfp.killed == []


# A server of one's own build does not say its version.
@pytest.mark.parametrize("version", ["2.15.2", "unknown", "master-55ec846"])
def test_on_an_older_server_its_end_is_waited_for(
    kfp: State, client: Client, submission: Submission, under_way: dict[str, Any], version: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    kfp.version = version
    monkeypatch.setattr("pipeline.commands.kubeflow.schedule.POLL_SECONDS", 0.01)
    done = put(replace(client, wait_seconds=0.05), submission, "0 0 4 * * *")
    assert "waiting up to 0.05 s for nightly, which deleting the schedule would kill" in capsys.readouterr().out
    assert (done.how, done.kept) == ("replaced", (under_way["recurring_run_id"],))
    assert kfp.killed == []
    assert kfp.recurring_runs[under_way["recurring_run_id"]]["status"] == "DISABLED"
    # The next attempt deletes it, as soon as the run has ended.
    under_way.update(state="SUCCEEDED")
    again = put(client, submission, "0 0 4 * * *")
    assert (again.removed, again.kept) == ((under_way["recurring_run_id"],), ())
    assert len(kfp.recurring_runs) == 1
    assert kfp.killed == []


def test_a_schedule_is_disabled_before_it_is_deleted(
    kfp: State, submission: Submission, under_way: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    config, access = cluster_config(tmp_path), Access(kfp.host)
    assert run_unschedule_job(config, access) == 0
    assert kfp.recurring_runs == {}
    assert kfp.killed == []
    changes = [request.path for request in kfp.requests if request.method in ("POST", "DELETE")][-2:]
    assert [path.endswith(":disable") for path in changes] == [True, False]
    assert "no longer started by the clock" in capsys.readouterr().out
