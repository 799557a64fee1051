"""Whether two models are the same although their bytes differ, as when one is trained again.

Two exports of the same weights differ in the numbers that TensorFlow gives to functions, and in the paths of what they
were made from, both in `saved_model.pb`; in a checksum of it, `fingerprint.pb`; and maybe in their warm-up requests.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from components.pusher.layout import Location, join
from components.pusher.storage import source_of, storage_of
from serving.signatures import SAVED_MODEL, meta_graph_of

_NOT_THE_MODEL = frozenset({SAVED_MODEL, "fingerprint.pb", "assets.extra/tf_serving_warmup_requests"})
_DT_STRING = 7
IDENTITY = "identity"
"""The property of a PushedModel that holds what `identity_of` gives for the model, whether it was pushed or not."""


def identity_of(folder: Location) -> str:
    """A digest of weights, vocabularies, description, and the graph's operations with their numeric constants."""
    source = source_of(folder)
    files = {name: file.sha256 for name, file in source.manifest().items() if name not in _NOT_THE_MODEL}
    digest = hashlib.sha256(repr(sorted(files.items())).encode())
    with storage_of(folder).open_file(join(folder, SAVED_MODEL)) as file:
        content = file.read()
    try:
        operations = sorted(_operations(meta_graph_of(content).graph_def))
    except ValueError:
        # Without a graph, only the bytes are left to compare.
        operations = [("", content)]
    for operation, constant in operations:
        digest.update(f"{operation}\0{len(constant)}\0".encode() + constant)
    return digest.hexdigest()


def _operations(graph: Any) -> Iterator[tuple[str, bytes]]:
    """Each operation's type, and the value of a constant; texts are left out, which may be paths."""
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        for node in nodes:
            constant = node.op == "Const" and node.attr["dtype"].type != _DT_STRING
            yield node.op, node.attr["value"].tensor.SerializeToString(deterministic=True) if constant else b""
