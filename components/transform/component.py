"""The TFX component."""

from collections.abc import Mapping
from typing import Any

from tfx.components.transform.component import Transform
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import transform_pb2
from tfx.types import BaseChannel

from components.transform.executor import ANALYZER_CACHE_KEY, Executor
from janus_core.fingerprint import node_fingerprint


class ArrowTransform(Transform):
    """TFX's Transform without statistics, which nobody reads, and with an analyzer cache of another kind.

    Outputs `transform_graph` and `transformed_examples` as its base does. There is a shard of transformed examples for
    each shard of raw ones, in the same order, and two runs on the same examples write the same bytes.

    TFX passes its analyzer cache from run to run as an artifact. Every run then has another input, so that nothing
    after it is ever cached. Here it is a folder, which does not count as an input.
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
        analyzer_cache: str | None = None,
    ):
        """As its base; raises nothing about the data: the executor does.

        The folder `analyzer_cache` keeps the analysis of each artifact, so that only the new ones of several artifacts
        are read; None: all of them are analysed each time.
        """
        super().__init__(
            examples=examples,
            schema=schema,
            preprocessing_fn=preprocessing_fn,
            splits_config=splits_config,
            custom_config=dict(custom_config or {}),
            disable_statistics=True,
            disable_analyzer_cache=True,
        )
        # Whoever names the preprocessing_fn adds the code of that.
        self.spec.exec_properties["code"] = node_fingerprint(type(self))
        if analyzer_cache is not None:
            self.spec.exec_properties[ANALYZER_CACHE_KEY] = analyzer_cache
