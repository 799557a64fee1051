"""The properties of executions and artifacts in ML Metadata, as plain values."""

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.lineage.store import NodeExecution

Properties = Mapping[str, pb.Value]

_CUSTOM = "custom_config"
_VALUE, _ANY = "__value__", "@type"
_OF_TFX = frozenset({"is_external", "tfx_version", "stats_dashboard_link", "name", "state"})
_CODE, _SOURCE = "code", "source"
"""The fingerprint of the code; ExampleGen's settings call it source."""


def plain_properties(*sources: Properties) -> dict[str, Any]:
    """Properties by name, without those that only concern TFX; JSON in text is read, however deep."""
    properties: dict[str, Any] = {}
    for source in sources:
        for name, value in source.items():
            if not name.startswith("__") and name not in _OF_TFX:
                plain = _plain(value)
                if plain not in (None, ""):
                    properties[name] = plain
    return dict(sorted(properties.items()))


def settings_of(execution: pb.Execution) -> tuple[dict[str, Any], str | None]:
    """An execution's parameters, and the fingerprint of its code if they hold one.

    Where the component and the function that it calls have one each, the fingerprint is both, joined by `+`.
    """
    settings = plain_properties(execution.properties, execution.custom_properties)
    codes = [settings.pop(_CODE, None)]
    custom = settings.pop(_CUSTOM, None)
    if isinstance(custom, dict):
        inner = custom.get(_CUSTOM, custom)
        settings |= inner if isinstance(inner, dict) else {_CUSTOM: inner}
        codes += [settings.pop(_CODE, None), settings.pop(_SOURCE, None)]
    return settings, "+".join(str(code) for code in codes if code) or None


def settings_of_run(
    store: MetadataStore, executions: Mapping[str, NodeExecution]
) -> dict[str, tuple[dict[str, Any], str | None]]:
    """Component → what `settings_of` gives for its execution in a run."""
    nodes = {execution.id: node for node, execution in executions.items()}
    recorded = store.get_executions_by_id(sorted(nodes)) if nodes else []
    return {nodes[execution.id]: settings_of(execution) for execution in recorded}


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings by dotted keys; a list stays whole, as its order has a meaning."""
    if not isinstance(value, Mapping) or not value:
        return {prefix: value} if prefix else {}
    flattened: dict[str, Any] = {}
    for key, inner in value.items():
        flattened |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flattened


def shown(value: Any) -> str:
    """A setting as text: numbers and text as they are, lists and mappings as YAML's flow style has them."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(shown(inner) for inner in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {shown(inner)}' for key, inner in value.items() if inner is not None)}}}"
    return "null" if value is None else str(value)


def _plain(value: pb.Value) -> Any:
    kind = value.WhichOneof("value")
    if kind == "struct_value":
        struct = MessageToDict(value.struct_value)
        return _read(struct.get(_VALUE, struct))
    return _read(getattr(value, kind)) if kind in ("int_value", "double_value", "string_value", "bool_value") else None


def _read(value: Any) -> Any:
    """JSON in text as what it is, and google.protobuf.Value as its value."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return _read(json.loads(value))
        except json.JSONDecodeError:
            return value
    if isinstance(value, dict):
        if _ANY in value and "value" in value:
            return _read(value["value"])
        return {key: _read(inner) for key, inner in value.items()}
    return [_read(inner) for inner in value] if isinstance(value, list) else value
