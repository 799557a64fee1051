"""The model card (Mitchell et al. 2019): what a model is for, what it was made of, how good it is, its limits.

Generated from the run; what people write is in `notes.md` in the pipeline's home, and is kept across runs.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from janus_core.kinds import headline_of
from pipeline.config import JanusConfig
from pipeline.report.analysis.analysis_json import Analysis
from pipeline.report.analysis.slices import SliceValue, slice_values, worst_slices
from pipeline.report.baselines import BaselineLine, baseline_table
from pipeline.report.jinja import template
from pipeline.report.report_json import RunReport
from pipeline.report.wording import MetricLine, data_gates_line, metric_lines, number, outcome_line
from trainer.config import classes_of

CARD_FILE, NOTES_FILE = "model_card.md", "notes.md"
SECTIONS = ("Intended use", "Limits", "Notes")
NOTES = """\
# Notes for the model card

The text below each heading goes into the model card and the report of every run. This file is never overwritten.

## Intended use

## Limits

## Notes
"""


@dataclass(frozen=True)
class CardTask:
    """A task as the card describes it."""

    name: str
    summary: str
    metrics: Sequence[MetricLine]
    baselines: Sequence[BaselineLine]
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
    """Section → its text. Text under any other heading of the second level belongs to the section `Notes`."""
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
    worst = {name: _worst(name, report, config, analysis) for name in config.tasks if name in report.tasks}
    return ModelCard(
        name=report.pipeline,
        version=Path(report.pushed).name if report.pushed else f"run {report.run_id}",
        outcome=outcome_line(report),
        use=_use(config),
        data=_data(report, config, analysis),
        tasks=[_task(name, report, config, analysis, slices) for name, slices in worst.items()],
        limits=_limits(report, config, analysis, worst),
        notes={section: notes.get(section, "") for section in SECTIONS},
    )


def card_markdown(card: ModelCard) -> str:
    """The card as Markdown; text from the data is escaped."""
    text = template("model_card.md.j2").render(card=card)
    return text.encode("utf-8", "replace").decode("utf-8")


def _use(config: JanusConfig) -> list[str]:
    columns = config.feature_columns()
    tasks = ", ".join(f"{name} ({task.kind})" for name, task in config.tasks.items())
    return [
        f"Predicts {tasks} from one row of {len(columns)} columns: {', '.join(columns)}.",
        f"{_networks(config.model.members)} for all tasks: trunk {config.model.trunk.kind}, "
        f"balancing {config.model.balancing.kind}.",
    ]


def _networks(members: int) -> str:
    return "One network" if members == 1 else f"The average of {members} networks"


def _data(report: RunReport, config: JanusConfig, analysis: Analysis) -> list[str]:
    lines = [f"Read from {config.data.path}."]
    if report.examples:
        lines.append(", ".join(f"{split}: {rows:,} rows" for split, rows in report.examples.items()) + ".")
    if report.window:
        lines.append("Trained on the spans " + ", ".join(str(part["span"]) for part in report.window) + ".")
    columns = config.feature_columns()
    used = [column for column in analysis.columns if column.name in columns]
    missing = [(c.train.missing_share, c.name) for c in used if c.train and c.train.missing_share >= 0.05]
    if missing:
        shares = ", ".join(f"{name} {100 * share:.0f} %" for share, name in sorted(missing, reverse=True)[:8])
        lines.append(f"Often missing in the training split: {shares}.")
    labels = {task.label for task in config.tasks.values()}
    compared = [column for column in analysis.columns if column.name in {*columns, *labels}]
    drifted = sorted((c for c in compared if c.distance), key=lambda c: -(c.distance or 0.0))[:3]
    if drifted:
        named = {c.name: f"the label {c.name}" if c.name in labels else c.name for c in drifted}
        distances = ", ".join(f"{named[c.name]} ({c.measure} {c.distance:.3f})" for c in drifted)
        lines.append(f"Train and eval differ most in {distances}.")
    if report.data_gates:
        lines.append(f"{data_gates_line(report).capitalize()}.")
    if analysis.anomalies:
        lines.append(f"{len(analysis.anomalies)} anomalies against the schema; report.html lists them.")
    return lines


def _task(
    name: str, report: RunReport, config: JanusConfig, analysis: Analysis, worst: Sequence[SliceValue]
) -> CardTask:
    task, configured = report.tasks[name], config.tasks[name]
    labelled = ", ".join(f"{split} {rows:,}" for split, rows in task.get("labelled", {}).items())
    classes = classes_of(configured)
    summary = f"{configured.kind} of column {configured.label}"
    summary += f", classes {', '.join(classes)}" if classes else ""
    summary += f", in {task['unit']}" if task.get("unit") else ""
    summary += f"; loss: {configured.loss}"
    decision = task.get("decision")
    if decision:
        summary += f"; {classes[1]} is decided above a probability of {decision['threshold']:.4g} ({decision['rule']})"
    summary += f"; labelled rows: {labelled}" if labelled else ""
    slices = [
        f"{one.name}: {headline_of(configured).name} {number(one.value)} ({one.interval}), {one.rows:,} rows"
        for one in worst
    ]
    return CardTask(
        name, f"{summary}.", list(metric_lines(task, analysis.tasks.get(name))), baseline_table(task), slices
    )


def _worst(name: str, report: RunReport, config: JanusConfig, analysis: Analysis) -> list[SliceValue]:
    metric = headline_of(config.tasks[name]).name
    return worst_slices(slice_values(metric, report.tasks[name], analysis.tasks.get(name), config.evaluation.slices))


def _limits(
    report: RunReport, config: JanusConfig, analysis: Analysis, worst: Mapping[str, Sequence[SliceValue]]
) -> list[str]:
    lines = [f"Look at this: {warning}" for warning in report.warnings]
    for name, slices in worst.items():
        task = report.tasks[name]
        if slices:
            lines.append(f"{name} is worse than overall in {', '.join(one.name for one in slices)}.")
        few = sum(rows < 100 for rows in task.get("slice_sizes", {}).values())
        if few:
            lines.append(f"{name}: {few} slices have fewer than 100 labelled rows, too few to judge by.")
        lines += [f"{name}: {note}." for note in task.get("notes", [])]
    columns = config.feature_columns()
    unseen = [(c.unseen, c.name) for c in analysis.columns if c.unseen and c.name in columns]
    lines += [f"{100 * share:.2g} % of eval's values of {name} were never trained on." for share, name in unseen]
    lines.append("Rows unlike the training split were not evaluated: `janus skew` compares served rows with it.")
    return lines
