"""The TFX component."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from google.protobuf.struct_pb2 import Value
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import example_gen_pb2, range_config_pb2

from components.example_gen.driver import SpanDriver
from components.example_gen.executor import ArrowExampleGenExecutor
from components.example_gen.precision import Use
from janus_core.fingerprint import node_fingerprint
from janus_core.tables.config import DataConfig
from janus_core.tables.files import unseen_split_path


class ArrowExampleGen(FileBasedExampleGen):
    """An ExampleGen for CSV, Parquet and TFRecord files that stays in Arrow up to the encoded tf.Example.

    Output `examples`: splits train and eval of gzipped TFRecords of tf.Example. Spans and versions are TFX's; with a
    split by span, the artifact of a span holds it as eval, and as train the spans before it.
    """

    EXECUTOR_SPEC = BeamExecutorSpec(ArrowExampleGenExecutor)
    DRIVER_CLASS = SpanDriver

    def __init__(
        self,
        *,
        data: DataConfig,
        seed: int = 0,
        column_types: Mapping[str, Literal["int", "float", "bytes"]] | None = None,
        domains: Mapping[str, Sequence[str]] | None = None,
        required_columns: Mapping[str, str] | Sequence[str] = (),
        units: Mapping[str, str] | None = None,
        columns: Collection[str] | None = None,
        sensitive: Collection[str] = (),
        uses: Mapping[str, Sequence[Use]] | None = None,
        offsets: Mapping[str, int] | None = None,
        range_config: range_config_pb2.RangeConfig | None = None,
    ):
        """Describes what to read.

        `column_types` (from a schema) overrule inference; `domains` holds the allowed values of a column, as text;
        `required_columns` the columns that must be there, with the config key that names each, if given; `units` what
        stands beside the numbers of a CSV column. Only `columns` are written, all by default: the others may hold
        personal data, and may be of any type. No message shows values of `sensitive` ones. `uses` says what must not
        get lost of a column; `offsets` are subtracted from columns of numbers before they are written. Whatever changes
        the output, its code included, becomes part of the execution's properties, by which TFX decides whether a cached
        result still holds. Raises nothing about the data: the executor does.
        """
        if not isinstance(required_columns, Mapping):
            required_columns = dict.fromkeys(required_columns, "config")
        parameters = {
            # Where earlier runs ingested the other spans, how many are trained on does not change what this one reads.
            "data": data.model_dump(mode="json", exclude=None if data.by_span else {"window"}),
            "seed": seed,
            "column_types": dict(column_types or {}),
            "domains": {name: list(values) for name, values in (domains or {}).items()},
            "required_columns": dict(required_columns),
            "units": dict(units or {}),
            "columns": None if columns is None else sorted(columns),
            "sensitive": sorted(sensitive),
            "uses": {name: [use.model_dump() for use in found] for name, found in (uses or {}).items()},
            "offsets": dict(offsets or {}),
            "source": node_fingerprint(type(self)),
        }
        custom_config = example_gen_pb2.CustomConfig()
        custom_config.custom_config.Pack(Value(string_value=json.dumps(parameters, sort_keys=True)))
        base, pattern = unseen_split_path(data)
        super().__init__(
            input_base=base,
            input_config=example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="all", pattern=pattern)]),
            output_config=_output_config(),
            custom_config=custom_config,
            range_config=range_config,
        )


def _output_config() -> example_gen_pb2.Output:
    # The buckets are TFX's formality: how rows are divided is in `data.split`.
    splits = [example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=1) for name in ("train", "eval")]
    return example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits))
