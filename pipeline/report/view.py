"""A run's report as a person reads it on a terminal."""

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.report.baselines import baseline_lines
from pipeline.report.report_json import RunReport
from pipeline.report.wording import (
    GateLine,
    change_text,
    data_gates_line,
    did_fail,
    gate_lines,
    metric_label,
    mixture_lines,
    outcome_line,
    serving_check_lines,
)


def report_view(report: RunReport) -> RenderableType:
    """Metrics by task, then what became of the model."""
    parts: list[RenderableType] = []
    if any(task.get("metrics") for task in report.tasks.values()):
        parts.append(metrics_table(report))
        if report.baseline_version:
            parts.append(Text(f"the baseline is the model of version {report.baseline_version}"))
        parts += [Text(line) for line in baseline_lines(report)]
        parts += [Text(line) for line in mixture_lines(report)]
    parts += [Text(line) for line in (data_gates_line(report), *serving_check_lines(report)) if line]
    parts += [Text(f"! {warning}", style="yellow") for warning in report.warnings]
    parts.append(Text(outcome_line(report), style="bold"))
    if did_fail(report):
        parts += [Text(f"  {problem}") for problem in report.problems]
    return Group(*parts)


def metrics_table(report: RunReport) -> Table:
    """Task × metric × value × baseline × change × gate; without the change where no noise of it is known."""
    table = Table(title=f"{report.pipeline} {report.run_id}", title_justify="left", header_style="bold")
    changed = any(task.get("changes") for task in report.tasks.values())
    for name in ("task", "metric", "value", "baseline", *(["change ± 95 %"] if changed else []), "gate"):
        table.add_column(name, justify="left" if name in ("task", "metric", "gate") else "right")
    for name, task in report.tasks.items():
        labelled = task.get("labelled", {}).get("eval")
        rows = f"{name} ({labelled:,} labelled)" if labelled is not None else name
        for metric, value in task.get("metrics", {}).items():
            before, noise = task.get("baseline", {}).get(metric), task.get("changes", {}).get(metric)
            table.add_row(
                escape(rows),
                escape(metric_label(metric, task)),
                decimals(value),
                decimals(before),
                *([change_text(value, before, noise) if noise else ""] if changed else []),
                Text("\n").join(_gate(gate) for gate in gate_lines(task, metric)),
            )
            rows = ""
        table.add_section()
    return table


def decimals(value: float | None) -> str:
    """Four decimals, so that a column of metrics is aligned; nothing where there is no value."""
    return "" if value is None else f"{value:.4f}"


def _gate(gate: GateLine) -> Text:
    return Text(f"{gate.mark} {gate.text}", style={"passed": "green", "failed": "red", "not compared": ""}[gate.state])
