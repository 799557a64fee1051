"""A lineage as a tree for the terminal, and as a graph for Graphviz and Mermaid."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.text import Text
from rich.tree import Tree

from pipeline.commands.lineage.details import Details, artifact_details, headline, step_details
from pipeline.commands.lineage.version_lineage import Copy, Lineage, LineageArtifact, LineageStep

_LONGEST = 120
"""Characters of a line in a graph's node; the tree and JSON have the whole."""


def lineage_tree(lineage: Lineage) -> Tree:
    """From the version through the push back to the data, the last step first."""
    tree = Tree(Text(f"version {lineage.version}  {lineage.path}", style="bold"))
    for copy in reversed(lineage.copies):
        tree.add(Text(_copied(copy)))
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
    lines += [f"  {v.id} [shape={shapes[v.kind]}, label={_dot(*v.lines)}];" for v in vertices]
    lines += [f"  {e.start} -> {e.end} [label={_dot(e.label)}];" for e in edges]
    return "\n".join([*lines, "}"]) + "\n"


def lineage_mermaid(lineage: Lineage) -> str:
    """For Mermaid, as in a Markdown file's ```mermaid block."""
    brackets = {"step": ("[", "]"), "artifact": ("([", "])"), "version": ("[[", "]]")}
    vertices, edges = _graph(lineage)
    lines = ["flowchart LR"]
    for vertex in vertices:
        left, right = brackets[vertex.kind]
        lines.append(f"  {vertex.id}{left}{_mermaid(*vertex.lines)}{right}")
    lines += [f"  {e.start} -->|{_mermaid(e.label)}| {e.end}" for e in edges]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Vertex:
    id: str
    kind: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class _Edge:
    start: str
    end: str
    label: str


def _graph(lineage: Lineage) -> tuple[list[_Vertex], list[_Edge]]:
    vertices = [_step_vertex(step, lineage) for step in lineage.steps]
    vertices += [_artifact_vertex(artifact) for artifact in lineage.artifacts.values()]
    edges = []
    for step in lineage.steps:
        box = f"step{step.execution}"
        edges += [_Edge(f"artifact{i}", box, key) for key, ids in step.inputs.items() for i in ids]
        edges += [_Edge(box, f"artifact{i}", key) for key, ids in step.outputs.items() for i in ids]
    vertices.append(_Vertex(f"version{lineage.origin}", "version", (f"version {lineage.origin}",)))
    edges.append(_Edge(f"artifact{lineage.pushed_model}", f"version{lineage.origin}", "pushed"))
    for copy in lineage.copies:
        vertices.append(_Vertex(f"version{copy.version}", "version", (f"version {copy.version}",)))
        edges.append(_Edge(f"version{copy.of}", f"version{copy.version}", f"rollback {copy.time}"))
    return vertices, edges


def _step_vertex(step: LineageStep, lineage: Lineage) -> _Vertex:
    lines = [step.node, *_origin(step)]
    if step.node == "Evaluator":
        lines += list(headline(lineage))
    if step.code:
        lines.append(f"code {step.code}")
    return _Vertex(f"step{step.execution}", "step", tuple(lines))


def _artifact_vertex(artifact: LineageArtifact) -> _Vertex:
    lines = [f"{artifact.type} {artifact.id}", *(f"{key} {value}" for key, value in artifact_details(artifact))]
    return _Vertex(f"artifact{artifact.id}", "artifact", tuple(lines))


def _origin(step: LineageStep) -> Iterator[str]:
    if step.run_id:
        yield f"run {step.run_id}"


def _add_step(tree: Tree, step: LineageStep, lineage: Lineage) -> None:
    title = Text(step.node, style="bold")
    title.append(
        f"  execution {step.execution}, {', '.join([*_origin(step), step.started or 'at an unknown time'])}", "dim"
    )
    branch = tree.add(title)
    _add_details(branch, step_details(step, lineage))
    for key, artifact in _ends(step.inputs.items(), lineage):
        branch.add(_line(f"← {key}: {artifact.type} {artifact.id}", _of_other_run(artifact)))
    for key, artifact in _ends(step.outputs.items(), lineage):
        made = branch.add(_line(f"→ {key}: {artifact.type} {artifact.id}", f"  {artifact.uri}"))
        _add_details(made, artifact_details(artifact))


def _ends(keys: Iterable[tuple[str, list[int]]], lineage: Lineage) -> Iterator[tuple[str, LineageArtifact]]:
    for key, ids in keys:
        for artifact in ids:
            if artifact in lineage.artifacts:
                yield key, lineage.artifacts[artifact]


def _of_other_run(artifact: LineageArtifact) -> str:
    known = artifact.properties
    if artifact.type != "Model" or "run_id" not in known:
        return ""
    version = f", version {known['pushed_version']}" if "pushed_version" in known else ""
    return f"  of run {known['run_id']}{version}"


def _add_details(branch: Tree, details: Details) -> None:
    for key, value in details:
        branch.add(Text(f"{key}: {value}"))


def _line(text: str, dim: str) -> Text:
    line = Text(text)
    line.append(dim, "dim")
    return line


def _copied(copy: Copy) -> str:
    reason = f": {copy.reason}" if copy.reason else ""
    return f"copy of {copy.of}, by a rollback of {copy.user} at {copy.time}{reason}"


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _dot(*lines: str) -> str:
    """A quoted string of Graphviz, whose only escapes here are of quotes, backslashes and line ends."""
    escaped = (_short(line).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines)
    return '"' + "\\n".join(escaped) + '"'


def _mermaid(*lines: str) -> str:
    """A quoted string of Mermaid, which has entities for what would end it or be taken for markup."""
    return '"' + "<br/>".join("".join(map(_entity, _short(line))) for line in lines) + '"'


def _entity(character: str) -> str:
    if character in '"#&<>;`\\|[]{}()':
        return f"#{ord(character)};"
    return " " if character in "\r\n" else character
