"""The model card (Mitchell et al. 2019): what a model is for, what it was made of, how good it is, its limits.

Generated from the run; what people write stands in `notes.md` in the pipeline's home, and is kept across runs.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from janus_core.kinds import headline_of, reported_metric
from pipeline.config import JanusConfig
from pipeline.report.analysis.analysis_json import Analysis
from pipeline.report.analysis.slices import SliceValue, interval, slice_values, worst_slices
from pipeline.report.page.plots import number
from pipeline.report.report_json import RunReport
from pipeline.report.view import metric_label, outcome_line, was_compared
from trainer.config import classes_of, column_of

NOTES_FILE = "notes.md"
SECTIONS = ("Intended use", "Limits", "Notes")
NOTES = """\
# Notes for the model card

What stands below the headings goes into every run's model card and report. This file is never overwritten.

## Intended use

## Limits

## Notes
"""
WORST = 5


@dataclass(frozen=True)
class CardMetric:
    """One metric of one task, as text."""

    name: str
    value: str
    interval: str
    baseline: str
    gates: str


@dataclass(frozen=True)
class CardTask:
    """A task, as the card tells it."""

    name: str
    summary: str
    metrics: Sequence[CardMetric]
    slices: Sequence[str]


@dataclass(frozen=True)
class ModelCard:
    """The card's sections; `notes` has what people wrote, by section."""

    name: str
    version: str
    outcome: str
    use: Sequence[str]
    data: Sequence[str]
    tasks: Sequence[CardTask]
    limits: Sequence[str]
    notes: dict[str, str]


def read_notes(path: Path) -> dict[str, str]:
    """Section → what people wrote in it; the file is made, with empty sections, where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(NOTES, encoding="utf-8")
    return notes_of(path.read_text(encoding="utf-8", errors="replace"))


def notes_of(text: str) -> dict[str, str]:
    """Section → its text. What stands under another heading of the second level is of the section `Notes`."""
    notes = dict.fromkeys(SECTIONS, "")
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        known = heading.strip() in SECTIONS
        section = heading.strip() if known else "Notes"
        added = body.strip() if known else f"{heading.strip()}\n\n{body.strip()}".strip()
        notes[section] = f"{notes[section]}\n\n{added}".strip()
    return notes


def model_card(report: RunReport, config: JanusConfig, analysis: Analysis, notes: dict[str, str]) -> ModelCard:
    """The card of a run's model.

    Args:
        report: report.json.
        config: what the run was started with.
        analysis: intervals, missing values, anomalies.
        notes: what people wrote, of `read_notes`.
    """
    return ModelCard(
        name=report.pipeline,
        version=Path(report.pushed).name if report.pushed else f"run {report.run_id}",
        outcome=outcome_line(report),
        use=_use(config),
        data=_data(report, config, analysis),
        tasks=[_task(name, report, config, analysis) for name in config.tasks if name in report.tasks],
        limits=_limits(report, config, analysis),
        notes={section: notes.get(section, "") for section in SECTIONS},
    )


def card_markdown(card: ModelCard) -> str:
    """The card as Markdown; text from the data is escaped."""
    environment = Environment(
        loader=PackageLoader("pipeline.report.page", "templates"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = escaped_markdown
    text = environment.get_template("model_card.md.j2").render(card=card)
    return text.encode("utf-8", "replace").decode("utf-8")


def escaped_markdown(text: str) -> str:
    """Text on one line in which nothing is a mark of Markdown or HTML."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|!~$])", r"\\\1", flat)


def _use(config: JanusConfig) -> list[str]:
    columns = _columns(config)
    tasks = ", ".join(f"{name} ({task.kind})" for name, task in config.tasks.items())
    return [
        f"Predicts {tasks} from one row of {len(columns)} columns: {', '.join(columns)}.",
        f"One network for all tasks: trunk {config.model.trunk.kind}, balancing {config.model.balancing.kind}.",
    ]


def _columns(config: JanusConfig) -> list[str]:
    return list(dict.fromkeys(column_of(name, feature) for name, feature in config.features.items()))


def _data(report: RunReport, config: JanusConfig, analysis: Analysis) -> list[str]:
    lines = [f"Read from {config.data.path}."]
    if report.examples:
        lines.append(", ".join(f"{split}: {rows:,} rows" for split, rows in report.examples.items()) + ".")
    if report.window:
        lines.append("Trained on the spans " + ", ".join(str(found["span"]) for found in report.window) + ".")
    columns = _columns(config)
    used = [column for column in analysis.columns if column.name in columns]
    missing = [(c.train.missing_share, c.name) for c in used if c.train and c.train.missing_share >= 0.05]
    if missing:
        told = ", ".join(f"{name} {100 * share:.0f} %" for share, name in sorted(missing, reverse=True)[:8])
        lines.append(f"Often missing in the training split: {told}.")
    drifted = sorted((c for c in used if c.distance), key=lambda c: -(c.distance or 0.0))[:3]
    if drifted:
        told = ", ".join(f"{c.name} ({c.measure} {c.distance:.3f})" for c in drifted)
        lines.append(f"Train and eval differ most in {told}.")
    if analysis.anomalies:
        lines.append(f"{len(analysis.anomalies)} anomalies against the schema; report.html lists them.")
    return lines


def _task(name: str, report: RunReport, config: JanusConfig, analysis: Analysis) -> CardTask:
    task, configured, found = report.tasks[name], config.tasks[name], analysis.tasks.get(name)
    labelled = ", ".join(f"{split} {rows:,}" for split, rows in task.get("labelled", {}).items())
    classes = classes_of(configured)
    summary = f"{configured.kind} of column {configured.label}"
    summary += f", classes {', '.join(classes)}" if classes else ""
    summary += f", in {task['unit']}" if task.get("unit") else ""
    decision = task.get("decision")
    if decision:
        summary += f"; {classes[1]} is decided above a probability of {decision['threshold']:.4g} ({decision['rule']})"
    summary += f"; labelled rows: {labelled}" if labelled else ""
    metrics = []
    for metric, value in task.get("metrics", {}).items():
        error = found.errors.get(metric) if found else None
        known, rows = reported_metric(task, metric), task["labelled"].get("eval", 0)
        low, high = interval(known, value, error, found.rows if found else 0, rows)
        gates = [gate for gate in task.get("gates", []) if gate["metric"] == metric]
        metrics.append(
            CardMetric(
                name=metric_label(metric, task),
                value=number(value),
                interval="–" if low is None or high is None else f"{low:.4g} – {high:.4g}",
                baseline=number(task.get("baseline", {}).get(metric)),
                gates="; ".join(_gate(gate) for gate in gates),
            )
        )
    slices = [_slice_line(metric, found) for metric, found in _worse(name, report, config, analysis)]
    return CardTask(name, f"{summary}.", metrics, slices)


def _gate(gate: Mapping[str, Any]) -> str:
    result = ("passed" if was_compared(gate) else "not compared, no baseline yet") if gate["passed"] else "FAILED"
    return f"{gate['rule']} {gate['limit']:g} {result}"


def _worse(name: str, report: RunReport, config: JanusConfig, analysis: Analysis) -> list[tuple[str, SliceValue]]:
    metric = headline_of(config.tasks[name]).name
    by_columns = slice_values(metric, report.tasks[name], analysis.tasks.get(name), config.evaluation.slices)
    return [(metric, found) for found in worst_slices(by_columns, WORST)]


def _slice_line(metric: str, found: SliceValue) -> str:
    return f"{found.name}: {metric} {number(found.value)} ({found.interval}), {found.rows:,} rows"


def _limits(report: RunReport, config: JanusConfig, analysis: Analysis) -> list[str]:
    lines = [f"Look at this: {warning}" for warning in report.warnings]
    for name in config.tasks:
        worse = _worse(name, report, config, analysis) if name in report.tasks else []
        if worse:
            lines.append(f"{name} is worse than overall in {', '.join(found.name for _, found in worse)}.")
        few = [found for found, rows in report.tasks.get(name, {}).get("slice_sizes", {}).items() if rows < 100]
        if few:
            lines.append(f"{name}: {len(few)} slices have fewer than 100 labelled rows and say little.")
        lines += [f"{name}: {note}." for note in report.tasks.get(name, {}).get("notes", [])]
    columns = _columns(config)
    unseen = [(c.unseen, c.name) for c in analysis.columns if c.unseen and c.name in columns]
    lines += [f"{100 * share:.2g} % of eval's values of {name} were never trained on." for share, name in unseen]
    lines.append("Rows unlike the training split were not evaluated: `janus skew` compares served rows with it.")
    return lines
