"""What ArrowExampleGen is asked for, and which examples may be trained on together by it."""

import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from google.protobuf.struct_pb2 import Value
from pydantic import BeforeValidator
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.example_gen.precision import Use
from components.example_gen.structured import ImageColumn, TagsColumn
from janus_core.fingerprint import digest_of_json
from janus_core.strict import StrictModel
from janus_core.tables.column_kinds import Kind
from janus_core.tables.config import DataConfig
from janus_core.tables.csv_dialect import RFC_4180


def _sorted_names(names: Any) -> Any:
    return sorted(names) if isinstance(names, Collection) and not isinstance(names, str) else names


Names = Annotated[list[str], BeforeValidator(_sorted_names)]
"""Any collection of names, or a mapping of them; the order does not matter."""


class Parameters(StrictModel):
    """All that changes the output, by which TFX decides whether a cached result still holds.

    Attributes:
        data: what is read, and how it is split.
        seed: of a split by hash.
        column_types: column → its kind, from a schema; inferred for the others.
        domains: column → its allowed values, as text.
        required_columns: the columns that must be there → the config key that names each.
        units: CSV column → the unit that is written with its numbers.
        columns: those that are written, None for all: the others may hold personal data, and may be of any type.
        sensitive: columns whose values no message shows.
        uses: column → what it is used for, on which the precision depends that may be lost.
        offsets: column of numbers → what is subtracted before they are written.
        dates: column of dates → their form, empty for the default one (`janus_core.tables.times`).
        images: column of images → what it holds.
        boxes: column of boxes → its task.
        tags: column of tags → what they are of.
        source: fingerprint of the code.
    """

    data: DataConfig
    seed: int = 0
    column_types: dict[str, Kind] = {}
    domains: dict[str, list[str]] = {}
    required_columns: dict[str, str] = {}
    units: dict[str, str] = {}
    columns: Names | None = None
    sensitive: Names = []
    uses: dict[str, list[Use]] = {}
    offsets: dict[str, int] = {}
    dates: dict[str, str] = {}
    images: dict[str, ImageColumn] = {}
    boxes: dict[str, str] = {}
    tags: dict[str, TagsColumn] = {}
    source: str = ""


def pack_parameters(parameters: Parameters) -> example_gen_pb2.CustomConfig:
    """The parameters as FileBasedExampleGen takes them."""
    config = example_gen_pb2.CustomConfig()
    config.custom_config.Pack(Value(string_value=json.dumps(parameters.model_dump(mode="json"), sort_keys=True)))
    return config


def read_parameters(exec_properties: dict[str, Any]) -> Parameters:
    """The inverse of `pack_parameters`, from the properties of an execution."""
    config, value = example_gen_pb2.CustomConfig(), Value()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], config)
    config.custom_config.Unpack(value)
    return Parameters.model_validate_json(value.string_value)


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
    return digest_of_json(settings)[:16]
