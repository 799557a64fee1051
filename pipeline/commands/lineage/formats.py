"""A lineage as a tree for the terminal, and as a graph for Graphviz and Mermaid."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text
from rich.tree import Tree

from janus_core.kinds import KINDS
from pipeline.commands.lineage.version_lineage import Lineage, LineageArtifact, LineageStep
from pipeline.lineage.properties import flat, shown
from pipeline.report.wording import gate_line

Details = list[tuple[str, str]]
_LONGEST = 120
"""Characters of a line in a graph's node; the tree and JSON have the whole."""
_ENTITIES = str.maketrans({mark: f"#{ord(mark)};" for mark in '"#&<>;`\\|[]{}()'} | {"\r": " ", "\n": " "})


def lineage_tree(lineage: Lineage) -> Tree:
    """From the version through the push back to the data, the last step first."""
    tree = Tree(Text(f"version {lineage.version}  {lineage.path}", style="bold"))
    for copy in reversed(lineage.copies):
        reason = f": {copy.reason}" if copy.reason else ""
        tree.add(Text(f"copy of {copy.of}, by a rollback of {copy.user} at {copy.time}{reason}"))
    if lineage.copies:
        tree.add(Text(f"version {lineage.origin} was pushed:", style="bold"))
    for step in reversed(lineage.steps):
        _add_step(tree, step, lineage)
    for note in lineage.notes:
        tree.add(Text(note, style="yellow"))
    return tree


def lineage_dot(lineage: Lineage) -> str:
    """For Graphviz: `dot -Tsvg`."""
    lines = [
        f"digraph {_dot(f'version {lineage.version}')} {{",
        "  rankdir=LR;",
        '  node [fontname="Helvetica", fontsize=10];',
        '  edge [fontname="Helvetica", fontsize=9];',
    ]
    shapes = {"step": "box", "artifact": "ellipse", "version": "folder"}
    vertices, edges = _graph(lineage)
    lines += [f"  {vertex} [shape={shapes[kind]}, label={_dot(*texts)}];" for vertex, kind, texts in vertices]
    lines += [f"  {start} -> {end} [label={_dot(label)}];" for start, end, label in edges]
    return "\n".join([*lines, "}"]) + "\n"


def lineage_mermaid(lineage: Lineage) -> str:
    """For Mermaid, as in a Markdown file's ```mermaid block."""
    brackets = {"step": ("[", "]"), "artifact": ("([", "])"), "version": ("[[", "]]")}
    vertices, edges = _graph(lineage)
    lines = ["flowchart LR"]
    for vertex, kind, texts in vertices:
        left, right = brackets[kind]
        lines.append(f"  {vertex}{left}{_mermaid(*texts)}{right}")
    lines += [f"  {start} -->|{_mermaid(label)}| {end}" for start, end, label in edges]
    return "\n".join(lines) + "\n"


_Vertex = tuple[str, str, tuple[str, ...]]
"""Its id, its kind, and the lines in it."""
_Edge = tuple[str, str, str]
"""The ids of its ends, and its label."""


def _graph(lineage: Lineage) -> tuple[list[_Vertex], list[_Edge]]:
    vertices = [_step_vertex(step, lineage) for step in lineage.steps]
    for artifact in lineage.artifacts.values():
        details = (f"{key} {value}" for key, value in artifact_details(artifact))
        vertices.append((f"artifact{artifact.id}", "artifact", (f"{artifact.type} {artifact.id}", *details)))
    edges: list[_Edge] = []
    for step in lineage.steps:
        box = f"step{step.execution}"
        edges += [(f"artifact{i}", box, key) for key, ids in step.inputs.items() for i in ids]
        edges += [(box, f"artifact{i}", key) for key, ids in step.outputs.items() for i in ids]
    vertices.append((f"version{lineage.origin}", "version", (f"version {lineage.origin}",)))
    edges.append((f"artifact{lineage.pushed_model}", f"version{lineage.origin}", "pushed"))
    for copy in lineage.copies:
        vertices.append((f"version{copy.version}", "version", (f"version {copy.version}",)))
        edges.append((f"version{copy.of}", f"version{copy.version}", f"rollback {copy.time}"))
    return vertices, edges


def _step_vertex(step: LineageStep, lineage: Lineage) -> _Vertex:
    lines = [step.node, *([f"run {step.run_id}"] if step.run_id else [])]
    if step.node == "Evaluator":
        lines += list(headline(lineage))
    if step.code:
        lines.append(f"code {step.code}")
    return f"step{step.execution}", "step", tuple(lines)


def _add_step(tree: Tree, step: LineageStep, lineage: Lineage) -> None:
    run, started = f"run {step.run_id}, " if step.run_id else "", step.started or "at an unknown time"
    title = Text(step.node, style="bold")
    title.append(f"  execution {step.execution}, {run}{started}", "dim")
    branch = tree.add(title)
    _add_details(branch, step_details(step, lineage))
    for key, artifact in _ends(step.inputs, lineage):
        branch.add(Text.assemble(f"← {key}: {artifact.type} {artifact.id}", (_of_other_run(artifact), "dim")))
    for key, artifact in _ends(step.outputs, lineage):
        line = Text.assemble(f"→ {key}: {artifact.type} {artifact.id}", (f"  {artifact.uri}", "dim"))
        _add_details(branch.add(line), artifact_details(artifact))


def _ends(ends: Mapping[str, list[int]], lineage: Lineage) -> list[tuple[str, LineageArtifact]]:
    known = lineage.artifacts
    return [(key, known[artifact]) for key, ids in ends.items() for artifact in ids if artifact in known]


def _of_other_run(artifact: LineageArtifact) -> str:
    known = artifact.properties
    if artifact.type != "Model" or "run_id" not in known:
        return ""
    version = f", version {known['pushed_version']}" if "pushed_version" in known else ""
    return f"  of run {known['run_id']}{version}"


def _add_details(branch: Tree, details: Details) -> None:
    for key, value in details:
        branch.add(Text(f"{key}: {value}"))


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _dot(*lines: str) -> str:
    """A quoted string of Graphviz, whose only escapes here are of quotes, backslashes and line ends."""
    escaped = (_short(line).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines)
    return '"' + "\\n".join(escaped) + '"'


def _mermaid(*lines: str) -> str:
    """A quoted string of Mermaid, which has entities for what would end it or be taken for markup."""
    return '"' + "<br/>".join(_short(line).translate(_ENTITIES) for line in lines) + '"'


# --- details of steps and artifacts -------------------------------------------------------------------------------

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
