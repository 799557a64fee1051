"""`janus kubeflow status`: the schedule and the newest runs, with the steps that failed."""

import json
import logging
import re
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from pydantic import BaseModel, Field
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline.commands.kubeflow.schedule import recurring_runs_of
from pipeline.commands.output import print_result
from pipeline.config import JanusConfig
from pipeline.kubeflow.access import Access
from pipeline.kubeflow.bundle import required
from pipeline.kubeflow.client import Client, ask, connect, find_experiment, find_pipelines, listed, newest_runs
from pipeline.kubeflow.submission import pipeline_name

RUNS = 10
FAILED = ("FAILED", "CANCELED")
GROUPS = {"root", "executor", "run", "entrypoint", "exit-handler-1"}
"""Argo's nodes around the steps, which fail when a step fails."""

LOG = logging.getLogger(__name__)
STYLES = {"SUCCEEDED": "green", "FAILED": "red", "CANCELED": "yellow", "CANCELING": "yellow", "RUNNING": "cyan"}
MOST_LISTED = 1000

_ARGO_NAME = re.compile(r"^(?P<task>.*?)(?P<driver>-driver)?(\(\d+\))?(\.onExit)?$")
"""Argo's names of the nodes of a task, of its driver, of each attempt, and of an exit handler."""


class StepFailure(BaseModel):
    """A step that failed, named as in the compiled pipeline, and the reason."""

    step: str
    message: str = ""


class RunState(BaseModel):
    """A run; times are the server's, UTC."""

    run_id: str
    name: str
    state: str
    version: str | None = None
    created: datetime | None = None
    finished: datetime | None = None
    by_schedule: bool = False
    message: str = ""
    failures: list[StepFailure] = []
    problems: list[str] = Field([], description="The problems in the run's own report.")


class ScheduleState(BaseModel):
    """A recurring run."""

    recurring_run_id: str
    enabled: bool
    cron: str | None = None
    version: str | None = None
    service_account: str | None = None
    max_concurrency: int | None = None
    no_catchup: bool = False
    parameters: dict[str, Any] = {}
    created: datetime | None = None


class PipelineState(BaseModel):
    """A pipeline in Kubeflow Pipelines: its recurring runs, of which there should be one at most, and newest runs."""

    pipeline: str
    uploaded: bool
    schedules: list[ScheduleState] = []
    runs: list[RunState] = []


def run_status_job(config: JanusConfig, access: Access, as_json: bool = False, count: int = RUNS) -> int:
    """Prints the schedule and the newest runs, and returns the exit code."""
    kubeflow, name = required(config), pipeline_name(config)
    state = read_state(connect(access, kubeflow.namespace), name, kubeflow.experiment, count)
    home = kubeflow.pipeline_root.rpartition("/")[0]
    for run in state.runs:
        if run.state in FAILED:
            run.problems = reported_problems(home, run.run_id)
    return print_result(state, as_json, state_view)


def read_state(client: Client, name: str, experiment: str, count: int = RUNS) -> PipelineState:
    """Reads the state with at most `count` runs."""
    pipelines = [pipeline.pipeline_id for pipeline in find_pipelines(client, name)]
    if not pipelines:
        return PipelineState(pipeline=name, uploaded=False)
    what = f"listing the versions of the pipeline '{name}'"
    method = client.pipelines.pipeline_service_list_pipeline_versions
    versions = {
        version.pipeline_version_id: version
        for pipeline_id in pipelines
        for version in listed(client, what, "pipeline_versions", partial(method, pipeline_id))
    }
    schedules = [_schedule_state(run, versions) for run in recurring_runs_of(client, name)]
    existing = find_experiment(client, experiment)
    runs = _newest_runs(client, existing.experiment_id, set(pipelines), count) if existing else []
    return PipelineState(
        pipeline=name, uploaded=True, schedules=schedules, runs=[_run_state(client, run, versions) for run in runs]
    )


def state_view(state: PipelineState) -> Group:
    """The state as a person reads it."""
    if not state.uploaded:
        return Group(Text(f"{state.pipeline}: not uploaded to this Kubeflow Pipelines yet"))
    parts: list[Any] = [_schedule_line(state.pipeline, schedule) for schedule in state.schedules]
    if not parts:
        parts.append(Text(f"{state.pipeline}: not scheduled"))
    if len(state.schedules) > 1:
        parts.append(Text("several schedules: `janus kubeflow schedule` leaves one", style="yellow"))
    if not state.runs:
        return Group(*parts, Text("no runs yet"))
    table = Table("run", "started (UTC)", "took", "by", "version", "state", box=None, pad_edge=False)
    for run in state.runs:
        table.add_row(
            run.name,
            f"{run.created:%Y-%m-%d %H:%M:%S}" if run.created else "",
            _duration(run),
            "schedule" if run.by_schedule else "hand",
            run.version or "deleted",
            Text(run.state, style=STYLES.get(run.state, "")),
        )
    failures = [
        Text(f"{run.name}: {failure.step} failed{': ' if failure.message else ''}{failure.message}", style="red")
        for run in state.runs
        for failure in run.failures or ([StepFailure(step="run", message=run.message)] if run.message else [])
    ]
    problems = [Text(f"{run.name}: {problem}", style="red") for run in state.runs for problem in run.problems]
    silent = any(run.failures and not run.problems for run in state.runs)
    hint = [Text("The reason is shown at the step in Kubeflow's pages, and is in report.json.")] if silent else []
    return Group(*parts, table, *failures, *problems, *hint)


def reported_problems(home: str, run_id: str) -> list[str]:
    """The problems in the report of a run; none where this machine cannot read its home, a URL or mounted folder."""
    from pyarrow import ArrowException, fs

    try:
        filesystem, path = fs.FileSystem.from_uri(f"{home}/{run_id}/report.json")
        with filesystem.open_input_stream(path) as file:
            content = json.loads(file.read())
        return [str(problem) for problem in content["problems"] or []]
    except (OSError, ArrowException, ValueError, KeyError) as error:
        LOG.info("%s/%s/report.json was not read: %s", home, run_id, error)
        return []


def _schedule_line(pipeline: str, schedule: ScheduleState) -> Text:
    line = Text(f"{pipeline}: ")
    line.append("scheduled" if schedule.enabled else "schedule disabled", "green" if schedule.enabled else "yellow")
    line.append(f" '{schedule.cron}', version {schedule.version or 'deleted'}, as {schedule.service_account}")
    if schedule.parameters:
        line.append(", with " + ", ".join(f"{name}={value}" for name, value in schedule.parameters.items()))
    return line


def _duration(run: RunState) -> str:
    # The duration of an unfinished run would depend on this machine's clock.
    if run.created is None or run.finished is None or run.finished < run.created:
        return ""
    seconds = int((run.finished - run.created).total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _newest_runs(client: Client, experiment_id: str, pipelines: set[str], count: int) -> list[Any]:
    # The experiment may hold years of other pipelines' runs.
    ours = (
        run
        for run in islice(newest_runs(client, "listing the runs", experiment_id), MOST_LISTED)
        if run.pipeline_version_reference and run.pipeline_version_reference.pipeline_id in pipelines
    )
    return list(islice(ours, count))


def _run_state(client: Client, run: Any, versions: Mapping[str, Any]) -> RunState:
    failures: list[StepFailure] = []
    version = versions.get(run.pipeline_version_reference.pipeline_version_id)
    if run.state in FAILED:
        what = f"what failed in the run '{run.display_name}'"
        whole = ask(client, what, lambda: client.runs.run_service_get_run(run.run_id))
        details = (whole.run_details.task_details if whole.run_details else None) or []
        failures = step_failures(details, compiled_steps(version.pipeline_spec) if version else set())
    return RunState(
        run_id=run.run_id,
        name=run.display_name or "",
        state=run.state or "PENDING",
        version=version.display_name if version else None,
        created=run.created_at,
        # KFP gives 1970 for what has not ended.
        finished=run.finished_at if run.finished_at and run.finished_at.year > 1970 else None,
        by_schedule=bool(run.recurring_run_id),
        message=(run.error.message or "") if run.error else "",
        failures=failures,
    )


def step_failures(tasks: Sequence[Any], steps: Set[str]) -> list[StepFailure]:
    """The failed steps of a run, in the order in which they ended.

    KFP's task details are the nodes of Argo's workflow (backend/src/apiserver/server/api_converter.go, toModelTasks):
    the steps, and also their drivers, their attempts and groups around them, all without messages. Without the names of
    the compiled steps, as if the version was deleted, the known groups are left out.
    """
    failures: dict[str, StepFailure] = {}
    for task in sorted(tasks, key=lambda task: str(task.end_time)):
        match = _ARGO_NAME.match(task.display_name or "")
        name = match["task"] if match else ""
        if task.state != "FAILED" or not (name in steps if steps else name and name not in GROUPS):
            continue
        # The step's own node fails with its driver, and has less information.
        message = "its driver failed, before the step began" if match and match["driver"] else ""
        if message or name not in failures:
            failures[name] = StepFailure(step=name, message=message)
    return list(failures.values())


def compiled_steps(spec: Any) -> set[str]:
    """The names of the tasks in a compiled pipeline that run a container."""
    content = spec or {}
    content = content.get("pipeline_spec", content)
    graphs = [content.get("root", {}), *content.get("components", {}).values()]
    tasks = [(name, task) for graph in graphs for name, task in graph.get("dag", {}).get("tasks", {}).items()]
    groups = {name for name, component in content.get("components", {}).items() if "dag" in component}
    return {name for name, task in tasks if task.get("componentRef", {}).get("name") not in groups}


def _schedule_state(run: Any, versions: Mapping[str, Any]) -> ScheduleState:
    version = versions.get(run.pipeline_version_reference.pipeline_version_id)
    cron = run.trigger.cron_schedule if run.trigger else None
    return ScheduleState(
        recurring_run_id=run.recurring_run_id,
        enabled=run.status == "ENABLED",
        cron=cron.cron if cron else None,
        version=version.display_name if version else None,
        service_account=run.service_account,
        max_concurrency=int(run.max_concurrency) if run.max_concurrency else None,
        no_catchup=bool(run.no_catchup),
        parameters=(run.runtime_config.parameters if run.runtime_config else None) or {},
        created=run.created_at,
    )
