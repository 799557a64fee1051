"""What of a lineage's steps is worth a line to a person."""

from collections.abc import Iterator, Mapping
from typing import Any

from janus_core.kinds import KINDS
from pipeline.commands.lineage.version_lineage import Lineage, LineageArtifact, LineageStep
from pipeline.lineage.properties import flat, shown

Facts = list[tuple[str, str]]

_HYPERPARAMETERS = ("model", "training")
_CODES_SHOWN, _DIGEST_SHOWN = 33, 16


def facts_of(step: LineageStep, lineage: Lineage) -> Facts:
    """A step's own: data and their split, hyperparameters, gates, code."""
    found: Facts = []
    if step.node == "Trainer":
        found += _hyperparameters(step.settings.get("trainer", {}))
    elif step.node == "Evaluator":
        found += _evaluation(lineage)
    elif "data" in step.settings:
        found += [
            (key, shown(value)) for key, value in flat(step.settings["data"], "data").items() if value is not None
        ]
        found += [("seed", shown(step.settings["seed"]))] if "seed" in step.settings else []
    elif "schema_file" in step.settings:
        found.append(("schema_file", shown(step.settings["schema_file"])))
    elif step.node == "Transform":
        features = step.settings.get("preprocessing", {}).get("features", {})
        found += [("features", f"{len(features)}: {', '.join(features)}")] if features else []
    if step.code:
        found.append(("code", step.code[:_CODES_SHOWN]))
    return found


def facts_of_artifact(artifact: LineageArtifact) -> Facts:
    """An artifact's: span, rows and fingerprint of the data, digests, whether it was blessed, where it was pushed."""
    told = artifact.properties
    found: Facts = []
    if "input_fingerprint" in told:
        found += [("span", shown(told.get("span"))), ("fingerprint", shown(told["input_fingerprint"]))]
    if isinstance(told.get("num_examples"), Mapping):
        found.append(("rows", ", ".join(f"{split} {count:,}" for split, count in told["num_examples"].items())))
    if "training_spans" in told:
        found.append(("trained on", ", ".join(f"span {part['span']}" for part in told["training_spans"])))
    for key, label in (("sha256", "sha256"), ("content_digest", "content digest")):
        if key in told:
            found.append((label, str(told[key])[:_DIGEST_SHOWN]))
    if "blessed" in told and isinstance(told["blessed"], int):
        found.append(("blessed", "yes" if told["blessed"] else "no"))
    if told.get("withdrawn"):
        found.append(("withdrawn", "yes"))
    names = {"run_id": "run", "pushed_version": "version", "pushed_destination": "pushed to"}
    return found + [(label, shown(told[key])) for key, label in names.items() if key in told]


def headline(lineage: Lineage) -> Iterator[str]:
    """Of each task `name metric value`."""
    for name, task in lineage.evaluation.items():
        metric = KINDS[task.kind].headline if task.kind in KINDS else ""
        value = task.metrics.get(metric)
        if value is not None:
            yield f"{name} {metric} {value:.4f}"


def _hyperparameters(trainer: Mapping[str, Any]) -> Facts:
    found: Facts = [("seed", shown(trainer["seed"]))] if "seed" in trainer else []
    for key in _HYPERPARAMETERS:
        told = flat(trainer.get(key, {}), key)
        found += [(name, shown(value)) for name, value in told.items() if value is not None]
    for name, task in trainer.get("tasks", {}).items():
        found.append((f"tasks.{name}", shown(task)))
    return found


def _evaluation(lineage: Lineage) -> Facts:
    found: Facts = []
    for name, task in lineage.evaluation.items():
        unit = f" ({task.unit})" if task.unit else ""
        values = ", ".join(f"{key} {'undefined' if v is None else f'{v:.4f}'}" for key, v in task.metrics.items())
        found.append((f"{name}{unit}", values or "no metrics"))
        found += [(f"{name} gate", _gate(gate)) for gate in task.gates]
    return found


def _gate(gate: Mapping[str, Any]) -> str:
    return f"{gate['metric']} {gate['rule']} {gate['limit']:g} {'passed' if gate['passed'] else 'FAILED'}"
