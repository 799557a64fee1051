"""The network beside the simple models of each task: in report.json, in words, and where it should be better."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from janus_core.kinds import reported_metric
from pipeline.report.analysis.analysis_json import BaselineAnalysis, TaskBaselines
from pipeline.report.analysis.slices import interval, interval_text
from pipeline.report.report_json import RunReport
from pipeline.report.wording import metric_label

NetworkIs = Literal["better", "worse", "level"]
_WORDS: dict[str, str] = {"better": "better than", "level": "level with", "worse": "worse than"}
_MODELS = {"linear": "a linear model", "boosting": "gradient boosting", "constant": "a constant"}
_ADVICE = {
    "constant": "it has learned nothing that shows here: look at the training's curves and at the features",
    "linear": "look at the training's curves, the learning rate and the scales of the features",
    "boosting": "one model of boosted trees per task would be better here: try more epochs or a larger network",
}


@dataclass(frozen=True)
class BaselineLine:
    """A row of a task's table of baselines, as text."""

    name: str
    metric: str
    value: str
    difference: str
    interval: str
    verdict: str
    fitted: str


def add_baselines(report: RunReport, baselines: Mapping[str, TaskBaselines]) -> None:
    """Adds each task's `baselines` to report.json, where there are any."""
    for name, of_task in baselines.items():
        task = report.tasks.get(name)
        if task is not None and of_task.models:
            task["baselines"] = {
                baseline: _compared(task, of_task, model) for baseline, model in of_task.models.items()
            }


def baseline_warnings(report: RunReport) -> Iterator[str]:
    """A sentence for each baseline that is missing, and for each that is better than the network beyond chance."""
    for name, task in report.tasks.items():
        for baseline, one in task.get("baselines", {}).items():
            metric, value = one["metric"], task.get("metrics", {}).get(one["metric"])
            if one["problem"]:
                yield f"task {name}: there is no {baseline} baseline: {one['problem']}"
            elif one["network_is"] == "worse" and value is not None:
                yield (
                    f"task {name}: the network is worse than {_MODELS[baseline]}, {metric} {value:.4g} against "
                    f"{one['value']:.4g} (difference {interval_text(one['low'], one['high'])}): {_ADVICE[baseline]}"
                )


def baseline_lines(report: RunReport) -> Iterator[str]:
    """`delay mae 21.29 beside constant 23.35, linear 21.53: the network is better than constant, linear`."""
    for name, task in report.tasks.items():
        baselines = task.get("baselines", {})
        metric = next((one["metric"] for one in baselines.values()), "")
        value = task.get("metrics", {}).get(metric)
        if value is not None:
            values = ", ".join(f"{baseline} {_number(one['value'])}" for baseline, one in baselines.items())
            verdict = _verdict(baselines)
            yield f"{name} {metric} {value:.4f} beside {values}{': the network is ' + verdict if verdict else ''}"


def baseline_table(task: Mapping[str, Any]) -> list[BaselineLine]:
    """A row for each baseline of a task in report.json."""
    return [
        BaselineLine(
            name=name,
            metric=metric_label(one["metric"], task),
            value=_number(one["value"]),
            difference="–" if one["difference"] is None else f"{one['difference']:+.3g}",
            interval=interval_text(one["low"], one["high"]),
            verdict=one["problem"] or ("–" if one["network_is"] is None else f"the network is {one['network_is']}"),
            fitted=f"{one['rows']:,} rows, {one['seconds']:.1f} s" if not one["problem"] else "–",
        )
        for name, one in task.get("baselines", {}).items()
    ]


def _compared(task: Mapping[str, Any], of_task: TaskBaselines, model: BaselineAnalysis) -> dict[str, Any]:
    """A baseline of a task: its metrics, and the difference of the network's to the compared one."""
    value, network = model.metrics.get(of_task.metric), task.get("metrics", {}).get(of_task.metric)
    difference = None if value is None or network is None else network - value
    rows = task.get("labelled", {}).get("eval", 0)
    low, high = interval(None, difference, model.error, of_task.sampled, rows)
    return {
        "metric": of_task.metric,
        "value": value,
        "difference": difference,
        "low": low,
        "high": high,
        "network_is": _network_is(task, of_task.metric, low, high),
        "metrics": model.metrics,
        "rows": model.rows,
        "seconds": model.seconds,
        "problem": model.problem,
    }


def _network_is(task: Mapping[str, Any], metric: str, low: float | None, high: float | None) -> NetworkIs | None:
    """By the interval of the network's metric less the baseline's; None without one."""
    known = reported_metric(task, metric)
    if low is None or high is None or known is None:
        return None
    if low <= 0 <= high:
        return "level"
    return "better" if (low > 0) == (known.better == "high") else "worse"


def _verdict(baselines: Mapping[str, Mapping[str, Any]]) -> str:
    parts = []
    for state, words in _WORDS.items():
        names: Sequence[str] = [name for name, one in baselines.items() if one["network_is"] == state]
        parts += [f"{words} {', '.join(names)}"] if names else []
    return "; ".join(parts)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
