"""What the executions of a run recorded of its configuration and code."""

from collections.abc import Mapping
from typing import Any

from ml_metadata import MetadataStore

from pipeline.lineage.properties import settings_of
from pipeline.lineage.store import NodeExecution

SCHEMA_COPY = "schema (its copy, by content)"
"""The key of the curated schema's copy: its folder is named by the digest, which tells a file that was edited."""

_TRAINER_KEYS = ("seed", "features", "tasks", "model", "training")


def recorded_config(store: MetadataStore, executions: Mapping[str, NodeExecution]) -> dict[str, Any]:
    """What the executions of a run recorded of its configuration, as far as it came.

    Keys are the configuration's where a component was given a part of it, else those of the component's parameters
    below its name.
    """
    found: dict[str, Any] = {}
    for node, parameters in _settings(store, executions).items():
        settings, _ = parameters
        if node == "ExampleGen":
            found |= {key: settings[key] for key in ("data", "seed") if key in settings}
        elif node == "Trainer":
            trainer = settings.get("trainer", {})
            found |= {key: trainer[key] for key in _TRAINER_KEYS if key in trainer}
        elif node == "Evaluator":
            specs = settings.get("eval_config", {}).get("slicing_specs", [])
            # The empty one is of all rows. The gates are told by the report, in the configuration's own words.
            found["evaluation"] = {"slices": [spec["feature_keys"] for spec in specs if "feature_keys" in spec]}
        elif node == "ServingCheck":
            found["serving"] = settings.get("config", {})
        elif node == "Pusher":
            destination = settings.get("push_destination", {}).get("filesystem", {})
            found["push"] = {"path": destination.get("base_directory"), "keep": settings.get("keep")}
        elif "schema_file" in settings:
            found[SCHEMA_COPY] = settings["schema_file"]
    return found


def code_of_run(store: MetadataStore, executions: Mapping[str, NodeExecution]) -> dict[str, str]:
    """Component → the fingerprint of its code, of those that have one."""
    return {node: code for node, (_, code) in _settings(store, executions).items() if code}


def _settings(
    store: MetadataStore, executions: Mapping[str, NodeExecution]
) -> dict[str, tuple[dict[str, Any], str | None]]:
    by_id = {execution.id: node for node, execution in executions.items()}
    found = store.get_executions_by_id(sorted(by_id)) if by_id else []
    return {by_id[execution.id]: settings_of(execution) for execution in found}
