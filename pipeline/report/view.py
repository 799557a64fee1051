"""A run's report as a person reads it on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from janus_core.errors import GateError, ServingError
from janus_core.kinds import reported_metric
from pipeline.report.report_json import RunReport

FIRST_SIGNAL = 128
"""Exit codes from here on are of runs that were interrupted."""

_SYMBOLS = {"min": "≥", "max": "≤", "max_drop": "drop ≤", "max_rise": "rise ≤"}


def report_view(report: RunReport) -> RenderableType:
    """Metrics by task, then what became of the model."""
    parts: list[RenderableType] = []
    if any(task.get("metrics") for task in report.tasks.values()):
        parts.append(metrics_table(report))
        parts += [Text(line) for line in mixture_lines(report)]
    parts += [Text(line) for line in serving_check_lines(report)]
    parts += [Text(f"! {warning}", style="yellow") for warning in report.warnings]
    parts.append(Text(outcome_line(report), style="bold"))
    if report.exit_code not in (0, GateError.exit_code, ServingError.exit_code):
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
                escape(metric_label(metric, task)),
                _number(value),
                _number(task.get("baseline", {}).get(metric)),
                "\n".join(_gate(gate) for gate in gates),
            )
            rows = ""
        table.add_section()
    return table


def mixture_lines(report: RunReport) -> list[str]:
    """Of a trunk that mixes experts: what each task takes from them, at the last level where there are several."""
    return [
        f"{name} is mixed from {_shares(task['gate_utilisation'])}"
        for name, task in report.tasks.items()
        if task.get("gate_utilisation")
    ]


def serving_check_lines(report: RunReport) -> list[str]:
    """How the exported model did in the serving check, if there was one that measured it."""
    check = report.serving_check
    sizes = check.get("latency", {}).get("serving_default", {})
    if not sizes:
        return []
    times = ", ".join(
        f"{rows} row{'' if rows == '1' else 's'} in {found['p50_ms']:.1f} ms (p99 {found['p99_ms']:.1f})"
        for rows, found in sizes.items()
    )
    verdict = "passed" if check["passed"] else "FAILED"
    return [f"serving check {verdict}: {times}; {check['size_mb']:.1f} MB, {check['peak_memory_mb']:.0f} MB in memory"]


def outcome_line(report: RunReport) -> str:
    """What became of the model."""
    if report.exit_code == 0 and report.pushed and report.all_cached():
        return f"nothing new to do: {report.pushed} is up to date"
    if report.pushed:
        return f"pushed to {report.pushed}"
    if report.exit_code in (0, GateError.exit_code, ServingError.exit_code) and report.problems:
        return "not pushed: " + "; ".join(report.problems)
    if report.exit_code >= FIRST_SIGNAL:
        return "not pushed: the run was interrupted"
    return f"not pushed: the run failed (exit code {report.exit_code})"


def metric_label(metric: str, task: dict[str, Any]) -> str:
    """`mae [minutes]`; of ordered classes `mae [classes]`; `coverage [0.8 wanted]`; `f1 [above 0.31]`."""
    known = reported_metric(task, metric)
    if known is None:
        return metric
    wanted = known.best(task.get("quantiles") or []) if known.better == "nominal" else None
    if wanted is not None:
        return f"{metric} [{wanted:.4g} wanted]"
    if known.reads == "decision" and task.get("decision"):
        return f"{metric} [above {task['decision']['threshold']:.4g}]"
    unit = known.unit_in(task.get("unit"))
    return f"{metric} [{unit}]" if unit else metric


def was_compared(gate: Mapping[str, Any]) -> bool:
    """False for a passed gate on the change since the baseline where there is no baseline yet."""
    return not (gate["passed"] and gate["rule"] in ("max_drop", "max_rise") and gate.get("baseline") is None)


def _shares(utilisation: dict[str, float]) -> str:
    """`expert_0 62 %, expert_1 38 %`."""
    levels = [name.rpartition("/")[0] for name in utilisation]
    last = levels[-1]
    return ", ".join(
        f"{name.rpartition('/')[2]} {share:.0%}".replace("%", " %")
        for (name, share), level in zip(utilisation.items(), levels, strict=True)
        if level == last
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _gate(gate: dict[str, Any]) -> str:
    text = f"{_SYMBOLS.get(gate['rule'], gate['rule'])} {gate['limit']:g}"
    if not gate["passed"]:
        return f"[red]✗ {text} FAILED[/red]"
    return f"[green]✓ {text} passed[/green]" if was_compared(gate) else f"– {text} (no baseline yet)"
