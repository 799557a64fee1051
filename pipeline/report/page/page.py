"""Renders the page: without scripts or network, and in colours that follow the reader's theme."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from markupsafe import Markup

from janus_core.kinds import headline_of
from pipeline.config import JanusConfig
from pipeline.report.analysis.analysis_json import Analysis, TaskAnalysis
from pipeline.report.analysis.slices import SliceValue, slice_values, worst_slices
from pipeline.report.baselines import BaselineLine, baseline_table
from pipeline.report.jinja import template
from pipeline.report.model_card import ModelCard
from pipeline.report.page.graph import graph_of
from pipeline.report.page.plots import Plot, baselines_plot, importance_plot, slices_plot, task_plots, training_plots
from pipeline.report.page.svg import draw, without_control_characters
from pipeline.report.report_json import RunReport
from pipeline.report.wording import (
    MetricLine,
    data_gates_line,
    did_fail,
    metric_lines,
    mixture_lines,
    outcome_line,
    serving_check_lines,
)


@dataclass(frozen=True)
class TaskPart:
    """A task as the page shows it."""

    key: str
    name: str
    kind: str
    labelled: Mapping[str, int]
    metrics: Sequence[MetricLine]
    baselines: Sequence[BaselineLine]
    plots: Sequence[Plot]
    notes: Sequence[str]
    sampled: int
    worst: Sequence[tuple[str, SliceValue]] = field(default_factory=list)


def render(
    report: RunReport,
    config: JanusConfig,
    analysis: Analysis,
    card: ModelCard,
    drawn: MutableMapping[str, str] | None = None,
) -> str:
    """The page of a run, also of one that failed or was interrupted. The same arguments give the same page.

    `drawn` are plots by their keys, which are taken as they are; those that are missing are drawn and added. Where the
    run ended before it, the analysis is empty.
    """
    drawings = {} if drawn is None else drawn

    def svg(plot: Plot) -> Markup:
        if plot.key not in drawings:
            drawings[plot.key] = draw(plot.key, plot.paint, plot.height)
        return Markup(drawings[plot.key])

    training = training_plots(report.history, list(report.tasks)) if report.history else {}
    html = template("report.html").render(
        report=report,
        svg=svg,
        outcome=outcome_line(report),
        verdict="pushed" if report.pushed else "failed" if did_fail(report) else "kept",
        problems=report.problems,
        check_lines=serving_check_lines(report),
        data_gates_line=data_gates_line(report),
        tasks=[
            _task(place, name, task, config, analysis.tasks.get(name), training.get(name, []))
            for place, (name, task) in enumerate(report.tasks.items())
            if task.get("metrics") or training.get(name)
        ],
        training=training.get("", []),
        mixtures=mixture_lines(report),
        analysis=analysis,
        sampled_rows=config.report.sample,
        columns=sorted(analysis.columns, key=lambda column: -(column.distance or 0.0)),
        graph=graph_of(report.components, analysis.lineage),
        slowest=max((c.seconds for c in report.components.values()), default=0.0) or 1.0,
        card=card,
        config=yaml.safe_dump(
            config.model_dump(mode="json", by_alias=True, exclude_defaults=True), sort_keys=False, allow_unicode=True
        ),
    )
    # Names and values come from the data: HTML parsers drop such characters, and UTF-8 has no lone surrogates.
    return without_control_characters(html)


def _task(
    place: int,
    name: str,
    task: Mapping[str, Any],
    config: JanusConfig,
    analysis: TaskAnalysis | None,
    training: Sequence[Plot],
) -> TaskPart:
    plots, key = list(training), f"k{place}"
    if any(one["value"] is not None for one in task.get("baselines", {}).values()):
        plots.append(baselines_plot(f"{key}-base", task["metrics"], task["baselines"]))
    if analysis is not None:
        plots += task_plots(key, name, task, analysis)
    worst = []
    for metric in _sliced_metrics(config, name):
        by_columns = slice_values(metric, task, analysis, config.evaluation.slices)
        for number_of, (columns, slices) in enumerate(by_columns.items()):
            overall = task["metrics"].get(metric)
            plots.append(slices_plot(f"{key}-s-{metric}-{number_of}", columns, metric, overall, slices))
        worst += [(metric, one) for one in worst_slices(by_columns)]
    if analysis is not None and analysis.importance:
        metric, base = analysis.importance_metric, analysis.importance_base
        plots.append(importance_plot(f"{key}-imp", metric, base, analysis.importance))
    return TaskPart(
        key=key,
        name=name,
        kind=task.get("kind", ""),
        labelled=task.get("labelled", {}),
        metrics=list(metric_lines(task, analysis)),
        baselines=baseline_table(task),
        plots=plots,
        notes=task.get("notes", []),
        sampled=analysis.rows if analysis else 0,
        worst=worst,
    )


def _sliced_metrics(config: JanusConfig, name: str) -> list[str]:
    """The metrics that slices are shown by: the headline, and those with a gate."""
    if name not in config.tasks:
        return []
    return list(dict.fromkeys([headline_of(config.tasks[name]).name, *config.evaluation.gated(name)]))
