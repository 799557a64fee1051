"""How far each gated metric is from the best version that was ever served: small drops add up."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from components.pusher.state import history, origin, withdrawals
from janus_core.errors import ConfigError
from janus_core.kinds import reported_metric
from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.report.report_json import REPORT_FILE, RunReport, read_report

_CHANGES = ("max_drop", "max_rise")


def add_best_served(report: RunReport, config: JanusConfig, home: Home) -> None:
    """Adds to each task's `best_served` the best value of its gated metrics among the versions that runs pushed, and a
    warning where a metric is farther from it than a gate on its change allows in one run.

    Each value is the one that its own run measured, on its own evaluation rows. Versions that a rollback withdrew do
    not count.

    Args:
        report: with the metrics and gates of its tasks.
        config: the configuration, which names the folder of versions.
        home: the pipeline's, with the reports of earlier runs.
    """
    rollbacks = history(config.push.path)
    withdrawn = {str(origin(rollbacks, record.from_version)) for record in withdrawals(rollbacks).values()}
    earlier = list(_served(home, report.run_id, withdrawn))
    for name, task in report.tasks.items():
        gates = [gate for gate in task.get("gates", []) if not gate.get("slices") and not gate.get("gap")]
        gated = dict.fromkeys(gate["metric"] for gate in gates)
        found = {metric: best for metric in gated if (best := _best(name, task, metric, earlier)) is not None}
        if found:
            task["best_served"] = found
        report.warnings += [
            _warning(name, gate, found[gate["metric"]])
            for gate in gates
            if gate["metric"] in found
            and gate["rule"] in _CHANGES
            and found[gate["metric"]]["worse_by"] > gate["limit"]
        ]


def _served(home: Home, run_id: str, withdrawn: Collection[str]) -> Iterator[tuple[str, RunReport]]:
    """Version and report of each other run that pushed one; the first run of a version is its own."""
    found: dict[str, RunReport] = {}
    for other in home.run_ids():
        if other == run_id:
            continue
        try:
            report = read_report(home.run_folder(other) / REPORT_FILE)
        except ConfigError:
            # The run was killed, or its report is damaged.
            continue
        if report.pushed:
            found[report.pushed.rstrip("/").rpartition("/")[2]] = report
    return ((version, report) for version, report in found.items() if version not in withdrawn)


def _best(
    name: str, task: dict[str, Any], metric: str, earlier: Iterable[tuple[str, RunReport]]
) -> dict[str, Any] | None:
    known, levels, value = reported_metric(task, metric), task.get("quantiles") or [], task["metrics"].get(metric)
    now = None if known is None or value is None else known.badness(value, levels)
    if known is None or now is None:
        return None
    served = [
        (bad, version, before)
        for version, report in earlier
        if report.tasks.get(name, {}).get("kind") == task["kind"]
        and (before := report.tasks[name].get("metrics", {}).get(metric)) is not None
        and (bad := known.badness(before, levels)) is not None
    ]
    if not served:
        return None
    least, version, best = min(served, key=lambda item: item[0])
    return {"value": best, "version": version, "worse_by": now - least}


def _warning(name: str, gate: dict[str, Any], best: dict[str, Any]) -> str:
    value, worse, before = (f"{number:.4g}" for number in (gate["value"], best["worse_by"], best["value"]))
    return (
        f"task {name}: {gate['metric']} {value} is {worse} worse than {before} of version {best['version']}, the best "
        f"that was served; the gate {gate['rule']} {gate['limit']:g} allows no more in one run, and "
        "evaluation.reference compares with a fixed version"
    )
