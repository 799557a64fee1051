"""The details of a lineage's steps and artifacts that are shown to a person."""

from collections.abc import Iterator, Mapping
from typing import Any

from janus_core.kinds import KINDS
from pipeline.commands.lineage.version_lineage import Lineage, LineageArtifact, LineageStep
from pipeline.lineage.properties import flat, shown
from pipeline.report.wording import gate_line

Details = list[tuple[str, str]]

_HYPERPARAMETERS = ("model", "training")
_CODES_SHOWN, _DIGEST_SHOWN = 33, 16


def step_details(step: LineageStep, lineage: Lineage) -> Details:
    """A step's own: data and their split, hyperparameters, gates, code."""
    details: Details = []
    if step.node == "Trainer":
        details += _hyperparameters(step.settings.get("trainer", {}))
    elif step.node == "Evaluator":
        details += _evaluation(lineage)
    elif "data" in step.settings:
        details += [
            (key, shown(value)) for key, value in flat(step.settings["data"], "data").items() if value is not None
        ]
        details += [("seed", shown(step.settings["seed"]))] if "seed" in step.settings else []
    elif "schema_file" in step.settings:
        details.append(("schema_file", shown(step.settings["schema_file"])))
    elif step.node == "Transform":
        features = step.settings.get("preprocessing", {}).get("features", {})
        details += [("features", f"{len(features)}: {', '.join(features)}")] if features else []
    if step.code:
        details.append(("code", step.code[:_CODES_SHOWN]))
    return details


def artifact_details(artifact: LineageArtifact) -> Details:
    """An artifact's: span, rows and fingerprint of the data, digests, whether it was blessed, where it was pushed."""
    known = artifact.properties
    details: Details = []
    if "input_fingerprint" in known:
        details += [("span", shown(known.get("span"))), ("fingerprint", shown(known["input_fingerprint"]))]
    if isinstance(known.get("num_examples"), Mapping):
        details.append(("rows", ", ".join(f"{split} {count:,}" for split, count in known["num_examples"].items())))
    if "training_spans" in known:
        details.append(("trained on", ", ".join(f"span {part['span']}" for part in known["training_spans"])))
    for key, label in (("sha256", "sha256"), ("content_digest", "content digest")):
        if key in known:
            details.append((label, str(known[key])[:_DIGEST_SHOWN]))
    if "blessed" in known and isinstance(known["blessed"], int):
        details.append(("blessed", "yes" if known["blessed"] else "no"))
    if known.get("withdrawn"):
        details.append(("withdrawn", "yes"))
    names = {"run_id": "run", "pushed_version": "version", "pushed_destination": "pushed to"}
    return details + [(label, shown(known[key])) for key, label in names.items() if key in known]


def headline(lineage: Lineage) -> Iterator[str]:
    """Of each task `name metric value`."""
    for name, task in lineage.evaluation.items():
        metric = KINDS[task.kind].headline if task.kind in KINDS else ""
        value = task.metrics.get(metric)
        if value is not None:
            yield f"{name} {metric} {value:.4f}"


def _hyperparameters(trainer: Mapping[str, Any]) -> Details:
    details: Details = [("seed", shown(trainer["seed"]))] if "seed" in trainer else []
    for key in _HYPERPARAMETERS:
        values = flat(trainer.get(key, {}), key)
        details += [(name, shown(value)) for name, value in values.items() if value is not None]
    for name, task in trainer.get("tasks", {}).items():
        details.append((f"tasks.{name}", shown(task)))
    return details


def _evaluation(lineage: Lineage) -> Details:
    details: Details = []
    for name, task in lineage.evaluation.items():
        unit = f" ({task.unit})" if task.unit else ""
        values = ", ".join(f"{key} {'undefined' if v is None else f'{v:.4f}'}" for key, v in task.metrics.items())
        details.append((f"{name}{unit}", values or "no metrics"))
        details += [(f"{name} gate", f"{gate['metric']} {gate_line(gate).text}") for gate in task.gates]
    return details
