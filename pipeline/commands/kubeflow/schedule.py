"""`janus kubeflow schedule` and `unschedule`: one enabled recurring run per pipeline, whatever fails."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from janus_core.errors import ConfigError, JanusError
from pipeline.commands.kubeflow.submit import print_request, print_submission, uploaded
from pipeline.config import JanusConfig
from pipeline.kubeflow.access import Access
from pipeline.kubeflow.api_errors import RefusedError
from pipeline.kubeflow.bundle import required
from pipeline.kubeflow.client import (
    ENDED,
    Client,
    all_named,
    ask,
    connect,
    find_or_create,
    find_pipelines,
    newest_runs,
    server_version,
)
from pipeline.kubeflow.cron import six_fields
from pipeline.kubeflow.submission import pipeline_name, recurring_run_body

ORPHANS_SINCE = (2, 16)
POLL_SECONDS = 10.0
_KEPT = (
    "the recurring run {} is disabled, and stays until a run that it started has ended, which deleting would kill: "
    "`janus kubeflow {}` deletes it then"
)


@dataclass(frozen=True)
class Scheduled:
    """The recurring run that is enabled now, how it came to be, and the ids of the others that it replaced.

    `kept` are those of them that are disabled, but not deleted yet, since a run that they started is under way.
    """

    recurring_run_id: str
    how: Literal["created", "unchanged", "enabled", "replaced"]
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def run_schedule_job(
    config: JanusConfig,
    access: Access,
    cron: str | None = None,
    parameters: Sequence[str] = (),
    dry_run: bool = False,
    verbose: bool = False,
) -> int:
    """Uploads what was not uploaded yet, schedules its runs, and returns the exit code.

    Raises:
        ConfigError: the configuration, the cron, a parameter, the host or the credentials are wrong.
        JanusError: Kubeflow Pipelines refuses it, or does not answer.
    """
    kubeflow = required(config)
    when = cron or kubeflow.cron
    if when is None:
        raise ConfigError('when? Give --cron "30 3 * * *", or kubeflow.cron')
    when = six_fields(when)
    with uploaded(config, access, parameters, dry_run, verbose) as (client, submission, ids):
        body = recurring_run_body(submission, when, ids)
        if client is None:
            print_request(config, access, submission, "recurring_run", body)
            return 0
        done = schedule(client, body)
    for kept in done.kept:
        print(_KEPT.format(kept, "schedule"))
    words = {
        "created": "scheduled",
        "unchanged": "nothing changed: already scheduled",
        "enabled": "enabled again: it was scheduled, but disabled",
        "replaced": f"scheduled, in the place of {', '.join(done.removed)}",
    }
    zone = "in UTC, unless the administrator set CRON_SCHEDULE_TIMEZONE"
    print(f"{words[done.how]}: '{when}' (second first, {zone}), recurring run {done.recurring_run_id}")
    print_submission(config, submission, ids)
    return 0


def run_unschedule_job(config: JanusConfig, access: Access, dry_run: bool = False) -> int:
    """Deletes the schedule, and returns the exit code, which is 0 also if there was none."""
    name = pipeline_name(config)
    client = connect(access, required(config).namespace)
    scheduled = recurring_runs_of(client, name)
    if dry_run:
        print(json.dumps({"server": access.name, "delete": [run.recurring_run_id for run in scheduled]}, indent=2))
        return 0
    if not scheduled:
        print(f"pipeline {name} is not scheduled: there is nothing to delete")
    for run in scheduled:
        _change(client, "disable", run)
        if _delete(client, run):
            print(f"recurring run {run.recurring_run_id} deleted: pipeline {name} is no longer started by the clock")
        else:
            print(_KEPT.format(run.recurring_run_id, "unschedule"))
    return 0


def recurring_runs_of(client: Client, name: str) -> list[Any]:
    """The pipeline's recurring runs, oldest first: those of its name that start it."""
    return [run for pipeline in find_pipelines(client, name) for run in _find(client, name, pipeline.pipeline_id)]


def schedule(client: Client, wanted: Any) -> Scheduled:
    """Makes the recurring run with the content of `wanted`, a V2beta1RecurringRun, the only enabled one."""
    existing = partial(_find, client, wanted.display_name, wanted.pipeline_version_reference.pipeline_id)

    def find_same() -> Any | None:
        same = [run for run in existing() if _content(run) == _content(wanted)]
        return min(same, key=lambda run: not _is_enabled(run), default=None)

    before = existing()
    current = find_same()
    others = [run for run in before if current is None or run.recurring_run_id != current.recurring_run_id]
    what = f"scheduling the pipeline '{wanted.display_name}'"
    if current is None:
        # KFP cannot replace one by another in one step. The new one is therefore created disabled beside the old one,
        # and only then the old one is disabled: two are never enabled, and a failure to create it changes nothing.
        wanted.mode = "DISABLE" if others else "ENABLE"
        create = client.recurring_runs.recurring_run_service_create_recurring_run
        current = find_or_create(client, what, "recurring_run_id", find_same, lambda: create(wanted))
        if not others:
            return Scheduled(current.recurring_run_id, "created")
    elif _is_enabled(current) and not others:
        return Scheduled(current.recurring_run_id, "unchanged")
    kept = _exchange(client, others, current)
    removed = tuple(run.recurring_run_id for run in others)
    return Scheduled(current.recurring_run_id, "replaced" if removed else "enabled", removed, kept)


def _content(run: Any) -> tuple[Any, ...]:
    """What two recurring runs must have in common to be the same, leaving aside whether they are enabled."""
    reference, runtime, trigger = run.pipeline_version_reference, run.runtime_config, run.trigger
    cron = trigger.cron_schedule if trigger else None
    return (
        reference.pipeline_id,
        reference.pipeline_version_id,
        (cron.cron, cron.start_time, cron.end_time) if cron else None,
        (runtime.parameters or {}, runtime.pipeline_root or None) if runtime else ({}, None),
        run.service_account,
        run.experiment_id,
        int(run.max_concurrency or 0),
        bool(run.no_catchup),
    )


def _is_enabled(run: Any) -> bool:
    return run.status == "ENABLED" or (run.status is None and run.mode == "ENABLE")


def _find(client: Client, name: str, pipeline_id: str) -> list[Any]:
    method = client.recurring_runs.recurring_run_service_list_recurring_runs
    ours = [
        run
        for run in all_named(client, "schedule", "recurring_runs", method, name, namespace=client.namespace)
        if run.pipeline_version_reference and run.pipeline_version_reference.pipeline_id == pipeline_id
    ]
    return sorted(ours, key=lambda run: (str(run.created_at), run.recurring_run_id))


def _exchange(client: Client, old: Sequence[Any], new: Any) -> tuple[str, ...]:
    """Disables the old ones, enables the new one, and deletes the old ones; enables an old one again if that fails.

    Returns the ids of those that had to be kept, disabled.

    A client that is killed between the first two steps leaves both disabled: the next `schedule` continues from there.
    """
    enabled = [run for run in old if _is_enabled(run)]
    try:
        for run in old:
            _change(client, "disable", run)
        _change(client, "enable", new)
    except JanusError as error:
        _restore(client, enabled, new, error)
    return tuple(run.recurring_run_id for run in old if not _delete(client, run))


def _restore(client: Client, enabled: Sequence[Any], new: Any, error: JanusError) -> None:
    """Restores the old schedule, unless the new one turns out to be enabled.

    Raises:
        JanusError: always, except in that case; it says what is enabled.
    """
    try:
        get = client.recurring_runs.recurring_run_service_get_recurring_run
        if _is_enabled(ask(client, "whether the new schedule is enabled", lambda: get(new.recurring_run_id))):
            return
        # Deleted first: a request to enable it may still be under way.
        _delete(client, new)
        for run in enabled[:1]:
            _change(client, "enable", run)
    except JanusError as second:
        raise JanusError(
            f"{error}\nThe old schedule could not be brought back: {second}\nNeither may be enabled now: `janus "
            "kubeflow status` shows it, and `janus kubeflow schedule` goes on from there"
        ) from error
    state = "the old schedule is enabled as before" if enabled else "no schedule was enabled before, and none is now"
    raise JanusError(f"{error}\nThe new schedule is not enabled; {state}") from error


def _delete(client: Client, run: Any) -> bool:
    """Deletes a recurring run, but no run that it has started; False if it must be kept for a while.

    A run's workflow is owned by the recurring run, and Kubernetes deletes it with its owner: a run that is under way
    ends without a report, and Kubeflow shows it as running for ever. Servers from 2.16 on can keep the workflows
    (`propagation_policy`, backend/api/v2beta1/recurring_run.proto); on older ones this waits until the runs have ended.
    """
    can_orphan = (server_version(client) or (0, 0)) >= ORPHANS_SINCE
    if not can_orphan and not _runs_have_ended(client, run):
        return False
    try:
        _change(client, "delete", run, partial(_orphaning, client) if can_orphan else None)
    except RefusedError as error:
        # An earlier attempt, or somebody else, has already deleted it.
        if error.status != 404:
            raise
    return True


def _runs_have_ended(client: Client, run: Any) -> bool:
    """Waits for the runs that a recurring run, disabled by now, has started; False if they take too long."""
    deadline = time.monotonic() + client.wait_seconds
    printed = False
    while under_way := _runs_under_way(client, run):
        if time.monotonic() >= deadline:
            return False
        if not printed:
            names = ", ".join(started.display_name or started.run_id for started in under_way)
            print(f"waiting up to {client.wait_seconds:g} s for {names}, which deleting the schedule would kill")
            printed = True
        time.sleep(min(POLL_SECONDS, client.wait_seconds))
    return True


def _runs_under_way(client: Client, run: Any) -> list[Any]:
    """The runs that a recurring run has started and that have not ended."""
    what = f"looking for runs of the recurring run {run.recurring_run_id}"
    return [
        started
        for started in newest_runs(client, what, run.experiment_id)
        if started.recurring_run_id == run.recurring_run_id and started.state not in ENDED
    ]


def _orphaning(client: Client, recurring_run_id: str) -> Any:
    # kfp_server_api before 2.15 does not know the parameter.
    connection = client.recurring_runs.api_client
    return connection.call_api(
        "/apis/v2beta1/recurringruns/{recurring_run_id}",
        "DELETE",
        path_params={"recurring_run_id": recurring_run_id},
        query_params=[("propagation_policy", "ORPHAN")],
        header_params={"Accept": "application/json"},
        response_type="object",
        auth_settings=["Bearer"],
        _return_http_data_only=True,
    )


def _change(
    client: Client, verb: Literal["enable", "disable", "delete"], run: Any, method: Callable[[str], Any] | None = None
) -> None:
    change = method or getattr(client.recurring_runs, f"recurring_run_service_{verb}_recurring_run")
    what = f"{verb.removesuffix('e')}ing the recurring run {run.recurring_run_id}"
    ask(client, what, lambda: change(run.recurring_run_id))
