"""Which examples may be trained on together: properties that ingestion gives its artifact."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from janus_core.tables.csv_dialect import RFC_4180

SETTINGS_PROPERTY = "janus_settings"
"""Custom property of the Examples artifact: the digest of the settings that it was ingested with."""

COLUMNS_PROPERTY = "janus_columns"
"""Custom property of the Examples artifact: JSON of the columns that were ingested; absent where all of them were."""

TRAINING_SPANS_PROPERTY = "training_spans"
"""Custom property of the Examples artifact of a split by span: JSON of the spans that train, with their rows."""


def settings_digest(parameters: Mapping[str, Any]) -> str:
    """16 hex digits over the settings that decide what an ingested row means and which split it may be in.

    `parameters` are those of ArrowExampleGen. The code is left out: the examples of an earlier version stay usable. So
    are the ingested columns, of which there may be more than are used, and the point in time of a split by time, which
    moves on with the spans; a key that is hashed to eval, on the other hand, must not be in the train split of another
    span.
    """
    data = parameters["data"]
    by_time, by_hash = data["split"]["by"] == "time", data["split"]["by"] == "hash"
    settings = {
        "path": data["path"],
        "format": data["format"],
        "split": {"by": "time", "column": data["split"]["column"]} if by_time else data["split"],
        "seed": parameters["seed"] if by_hash else None,
        "column_types": parameters["column_types"],
        "domains": parameters["domains"],
    }
    # Only where they are set, so that what was ingested before there were such keys stays usable.
    if data.get("null_values"):
        words = data["null_values"]
        settings["null_values"] = words if isinstance(words, dict) else sorted(words)
    if data.get("decimal", ".") != ".":
        settings["decimal"] = data["decimal"]
    settings |= {key: value for key in ("thousands",) if (value := data.get(key))}
    settings |= {key: parameters[key] for key in ("units", "offsets") if parameters.get(key)}
    usual = vars(RFC_4180)
    settings |= {key: data[key] for key, value in usual.items() if data.get(key, value) != value}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
