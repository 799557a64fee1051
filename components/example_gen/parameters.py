"""What ArrowExampleGen is asked for."""

import json
from collections.abc import Collection
from typing import Annotated, Any

from google.protobuf.struct_pb2 import Value
from pydantic import BeforeValidator
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.example_gen.precision import Use
from janus_core.strict import StrictModel
from janus_core.tables.column_kinds import Kind
from janus_core.tables.config import DataConfig


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
