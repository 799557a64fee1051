"""The executor: TFT analyses RecordBatches, then workers apply its graph to whole shards."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import metadata_io, schema_utils
from tensorflow_transform.tf_metadata.dataset_metadata import DatasetMetadata
from tfx.components.transform import executor_utils, labels
from tfx.components.util import udf_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx_bsl.public.tfxio import TFExampleRecord

from components.artifacts import Artifacts, read_schema
from components.transform.analysis import Dataset, analyze, analyze_with_cache
from components.transform.cache import Cache, analysis_name, dataset_name, opened
from components.transform.shards import Shard, TransformShards
from janus_core.examples.shards import holds_tf_examples, shard_files, spread
from janus_core.examples.threads import worker_threads

ANALYZER_CACHE_KEY = "analyzer_cache"
"""Execution property: the folder of the analyzer cache; without it, everything is analysed again."""

_STAGING = ".staging"


class Executor(BaseBeamExecutor):
    """Analyses some splits and transforms some, as TFX's executor does without statistics."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Called by TFX; see its Transform.

        Raises:
            ValueError: the examples are not tf.Examples.
            DataError: there are no examples, or a file cannot be read.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = input_dict[specs.EXAMPLES_KEY]
        if not holds_tf_examples(examples):
            raise ValueError("Transform takes tf.Examples only")
        executor_utils.MatchNumberOfTransformedExamplesArtifacts(input_dict, output_dict)
        splits = executor_utils.ResolveSplitsConfig(exec_properties.get(specs.SPLITS_CONFIG_KEY), examples)
        transformed = output_dict[specs.TRANSFORMED_EXAMPLES_KEY]
        executor_utils.SetSplitNames(splits.transform, transformed)
        analysed = _datasets(uri for split in splits.analyze for uri in artifact_utils.get_split_uris(examples, split))
        sources = [uri for split in splits.transform for uri in artifact_utils.get_split_uris(examples, split)]
        graph = artifact_utils.get_single_uri(output_dict[specs.TRANSFORM_GRAPH_KEY])
        staging = f"{graph}/{_STAGING}"
        fileio.makedirs(staging)
        schema = read_schema(input_dict)
        try:
            with _cache(exec_properties, schema) as cache:
                self._run(
                    _preprocessing_fn(exec_properties),
                    schema,
                    analysed,
                    _shards(sources, executor_utils.GetSplitPaths(transformed)),
                    graph,
                    staging,
                    cache,
                )
                if cache:
                    cache.publish([dataset.name for dataset in analysed])
        finally:
            fileio.rmtree(staging)

    def _run(
        self,
        preprocessing_fn: Callable[..., Any],
        schema: schema_pb2.Schema,
        analysed: Sequence[Dataset],
        shards: Sequence[Shard],
        graph: str,
        staging: str,
        cache: Cache | None,
    ) -> None:
        files = [file for dataset in analysed for file in dataset.files]
        source = TFExampleRecord(files, schema=schema, telemetry_descriptors=["Transform"])
        type_specs = source.TensorAdapter().OriginalTypeSpecs()
        adapter = source.Project(tft.get_analyze_input_columns(preprocessing_fn, type_specs)).TensorAdapterConfig()
        columns = tft.get_transform_input_columns(preprocessing_fn, type_specs)
        spec = schema_utils.schema_as_feature_spec(schema).feature_spec
        metadata_io.write_metadata(DatasetMetadata(schema), f"{graph}/{tft.TFTransformOutput.RAW_METADATA_DIR}")
        transform = TransformShards(
            graph, {name: spec[name] for name in columns}, staging, worker_threads(self._beam_pipeline_args or [])
        )
        with self._make_beam_pipeline() as pipeline, tft_beam.Context(temp_dir=staging):
            if cache:
                transform_fn = analyze_with_cache(pipeline, analysed, adapter, preprocessing_fn, cache)
            else:
                transform_fn = analyze(pipeline, analysed, adapter, preprocessing_fn)
            written = transform_fn | "WriteTransformFn" >> tft_beam.WriteTransformFn(graph)
            _ = (
                pipeline
                | "Shards" >> spread(shards)
                | "Transform" >> beam.ParDo(transform, beam.pvalue.AsSingleton(written))
            )


def _preprocessing_fn(exec_properties: Mapping[str, Any]) -> Callable[..., Any]:
    function = udf_utils.get_fn(dict(exec_properties), specs.PREPROCESSING_FN_KEY)
    config = {labels.CUSTOM_CONFIG: exec_properties.get(specs.CUSTOM_CONFIG_KEY)}
    bound: Callable[..., Any] = executor_utils.MaybeBindCustomConfig(config, function)
    return bound


def _datasets(uris: Iterable[str]) -> list[Dataset]:
    found = [tuple(shard_files(uri)) for uri in uris]
    return [Dataset(dataset_name(files), files) for files in found]


def _cache(
    exec_properties: Mapping[str, Any], schema: schema_pb2.Schema
) -> contextlib.AbstractContextManager[Cache | None]:
    root = exec_properties.get(ANALYZER_CACHE_KEY)
    if not root:
        return contextlib.nullcontext()
    known = {key: exec_properties.get(key) for key in (specs.PREPROCESSING_FN_KEY, specs.CUSTOM_CONFIG_KEY, "code")}
    return opened(root, analysis_name({**known, "schema": schema.SerializeToString(deterministic=True).hex()}))


def _shards(sources: Sequence[str], prefixes: Sequence[str]) -> list[Shard]:
    shards = []
    for uri, prefix in zip(sources, prefixes, strict=True):
        files = shard_files(uri)
        fileio.makedirs(prefix.rpartition("/")[0])
        shards += [Shard(path, f"{prefix}-{n:05d}-of-{len(files):05d}.gz") for n, path in enumerate(files)]
    return shards
