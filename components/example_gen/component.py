"""The TFX component."""

from typing import Any

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import example_gen_pb2, range_config_pb2

from components.example_gen.driver import SpanDriver
from components.example_gen.executor import ArrowExampleGenExecutor
from components.example_gen.parameters import Parameters, pack_parameters
from components.example_gen.work import SPLITS
from janus_core.fingerprint import node_fingerprint
from janus_core.tables.files import unseen_split_path


class ArrowExampleGen(FileBasedExampleGen):
    """An ExampleGen for CSV, Parquet and TFRecord files that stays in Arrow up to the encoded tf.Example.

    Output `examples`: splits train and eval of gzipped TFRecords of tf.Example. Spans and versions are TFX's; with a
    split by span, the artifact of a span holds it as eval, and as train the spans before it.
    """

    EXECUTOR_SPEC = BeamExecutorSpec(ArrowExampleGenExecutor)
    DRIVER_CLASS = SpanDriver

    def __init__(self, *, range_config: range_config_pb2.RangeConfig | None = None, **parameters: Any):
        """Describes what to read: `parameters` are those of `Parameters`, `range_config` names the span.

        Raises nothing about the data: the executor does.
        """
        given = Parameters(**parameters, source=node_fingerprint(type(self)))
        if not given.data.by_span:
            # How many spans are trained on does not change what is read of one.
            given = given.model_copy(update={"data": given.data.model_copy(update={"window": 1})})
        base, pattern = unseen_split_path(given.data)
        # The buckets are TFX's formality: how rows are divided is in `data.split`.
        splits = [example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=1) for name in SPLITS]
        super().__init__(
            input_base=base,
            input_config=example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="all", pattern=pattern)]),
            output_config=example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits)),
            custom_config=pack_parameters(given),
            range_config=range_config,
        )
