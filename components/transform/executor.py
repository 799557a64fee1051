"""The executor: TFT analyses RecordBatches, then workers apply its graph to whole shards."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import metadata_io, schema_utils
from tensorflow_transform.tf_metadata.dataset_metadata import DatasetMetadata
from tfx import types
from tfx.components.transform import executor_utils, labels
from tfx.components.util import udf_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils
from tfx_bsl.public.tfxio import TensorAdapterConfig, TFExampleRecord

from components.arrow_example_gen.kinds import Kind, kind_of_type
from components.arrow_io.columns import parse_columns
from components.arrow_io.files import holds_tf_examples, shard_files
from components.arrow_io.records import record_batches
from components.arrow_io.source import read_shards, spread
from components.arrow_io.threads import worker_threads
from components.transform.shards import Shard, TransformShards

Artifacts = dict[str, list[types.Artifact]]

_STAGING = ".staging"


class Executor(BaseBeamExecutor):
    """Analyses some splits and transforms some, as TFX's executor does without statistics and analyzer cache."""

    def Do(  # noqa: N802 (TFX's name)
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Called by TFX; see its Transform.

        Raises:
            ValueError: the examples are no tf.Examples.
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
        analysed = [uri for split in splits.analyze for uri in artifact_utils.get_split_uris(examples, split)]
        sources = [uri for split in splits.transform for uri in artifact_utils.get_split_uris(examples, split)]
        graph = artifact_utils.get_single_uri(output_dict[specs.TRANSFORM_GRAPH_KEY])
        staging = f"{graph}/{_STAGING}"
        fileio.makedirs(staging)
        try:
            self._run(
                _preprocessing_fn(exec_properties),
                _schema(input_dict),
                [path for uri in analysed for path in shard_files(uri)],
                _shards(sources, executor_utils.GetSplitPaths(transformed)),
                graph,
                staging,
            )
        finally:
            fileio.rmtree(staging)

    def _run(
        self,
        preprocessing_fn: Callable[..., Any],
        schema: schema_pb2.Schema,
        analysed: Sequence[str],
        shards: Sequence[Shard],
        graph: str,
        staging: str,
    ) -> None:
        source = TFExampleRecord(list(analysed), schema=schema, telemetry_descriptors=["Transform"])
        type_specs = source.TensorAdapter().OriginalTypeSpecs()
        adapter = source.Project(tft.get_analyze_input_columns(preprocessing_fn, type_specs)).TensorAdapterConfig()
        columns = tft.get_transform_input_columns(preprocessing_fn, type_specs)
        spec = schema_utils.schema_as_feature_spec(schema).feature_spec
        metadata_io.write_metadata(DatasetMetadata(schema), f"{graph}/{tft.TFTransformOutput.RAW_METADATA_DIR}")
        transform = TransformShards(
            graph, {name: spec[name] for name in columns}, staging, worker_threads(self._beam_pipeline_args or [])
        )
        with self._make_beam_pipeline() as pipeline, tft_beam.Context(temp_dir=staging):
            files = analysed if adapter.arrow_schema.names else []
            rows = pipeline | "Read" >> read_shards(files, partial(_read_shard, adapter=adapter))
            transform_fn = (rows, adapter) | "Analyze" >> tft_beam.AnalyzeDataset(preprocessing_fn)
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


def _schema(input_dict: Artifacts) -> schema_pb2.Schema:
    folder = artifact_utils.get_single_uri(input_dict[specs.SCHEMA_KEY])
    return io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(folder))


def _shards(sources: Sequence[str], prefixes: Sequence[str]) -> list[Shard]:
    shards = []
    for uri, prefix in zip(sources, prefixes, strict=True):
        files = shard_files(uri)
        fileio.makedirs(prefix.rpartition("/")[0])
        shards += [Shard(path, f"{prefix}-{n:05d}-of-{len(files):05d}.gz") for n, path in enumerate(files)]
    return shards


def _read_shard(path: str, adapter: TensorAdapterConfig) -> Iterator[pa.RecordBatch]:
    """The columns that the adapter knows, in its order."""
    schema = adapter.arrow_schema
    kinds: dict[str, Kind] = {field.name: kind for field in schema if (kind := kind_of_type(field.type)) is not None}
    for records in record_batches(path):
        columns = parse_columns(records, kinds)
        yield pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
