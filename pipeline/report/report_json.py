"""report.json: what a run did, for machines and for `janus report`."""

import importlib.metadata
import json
import math
import platform
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from janus_core.errors import ConfigError
from janus_core.files import write_text
from janus_core.kinds import reported_headline
from pipeline.home import Home

REPORT_FILE = "report.json"
DISTRIBUTION = "janus-mtl"
RESOLVER = "Resolver"
"""The suffix of the names of the pipeline's Resolvers."""
STACK = ("tfx", "tensorflow", "keras")


class ComponentReport(BaseModel):
    """One component of a run."""

    seconds: float
    cached: bool
    state: str


class RunReport(BaseModel):
    """Everything that is known of a run, also of one that failed or was interrupted."""

    model_config = ConfigDict(extra="allow")

    janus: str
    pipeline: str
    run_id: str
    seconds: float
    stack: dict[str, str]
    components: dict[str, ComponentReport] = {}
    examples: dict[str, int] = {}
    span: int | None = None
    window: list[dict[str, int]] = []
    data_gates: list[dict[str, Any]] = []
    tasks: dict[str, dict[str, Any]] = {}
    baseline_version: int | None = None
    history: list[dict[str, float | None]] = []
    serving_check: dict[str, Any] = {}
    blessed: bool = False
    pushed: str | None = None
    exit_code: int = 0
    problems: list[str] = []
    warnings: list[str] = []
    peak_memory_mb: float = 0.0

    def all_cached(self) -> bool:
        """Whether there was nothing new to do, so that all results came from the cache."""
        # TFX runs a Resolver each time; the components that read its choice are cached if it chose the same as before.
        worked = [name for name, component in self.components.items() if not component.cached]
        return bool(self.components) and all(name.endswith(RESOLVER) for name in worked)


class Headline(BaseModel):
    """A task's first metric."""

    metric: str
    value: float | None
    unit: str | None = None


def headlines(report: RunReport) -> dict[str, Headline]:
    """Task → the metric to look at first, of those tasks that were evaluated."""
    by_task = {}
    for name, task in report.tasks.items():
        metric, values = reported_headline(task), task.get("metrics", {})
        if metric and metric.name in values:
            unit = metric.unit_in(task.get("unit"))
            by_task[name] = Headline(metric=metric.name, value=values[metric.name], unit=unit)
    return by_task


def finite(value: float | None) -> float | None:
    """A number as JSON can hold it: None where it is NaN or infinite."""
    return float(value) if value is not None and math.isfinite(value) else None


def janus_version() -> str:
    """The installed version; `unknown` where the source tree is used without being installed."""
    return _version(DISTRIBUTION)


def stack_versions() -> dict[str, str]:
    """Versions of Python and the libraries that results depend on."""
    return {"python": platform.python_version(), **{name: _version(name) for name in STACK}}


def new_report(pipeline: str, run_id: str) -> RunReport:
    """The report of a run that has just begun, by the installed versions."""
    return RunReport(janus=janus_version(), pipeline=pipeline, run_id=run_id, seconds=0.0, stack=stack_versions())


def write_report(report: RunReport, folder: Path) -> Path:
    """Writes report.json, whole or not at all."""
    return write_text(folder / REPORT_FILE, json.dumps(report.model_dump(), indent=2, allow_nan=False) + "\n")


def read_latest(home: Home) -> RunReport:
    """The newest run's report.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    path = home.latest / REPORT_FILE
    if not path.exists():
        raise ConfigError(f"pipeline '{home.name}' has no report yet: start it with `janus run CONFIG`")
    return read_report(path)


def read_report(path: Path) -> RunReport:
    """A run's report.

    Raises:
        ConfigError: it is missing or cannot be read.
    """
    try:
        return RunReport.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no {path}: `janus runs CONFIG` lists the runs") from None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        remedy = "`janus report CONFIG --rebuild` makes the newest one again"
        raise ConfigError(f"{path} cannot be read: {error}; {remedy}") from error


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
