"""The pipeline as a graph: components in layers, from the one that reads the data to the one that pushes the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.report.analysis.analysis_json import NodeLineage
from pipeline.report.report_json import ComponentReport

WIDTH, HEIGHT, GAP_X, GAP_Y = 168, 48, 20, 34


@dataclass(frozen=True)
class Node:
    """A component's box; x and y are of its upper left corner."""

    name: str
    x: float
    y: float
    note: str
    state: str


@dataclass(frozen=True)
class Graph:
    """Boxes and the paths of the arrows between them."""

    nodes: Sequence[Node]
    paths: Sequence[str]
    width: float
    height: float


def graph_of(components: Mapping[str, ComponentReport], lineage: Sequence[NodeLineage]) -> Graph:
    """Lays out the components, by name; one without a lineage, which says what it read from, has no arrow."""
    takes: dict[str, list[str]] = {name: [] for name in components} | {
        component.node: [other for other in component.takes if other in components]
        for component in lineage
        if component.node in components
    }
    layers: dict[str, int] = {}
    for name in components:
        layers[name] = max((layers[other] + 1 for other in takes[name] if other in layers), default=0)
    rows: dict[int, list[str]] = {}
    for name, layer in layers.items():
        rows.setdefault(layer, []).append(name)
    widest = max((len(names) for names in rows.values()), default=1)
    width = widest * WIDTH + (widest - 1) * GAP_X
    places = {}
    for layer, names in rows.items():
        start = (width - len(names) * WIDTH - (len(names) - 1) * GAP_X) / 2
        for place, name in enumerate(names):
            places[name] = (start + place * (WIDTH + GAP_X), layer * (HEIGHT + GAP_Y))
    nodes = [Node(name, *places[name], *_note_and_state(component)) for name, component in components.items()]
    paths = [_path(places[other], places[name]) for name in components for other in _direct(name, takes)]
    height = (max(rows, default=0) + 1) * (HEIGHT + GAP_Y) - GAP_Y
    return Graph(nodes, paths, width, height)


def _direct(name: str, takes: Mapping[str, Sequence[str]]) -> list[str]:
    """Those taken from, but not the ones that another of them comes after anyway."""

    def before(node: str) -> set[str]:
        return {node_before for other in takes[node] for node_before in {other, *before(other)}}

    return [other for other in takes[name] if not any(other in before(also) for also in takes[name] if also != other)]


def _path(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1, x2, y2 = start[0] + WIDTH / 2, start[1] + HEIGHT, end[0] + WIDTH / 2, end[1]
    middle = max(y1 + GAP_Y / 2, y2 - GAP_Y / 2)
    return f"M{x1:g} {y1:g} C{x1:g} {middle:g} {x2:g} {y2 - GAP_Y:g} {x2:g} {y2 - 2:g}"


def _note_and_state(component: ComponentReport) -> tuple[str, str]:
    if component.state != "complete":
        return f"{component.state} after {component.seconds:.1f} s", "failed"
    return ("cached", "cached") if component.cached else (f"{component.seconds:.1f} s", "ran")
