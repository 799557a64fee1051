"""How two runs differ: configuration, code, libraries, data statistics and metrics."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from janus_core.errors import ConfigError
from janus_core.kinds import reported_metric
from janus_core.metrics import Metric
from pipeline.home import METADATA_FILE, Home, has_database
from pipeline.lineage.properties import flat, settings_of_run
from pipeline.lineage.run_config import CONFIG_FILE, read_config
from pipeline.preflight import check_metadata
from pipeline.report.analysis.analysis_json import ANALYSIS_FILE, Analysis, Bar, ColumnAnalysis, ColumnSide
from pipeline.report.report_json import REPORT_FILE, RunReport, read_report

SPLITS: tuple[Literal["train", "eval"], ...] = ("train", "eval")

_STATISTICS = ("missing_share", "mean", "deviation", "least", "median", "greatest", "distinct")
_FINGERPRINT = "input_fingerprint"
SCHEMA_COPY = "schema (its copy, by content)"


class Change(BaseModel):
    """A value that differs between the runs; one that a run does not have is null, and `kind` says so."""

    key: str
    kind: Literal["changed", "added", "removed"]
    a: Any = None
    b: Any = None


class StatisticChange(BaseModel):
    """A column's statistic in a split."""

    column: str
    split: Literal["train", "eval"]
    statistic: str
    a: float | None
    b: float | None
    size: float = Field(
        description="How far it moved: shares by themselves, numbers in standard deviations of run A, counts by ratio."
    )


class MetricChange(BaseModel):
    """A task's metric; null where a run did not measure it."""

    task: str
    metric: str
    unit: str | None
    a: float | None
    b: float | None
    change: float | None = Field(description="b - a.")
    better: bool | None = Field(description="Whether B is better; null where neither is, or the metric has no better.")


class Difference(BaseModel):
    """How two runs differ; what is equal is left out, except metrics."""

    a: str
    b: str
    config: list[Change]
    code: list[Change]
    stack: list[Change]
    data: list[Change] = Field(description="Span, fingerprint of the files, rows.")
    columns: list[Change] = Field(description="Columns that one run alone has, or whose type differs.")
    statistics: list[StatisticChange] = Field(description="The largest changes first.")
    metrics: list[MetricChange]
    notes: list[str] = Field([], description="What could not be compared.")


@dataclass(frozen=True)
class RunFolder:
    """A run's report and folder; the folder is in the home of its pipeline."""

    report: RunReport
    folder: Path

    @property
    def metadata(self) -> Path:
        """The home's database of ML Metadata."""
        return self.folder.parent / METADATA_FILE


@dataclass(frozen=True)
class _Recorded:
    """What ML Metadata has of a run."""

    code: dict[str, str] = field(default_factory=dict)
    schema: str | None = None
    statistics_uri: str | None = None
    fingerprint: str | None = None


def find_runs(home: Home, a: str | None, b: str | None) -> tuple[RunFolder, RunFolder]:
    """Finds the two runs, each named by its id, or by the path of its report.json or folder.

    Without `b`, the newest other run is compared with `a`; without both, the newest with the one before.

    Raises:
        ConfigError: there is no such run, or it has no report.
    """
    reported = [run_id for run_id in home.run_ids() if (home.run_folder(run_id) / REPORT_FILE).exists()]
    if a is None:
        if len(reported) < 2:
            raise ConfigError(
                f"pipeline '{home.name}' has {len(reported)} run(s) with a report, and two are needed: run it again, "
                "or name the paths of two report.json"
            )
        b, a = reported[:2]
    first = _run(home, a)
    if b is None:
        others = [run_id for run_id in reported if run_id != first.report.run_id]
        if not others:
            raise ConfigError(f"pipeline '{home.name}' has no other run to compare {first.report.run_id} with")
        b = others[0]
    return first, _run(home, b)


def compare_runs(a: RunFolder, b: RunFolder) -> Difference:
    """Compares B with A.

    Raises:
        JanusError: the metadata database or a configuration cannot be read.
    """
    notes: list[str] = []
    recorded = [_recorded(run, notes) for run in (a, b)]
    configs = [read_config(run.folder) for run in (a, b)]
    config = _config_changes(configs, recorded, notes)
    columns = [_columns(*known, notes) for known in zip((a, b), configs, recorded, strict=True)]
    if not all(columns):
        columns = [{}, {}]
    return Difference(
        a=a.report.run_id,
        b=b.report.run_id,
        config=config,
        code=changes(recorded[0].code, recorded[1].code),
        stack=changes({"janus": a.report.janus, **a.report.stack}, {"janus": b.report.janus, **b.report.stack}),
        data=changes(_data(a.report, recorded[0]), _data(b.report, recorded[1])),
        columns=changes(*({name: column.type for name, column in side.items()} for side in columns)),
        statistics=sorted(_statistic_changes(*columns), key=lambda change: -change.size),
        metrics=list(_metric_changes(a.report, b.report)),
        notes=notes,
    )


def changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Change]:
    """The keys whose values differ, in the order of A and then of B."""
    return [
        Change(
            key=key, kind="added" if key not in a else "changed" if key in b else "removed", a=a.get(key), b=b.get(key)
        )
        for key in dict.fromkeys([*a, *b])
        if key not in a or key not in b or a[key] != b[key]
    ]


def _run(home: Home, text: str) -> RunFolder:
    path = Path(text)
    if path.name != REPORT_FILE:
        path = (path if len(path.parts) > 1 else home.run_folder(text)) / REPORT_FILE
    # `latest` is a link beside the runs.
    folder = path.parent.resolve() if path.parent.is_symlink() else path.parent
    return RunFolder(read_report(path), folder)


def _recorded(run: RunFolder, notes: list[str]) -> _Recorded:
    if not has_database(run.metadata):
        notes.append(f"there is no metadata database {run.metadata}: the code of run {run.report.run_id} is unknown")
        return _Recorded()
    check_metadata(run.metadata)
    from pipeline.lineage.store import executions_of_run, open_store, output_of

    store = open_store(run.metadata)
    executions = executions_of_run(store, run.report.run_id)
    if not executions:
        notes.append(f"{run.metadata} has no executions of run {run.report.run_id}")
    statistics = output_of(executions, "StatisticsGen", "statistics")
    examples = output_of(executions, "ExampleGen", "examples")
    fingerprint = examples.properties.get(_FINGERPRINT) if examples else None
    settings = settings_of_run(store, executions)
    return _Recorded(
        code={node: code for node, (_, code) in settings.items() if code},
        schema=next(
            (parameters["schema_file"] for parameters, _ in settings.values() if "schema_file" in parameters), None
        ),
        statistics_uri=statistics.uri if statistics else None,
        fingerprint=None if fingerprint is None else str(fingerprint),
    )


def _config_changes(
    configs: Sequence[Mapping[str, Any] | None], recorded: Sequence[_Recorded], notes: list[str]
) -> list[Change]:
    if any(config is None for config in configs):
        notes.append(f"the configurations cannot be compared: a run has no {CONFIG_FILE}")
        return []
    sides = [flat(config) for config in configs]
    # The configuration has the schema's path alone; its copy's folder is named by the content.
    if all(known.schema for known in recorded):
        sides = [{**side, SCHEMA_COPY: known.schema} for side, known in zip(sides, recorded, strict=True)]
    return changes(*sides)


def _columns(
    run: RunFolder, config: Mapping[str, Any] | None, recorded: _Recorded, notes: list[str]
) -> dict[str, ColumnAnalysis]:
    """By name: as the run's analysis has them, else from StatisticsGen's artifact."""
    path = run.folder / ANALYSIS_FILE
    columns: list[ColumnAnalysis] = []
    if path.exists():
        try:
            columns = Analysis.model_validate_json(path.read_text(encoding="utf-8")).columns
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            notes.append(f"{path} cannot be read: {error}")
    if not columns and recorded.statistics_uri:
        from pipeline.report.analysis.columns import columns_of

        try:
            features = (config or {}).get("features", {}).items()
            sensitive = [given.get("column") or name for name, given in features if given.get("sensitive")]
            columns = columns_of(recorded.statistics_uri, None, sensitive=sensitive)
        except OSError as error:
            notes.append(f"the data statistics of run {run.report.run_id} are gone: {error}")
            return {}
    if not columns:
        notes.append(f"run {run.report.run_id} has no data statistics to compare")
    return {column.name: column for column in columns}


def _data(report: RunReport, recorded: _Recorded) -> dict[str, Any]:
    data: dict[str, Any] = {"span": report.span} if report.span is not None else {}
    data |= {"fingerprint": recorded.fingerprint} if recorded.fingerprint else {}
    data |= {f"rows.{split}": count for split, count in report.examples.items()}
    for name, task in report.tasks.items():
        data |= {f"labelled.{name}.{split}": count for split, count in task.get("labelled", {}).items()}
    return data


def _statistic_changes(a: Mapping[str, ColumnAnalysis], b: Mapping[str, ColumnAnalysis]) -> Iterator[StatisticChange]:
    for name in (name for name in a if name in b):
        for split in SPLITS:
            before, after = getattr(a[name], split), getattr(b[name], split)
            if before is None or after is None:
                continue
            for statistic in _STATISTICS:
                values = getattr(before, statistic), getattr(after, statistic)
                if values[0] != values[1]:
                    yield StatisticChange(
                        column=name,
                        split=split,
                        statistic=statistic,
                        a=values[0],
                        b=values[1],
                        size=_size(statistic, *values, before),
                    )
            if before.mean is None and after.mean is None:
                yield from _share_changes(name, split, a[name].bars, b[name].bars)


def _share_changes(
    column: str, split: Literal["train", "eval"], a: list[Bar], b: list[Bar]
) -> Iterator[StatisticChange]:
    """Of a text column, the value among the most frequent of both runs whose share moved most."""
    shares = [{bar.label: float(getattr(bar, split)) for bar in bars} for bars in (a, b)]
    moved = {label: abs(shares[1][label] - shares[0][label]) for label in shares[0] if label in shares[1]}
    label = max(moved, key=lambda name: moved[name], default="")
    if moved.get(label, 0.0) > 0:
        yield StatisticChange(
            column=column,
            split=split,
            statistic=f"share of {label}",
            a=shares[0][label],
            b=shares[1][label],
            size=moved[label],
        )


def _size(statistic: str, a: float | None, b: float | None, before: ColumnSide) -> float:
    if a is None or b is None:
        return 1.0
    moved = abs(b - a)
    if statistic == "missing_share":
        return moved
    if statistic == "distinct":
        return abs(math.log(b / a)) if a > 0 and b > 0 else 1.0
    # A column that was constant has no deviation to measure by.
    return moved / before.deviation if before.deviation else moved / max(abs(a), abs(b))


def _metric_changes(a: RunReport, b: RunReport) -> Iterator[MetricChange]:
    for name in dict.fromkeys([*a.tasks, *b.tasks]):
        sides = a.tasks.get(name, {}), b.tasks.get(name, {})
        values = [side.get("metrics", {}) for side in sides]
        for metric in dict.fromkeys([*values[0], *values[1]]):
            before, after = values[0].get(metric), values[1].get(metric)
            known = reported_metric(sides[1], metric) or reported_metric(sides[0], metric)
            change = after - before if before is not None and after is not None else None
            yield MetricChange(
                task=name,
                metric=metric,
                unit=known.unit_in(sides[1].get("unit") or sides[0].get("unit")) if known else None,
                a=before,
                b=after,
                change=change,
                better=_better(known, before, after, *(side.get("quantiles") or [] for side in sides)),
            )


def _better(
    metric: Metric | None, a: float | None, b: float | None, levels_a: Sequence[float], levels_b: Sequence[float]
) -> bool | None:
    if metric is None or a is None or b is None:
        return None
    before, after = metric.badness(a, levels_a), metric.badness(b, levels_b)
    return None if before is None or after is None or before == after else after < before
