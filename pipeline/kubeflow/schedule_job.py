"""`janus kubeflow schedule` and `unschedule`."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from janus_core.errors import ConfigError, JanusError
from pipeline.config import JanusConfig
from pipeline.kubeflow.access import Access
from pipeline.kubeflow.bundle import required
from pipeline.kubeflow.cron import six_fields
from pipeline.kubeflow.submission import compiled, pipeline_name, recurring_run_body
from pipeline.kubeflow.submit_job import placeholders, print_request, tell_what_it_is, upload

if TYPE_CHECKING:
    from pipeline.kubeflow.client import Client

ORPHANS_SINCE = (2, 16)
POLL_SECONDS = 10.0
_KEPT = (
    "the recurring run {} is disabled, and stays until a run that it started has ended, which deleting would kill: "
    "`janus kubeflow {}` deletes it then"
)


@dataclass(frozen=True)
class Scheduled:
    """What came of it.

    Attributes:
        recurring_run_id: of the one that is enabled now.
        how: whether it was made, stood already, was enabled again, or came in the place of others.
        removed: the ids of those others.
        kept: the ids of disabled ones that are still there, since a run that they started is under way.
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
    """Uploads what was not uploaded yet, has it started by the clock, and returns the exit code.

    Args:
        config: as the user wrote it.
        access: where Kubeflow Pipelines is.
        cron: five or six fields, instead of kubeflow.cron.
        parameters: NAME=VALUE, of the pipeline's inputs.
        dry_run: print what would be sent, and send nothing.
        verbose: whether the libraries' logs are shown.

    Raises:
        ConfigError: the configuration, the cron, a parameter, the host or the credentials are wrong.
        JanusError: Kubeflow Pipelines refuses it, or does not answer.
    """
    from pipeline.kubeflow.client import connect

    kubeflow = required(config)
    pipeline_name(config)
    when = cron or kubeflow.cron
    if when is None:
        raise ConfigError('when? Give --cron "30 3 * * *", or kubeflow.cron')
    when = six_fields(when)
    client = None if dry_run else connect(access, kubeflow.namespace)
    with compiled(config, parameters, verbose) as submission:
        ids = placeholders(submission) if client is None else upload(client, submission)
        body = recurring_run_body(submission, when, ids.pipeline, ids.version, ids.experiment)
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
    tell_what_it_is(config, submission, ids)
    return 0


def run_unschedule_job(config: JanusConfig, access: Access, dry_run: bool = False) -> int:
    """Deletes the schedule, and returns the exit code, which is 0 also if there was none.

    Raises:
        ConfigError: the configuration, the host or the credentials are wrong.
        JanusError: Kubeflow Pipelines refuses it, or does not answer.
    """
    from pipeline.kubeflow.client import connect

    name = pipeline_name(config)
    client = connect(access, required(config).namespace)
    found = recurring_runs_of(client, name)
    if dry_run:
        print(json.dumps({"server": access.name, "delete": [run.recurring_run_id for run in found]}, indent=2))
        return 0
    if not found:
        print(f"pipeline {name} is not scheduled: there is nothing to delete")
        return 0
    for run in found:
        _disable(client, run)
        if _delete(client, run):
            print(f"recurring run {run.recurring_run_id} deleted: pipeline {name} is no longer started by the clock")
        else:
            print(_KEPT.format(run.recurring_run_id, "unschedule"))
    return 0


def recurring_runs_of(client: "Client", name: str) -> list[Any]:
    """The pipeline's recurring runs, oldest first: those of its name that start it."""
    from pipeline.kubeflow.client import find_pipelines

    found = []
    for pipeline in find_pipelines(client, name):
        found += _find(client, name, pipeline.pipeline_id)
    return found


def schedule(client: "Client", wanted: Any) -> Scheduled:
    """Leaves one enabled recurring run, of this content; does nothing if that is so.

    Args:
        client: of the installation.
        wanted: a V2beta1RecurringRun.

    Raises:
        JanusError: Kubeflow Pipelines refuses it, or does not answer.
    """
    from pipeline.kubeflow.client import made

    def found() -> list[Any]:
        return _find(client, wanted.display_name, wanted.pipeline_version_reference.pipeline_id)

    def same() -> Any | None:
        fitting = [run for run in found() if is_same(run, wanted)]
        return next(iter(sorted(fitting, key=lambda run: not _is_enabled(run))), None)

    before = found()
    stands = same()
    others = [run for run in before if stands is None or run.recurring_run_id != stands.recurring_run_id]
    what = f"scheduling the pipeline '{wanted.display_name}'"
    if stands is None:
        # KFP cannot exchange one for another at once. The new one is therefore made disabled beside the old one, and
        # only then the old one is disabled: two are never enabled, and a failure to make it changes nothing.
        wanted.mode = "DISABLE" if others else "ENABLE"
        stands = made(
            client, what, same, lambda: client.recurring_runs.recurring_run_service_create_recurring_run(wanted)
        )
        if not stands.recurring_run_id:
            raise JanusError(f"{what}: the answer of {client.access.name} has no id")
        if not others:
            return Scheduled(stands.recurring_run_id, "created")
    elif _is_enabled(stands) and not others:
        return Scheduled(stands.recurring_run_id, "unchanged")
    kept = _exchange(client, others, stands)
    removed = tuple(run.recurring_run_id for run in others)
    return Scheduled(stands.recurring_run_id, "replaced" if removed else "enabled", removed, kept)


def is_same(found: Any, wanted: Any) -> bool:
    """Whether a recurring run does what is wanted, leaving aside whether it is enabled."""
    return _content(found) == _content(wanted)


def _content(run: Any) -> tuple[Any, ...]:
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


def _find(client: "Client", name: str, pipeline_id: str) -> list[Any]:
    from pipeline.kubeflow.client import all_pages, filter_by, named

    found = all_pages(
        client,
        f"looking for the schedule '{name}'",
        "recurring_runs",
        client.recurring_runs.recurring_run_service_list_recurring_runs,
        filter=filter_by("display_name", name),
        namespace=client.namespace,
    )
    ours = [
        run
        for run in named(found, name)
        if run.pipeline_version_reference and run.pipeline_version_reference.pipeline_id == pipeline_id
    ]
    return sorted(ours, key=lambda run: (str(run.created_at), run.recurring_run_id))


def _exchange(client: "Client", old: Sequence[Any], new: Any) -> tuple[str, ...]:
    """Disables the old ones, enables the new one, and deletes the old ones; enables an old one again if that fails.

    Returns the ids of those that had to be kept, disabled.

    A client that is killed between the first two steps leaves none enabled, and both there: the next `schedule` goes
    on from there.
    """
    enabled = [run for run in old if _is_enabled(run)]
    try:
        for run in old:
            _disable(client, run)
        _enable(client, new)
    except JanusError as error:
        _take_back(client, enabled, new, error)
    return tuple(run.recurring_run_id for run in old if not _delete(client, run))


def _take_back(client: "Client", enabled: Sequence[Any], new: Any, error: JanusError) -> None:
    """Brings the old schedule back, unless the new one turns out to be enabled.

    Raises:
        JanusError: always, but in that case; it says what is enabled.
    """
    from pipeline.kubeflow.client import asked

    try:
        get = client.recurring_runs.recurring_run_service_get_recurring_run
        if _is_enabled(asked(client, "whether the new schedule is enabled", lambda: get(new.recurring_run_id))):
            return
        # Deleted first: a request to enable it may still be under way.
        _delete(client, new)
        for run in enabled[:1]:
            _enable(client, run)
    except JanusError as second:
        raise JanusError(
            f"{error}\nThe old schedule could not be brought back: {second}\nNeither may be enabled now: `janus "
            "kubeflow status` shows it, and `janus kubeflow schedule` goes on from there"
        ) from error
    state = "the old schedule is enabled as before" if enabled else "no schedule was enabled before, and none is now"
    raise JanusError(f"{error}\nThe new schedule is not enabled; {state}") from error


def _enable(client: "Client", run: Any) -> None:
    _change(client, "enabling", run, client.recurring_runs.recurring_run_service_enable_recurring_run)


def _disable(client: "Client", run: Any) -> None:
    _change(client, "disabling", run, client.recurring_runs.recurring_run_service_disable_recurring_run)


def _delete(client: "Client", run: Any) -> bool:
    """Deletes a recurring run, but no run that it has started; False if it must be kept for a while.

    A run's workflow is owned by the recurring run, and Kubernetes collects it with its owner: a run that is under way
    ends without a report, and Kubeflow shows it as running for ever. Servers from 2.16 on can leave the workflows alone
    (`propagation_policy`, backend/api/v2beta1/recurring_run.proto); on older ones their end is waited for.
    """
    from pipeline.kubeflow.client import RefusedError, server_version

    can_orphan = (server_version(client) or (0, 0)) >= ORPHANS_SINCE
    if not can_orphan and not _runs_have_ended(client, run):
        return False
    plain = client.recurring_runs.recurring_run_service_delete_recurring_run
    try:
        _change(client, "deleting", run, partial(_orphaning, client) if can_orphan else plain)
    except RefusedError as error:
        # It is gone: an earlier attempt, or somebody else, did it.
        if error.status != 404:
            raise
    return True


def _runs_have_ended(client: "Client", run: Any) -> bool:
    """Waits for the runs that a recurring run, disabled by now, has started; False if they take too long."""
    from pipeline.kubeflow.client import runs_under_way

    deadline = time.monotonic() + client.wait_seconds
    said = False
    while under_way := runs_under_way(client, run.recurring_run_id, run.experiment_id):
        if time.monotonic() >= deadline:
            return False
        if not said:
            names = ", ".join(found.display_name or found.run_id for found in under_way)
            print(f"waiting up to {client.wait_seconds:g} s for {names}, which deleting the schedule would kill")
            said = True
        time.sleep(min(POLL_SECONDS, client.wait_seconds))
    return True


def _orphaning(client: "Client", recurring_run_id: str) -> Any:
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


def _change(client: "Client", doing: str, run: Any, method: Callable[[str], Any]) -> None:
    from pipeline.kubeflow.client import asked

    asked(client, f"{doing} the recurring run {run.recurring_run_id}", lambda: method(run.recurring_run_id))
