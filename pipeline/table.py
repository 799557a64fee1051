"""A run's report as a person reads it on a terminal."""

from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.report import RunReport
from trainer.errors import GateError

FIRST_SIGNAL = 128
"""Exit codes from here on are of runs that were interrupted."""

_SYMBOLS = {"min": "≥", "max": "≤", "max_drop": "drop ≤", "max_rise": "rise ≤"}
_IN_OWN_UNIT = frozenset({"mae", "rmse", "bias"})


def report_view(report: RunReport) -> RenderableType:
    """Metrics by task, then what became of the model."""
    parts: list[RenderableType] = []
    if any(task.get("metrics") for task in report.tasks.values()):
        parts.append(metrics_table(report))
    parts.append(Text(outcome_line(report), style="bold"))
    if report.exit_code not in (0, GateError.exit_code):
        parts += [Text(f"  {problem}") for problem in report.problems]
    return Group(*parts)


def metrics_table(report: RunReport) -> Table:
    """Task × metric × value × baseline × gate."""
    table = Table(title=f"{report.pipeline} {report.run_id}", title_justify="left", header_style="bold")
    for name in ("task", "metric", "value", "baseline", "gate"):
        table.add_column(name, justify="right" if name in ("value", "baseline") else "left")
    for name, task in report.tasks.items():
        labelled = task.get("labelled", {}).get("eval")
        rows = f"{name} ({labelled:,} labelled)" if labelled is not None else name
        for metric, value in task.get("metrics", {}).items():
            gates = [gate for gate in task.get("gates", []) if gate["metric"] == metric]
            table.add_row(
                escape(rows),
                _with_unit(metric, task.get("unit")),
                _number(value),
                _number(task.get("baseline", {}).get(metric)),
                "\n".join(_gate(gate) for gate in gates),
            )
            rows = ""
        table.add_section()
    return table


def outcome_line(report: RunReport) -> str:
    """What became of the model."""
    if report.exit_code == 0 and report.all_cached():
        return f"nothing new to do: {report.pushed} is up to date"
    if report.pushed:
        return f"pushed to {report.pushed}"
    if report.exit_code == GateError.exit_code:
        return "not pushed: " + "; ".join(report.problems)
    if report.exit_code >= FIRST_SIGNAL:
        return "not pushed: the run was interrupted"
    return f"not pushed: the run failed (exit code {report.exit_code})"


def _with_unit(metric: str, unit: str | None) -> str:
    return f"{metric} [{unit}]".replace("[", r"\[") if unit and metric in _IN_OWN_UNIT else metric


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _gate(gate: dict[str, Any]) -> str:
    text = f"{_SYMBOLS.get(gate['rule'], gate['rule'])} {gate['limit']:g}"
    if not gate["passed"]:
        return f"[red]✗ {text} FAILED[/red]"
    note = " (no baseline yet)" if gate["rule"].startswith("max_") and gate.get("baseline") is None else ""
    return f"[green]✓ {text} passed{note}[/green]"
