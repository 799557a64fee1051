"""The TFX component."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx.components.transform.component import Transform
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import transform_pb2
from tfx.types import BaseChannel

from components import arrow_io
from components.arrow_example_gen import kinds, tf_example, tfrecord_io
from components.transform.executor import Executor
from trainer.fingerprint import source_fingerprint


class ArrowTransform(Transform):
    """TFX's Transform without what nobody reads: statistics of its own and the analyzer cache.

    Outputs `transform_graph` and `transformed_examples` as its base does. There is a shard of transformed examples for
    each shard of raw ones, in the same order, and two runs on the same examples write the same bytes.
    """

    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        examples: BaseChannel,
        schema: BaseChannel,
        preprocessing_fn: str,
        splits_config: transform_pb2.SplitsConfig | None = None,
        custom_config: Mapping[str, Any] | None = None,
    ):
        """As its base; raises nothing about the data: the executor does."""
        super().__init__(
            examples=examples,
            schema=schema,
            preprocessing_fn=preprocessing_fn,
            splits_config=splits_config,
            custom_config=dict(custom_config or {}),
            disable_statistics=True,
            disable_analyzer_cache=True,
        )
        # TFX's cache compares parameters: without this one, an edit of the code would not be seen.
        modules = (kinds, tf_example, tfrecord_io)
        self.spec.exec_properties["code"] = source_fingerprint(
            Path(__file__).parent, *arrow_io.__path__, *(str(module.__file__) for module in modules)
        )
