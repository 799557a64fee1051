"""The ways in which a lineage is printed."""

from enum import StrEnum


class LineageFormat(StrEnum):
    """How a lineage is printed."""

    TREE = "tree"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"
