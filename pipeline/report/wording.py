"""A run's results in words and numbers, as the terminal, report.html and the model card show them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from janus_core.errors import FIRST_SIGNAL, GateError, ServingError
from janus_core.kinds import reported_metric
from pipeline.report.analysis.analysis_json import TaskAnalysis
from pipeline.report.analysis.slices import Z, interval, interval_text
from pipeline.report.report_json import Headline, RunReport

GateState = Literal["passed", "failed", "not compared"]
GATE_MARKS: dict[GateState, str] = {"passed": "✓", "failed": "✗", "not compared": "–"}

_RULES = {"min": "≥", "max": "≤", "max_drop": "drop ≤", "max_rise": "rise ≤"}
_VERDICTS: dict[GateState, str] = {"passed": "passed", "failed": "FAILED", "not compared": "(no baseline yet)"}


@dataclass(frozen=True)
class GateLine:
    """A gate's limit and its result, such as `≥ 0.6 passed`."""

    text: str
    state: GateState

    @property
    def mark(self) -> str:
        """A sign for the state."""
        return GATE_MARKS[self.state]


@dataclass(frozen=True)
class MetricLine:
    """A row of a task's table of metrics, as text."""

    name: str
    value: str
    interval: str
    baseline: str
    change: str
    gates: tuple[GateLine, ...]


def outcome_line(report: RunReport) -> str:
    """What became of the model."""
    if report.exit_code == 0 and report.pushed and report.all_cached():
        return f"nothing new to do: {report.pushed} is up to date"
    if report.pushed:
        return f"pushed to {report.pushed}"
    if not did_fail(report) and report.problems:
        return "not pushed: " + "; ".join(report.problems)
    if report.exit_code >= FIRST_SIGNAL:
        return "not pushed: the run was interrupted"
    return f"not pushed: the run failed (exit code {report.exit_code})"


def did_fail(report: RunReport) -> bool:
    """Whether the run ended early: not by a gate or the serving check, which judge a finished model."""
    return report.exit_code not in (0, GateError.exit_code, ServingError.exit_code)


def metric_lines(task: Mapping[str, Any], analysis: TaskAnalysis | None) -> Iterator[MetricLine]:
    """A line for each metric of a task.

    Args:
        task: the task in report.json.
        analysis: its standard errors, if there are any.
    """
    rows = task.get("labelled", {}).get("eval", 0)
    for metric, value in task.get("metrics", {}).items():
        error = analysis.errors.get(metric) if analysis else None
        before = task.get("baseline", {}).get(metric)
        known, sampled = reported_metric(task, metric), analysis.rows if analysis else 0
        yield MetricLine(
            name=metric_label(metric, task),
            value=number(value),
            interval=interval_text(*interval(known, value, error, sampled, rows)),
            baseline=number(before),
            change=change_text(value, before, task.get("changes", {}).get(metric)),
            gates=tuple(gate_lines(task, metric)),
        )


def gate_lines(task: Mapping[str, Any], metric: str) -> Iterator[GateLine]:
    """The gates on one metric of a task; of one on its change also how far the best version that was served is."""
    worse = task.get("best_served", {}).get(metric, {}).get("worse_by", 0.0)
    for gate in task.get("gates", []):
        if gate["metric"] == metric:
            line = gate_line(gate)
            change = gate["rule"] in ("max_drop", "max_rise") and worse > 0
            yield replace(line, text=f"{line.text}; {worse:.3g} since the best served") if change else line


def gate_line(gate: Mapping[str, Any]) -> GateLine:
    """A gate of report.json. One on the change since the baseline is not compared where there is no baseline yet."""
    state: GateState = "passed" if gate["passed"] else "failed"
    if gate["passed"] and gate["rule"] in ("max_drop", "max_rise") and gate.get("baseline") is None:
        state = "not compared"
    sure = f" at {100 * gate['confidence']:g} %" if gate.get("confidence") else ""
    where = f" ({gate['slice']}: {number(gate['value'])})" if gate.get("slice") else ""
    rule = f"{_over(gate)}{_RULES.get(gate['rule'], gate['rule'])} {gate['limit']:g}{sure}"
    return GateLine(f"{rule} {_VERDICTS[state]}{where}", state)


def gate_name(gate: Mapping[str, Any]) -> str:
    """`auc min`, `auc min of each origin` or `auc max gap by origin`: what distinguishes the gates of a task."""
    over = f" of each {gate['slices']}" if gate.get("slices") else f" gap by {gate['gap']}" if gate.get("gap") else ""
    return f"{gate['metric']} {gate['rule']}{over}"


def _over(gate: Mapping[str, Any]) -> str:
    return f"each {gate['slices']} " if gate.get("slices") else f"gap by {gate['gap']} " if gate.get("gap") else ""


def failed_gate(gate: Mapping[str, Any]) -> str:
    """Why a gate failed: `mae 31.2 is above max 30`."""
    value, note = "undefined" if gate["value"] is None else f"{gate['value']:.6g}", gate.get("note")
    rule, limit, baseline = gate["rule"], f"{gate['limit']:g}", gate.get("baseline")
    if gate["value"] is None or (rule.startswith("max_") and baseline is None):
        return f"{gate['metric']}: {note or 'is undefined'} ({_over(gate)}{rule} {limit})"
    if gate.get("gap"):
        return f"{gate['metric']} differs by {value} between {gate['slice']}, more than the gap's max {limit}"
    if gate.get("slices"):
        side = "below" if rule == "min" else "above"
        others = f" ({note})" if note else ""
        return f"{gate['metric']} {value} of {gate['slice']} is {side} {rule} {limit} of each slice{others}"
    if rule in ("max_drop", "max_rise"):
        error, sure = gate.get("standard_error"), gate.get("confidence")
        noise = f" with {100 * sure:g} % confidence (standard error {error:.3g})" if sure and error is not None else ""
        change = f"{gate['metric']} {value} against {baseline:.6g} of the baseline"
        return f"{change} breaks {rule} {limit}{noise}{f' ({note})' if note else ''}"
    return f"{gate['metric']} {value} is {'below' if rule == 'min' else 'above'} {rule} {limit}"


def headline_text(task: str, headline: Headline) -> str:
    """`delay mae 21.2890 minutes`."""
    value = "undefined" if headline.value is None else f"{headline.value:.4f}"
    unit = f" {headline.unit}" if headline.unit else ""
    return f"{task} {headline.metric} {value}{unit}"


def metric_label(metric: str, task: Mapping[str, Any]) -> str:
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


def mixture_lines(report: RunReport) -> list[str]:
    """Of a trunk that mixes experts: what each task takes from them, at the last level where there are several."""
    return [
        f"{name} is mixed from {_shares(task['gate_utilisation'])}"
        for name, task in report.tasks.items()
        if task.get("gate_utilisation")
    ]


def data_warnings(report: RunReport) -> list[str]:
    """The data gates that are broken, in words; such a gate of level `error` would have ended the run."""
    return [gate["text"] for gate in report.data_gates if not gate["passed"]]


def data_gates_line(report: RunReport) -> str:
    """`data gates: 34 passed, 2 broken (missing of temp in eval, shared_rows)`; nothing where there are none."""
    broken = [
        gate["gate"]
        + (f" of {gate['of']}" if gate["of"] else "")
        + (f" in {gate['split']}" * (gate["split"] != "both"))
        for gate in report.data_gates
        if not gate["passed"]
    ]
    passed = sum(gate["passed"] and gate["value"] is not None for gate in report.data_gates)
    if not report.data_gates:
        return ""
    return f"data gates: {passed} passed, {len(broken)} broken" + (f" ({', '.join(broken)})" if broken else "")


def serving_check_lines(report: RunReport) -> list[str]:
    """How the exported model did in the serving check, if there was one that measured it."""
    check = report.serving_check
    sizes = check.get("latency", {}).get("serving_default", {})
    if not sizes:
        return []
    times = ", ".join(
        f"{rows} row{'' if rows == '1' else 's'} in {measured['p50_ms']:.1f} ms (p99 {measured['p99_ms']:.1f})"
        for rows, measured in sizes.items()
    )
    verdict = "passed" if check["passed"] else "FAILED"
    return [f"serving check {verdict}: {times}; {check['size_mb']:.1f} MB, {check['peak_memory_mb']:.0f} MB in memory"]


def number(value: float | None) -> str:
    """Four significant digits, large ones whole; a dash where there is no value."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"


def share(value: float | None) -> str:
    """A share in percent; a dash where there is no value."""
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if value >= 0.001 or value == 0 else f"{100 * value:.1g} %"


def change_text(value: float | None, before: float | None, noise: Mapping[str, float] | None) -> str:
    """`-0.012 ± 0.008`, half the 95 % interval; without noise the change alone, a dash where there is none."""
    if value is None or before is None:
        return "–"
    change = "0" if value == before else f"{value - before:+.3g}"
    return f"{change} ± {Z * noise['standard_error']:.2g}" if noise else change


def _shares(utilisation: dict[str, float]) -> str:
    """`expert_0 62 %, expert_1 38 %`."""
    last = list(utilisation)[-1].rpartition("/")[0]
    parts = [(name.rpartition("/"), part) for name, part in utilisation.items()]
    return ", ".join(f"{expert} {100 * part:.0f} %" for (level, _, expert), part in parts if level == last)
