"""The operations that a SavedModel needs."""

from collections.abc import Iterator
from typing import Any

PYTHON_OPERATIONS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Registered by TensorFlow itself, but they call back into the Python process that made the model."""


def operation_problems(meta_graph: Any) -> list[str]:
    """A sentence for each operation that TF Serving would not have.

    An operation counts as TensorFlow's own if this process knows it: call it where nothing but TensorFlow is imported.
    """
    from tensorflow.python.framework import op_def_registry

    graph = meta_graph.graph_def
    functions = {function.signature.name for function in graph.library.function}
    problems = []
    for name, place in sorted(_operations(graph).items()):
        if name in PYTHON_OPERATIONS:
            problems.append(f"{place} is a {name}: it calls Python, which TensorFlow Serving does not have")
        elif name not in functions and op_def_registry.get(name) is None:
            problems.append(f"{place} is a {name}: not one of TensorFlow's core operations")
    return problems


def _operations(graph: Any) -> dict[str, str]:
    """Operation → where it occurs first."""
    first: dict[str, str] = {}
    for operation, place in _nodes(graph):
        first.setdefault(operation, place)
    return first


def _nodes(graph: Any) -> Iterator[tuple[str, str]]:
    for node in graph.node:
        yield node.op, f"the graph's node {node.name}"
    for function in graph.library.function:
        for node in function.node_def:
            yield node.op, f"node {node.name} of the function {function.signature.name}"
