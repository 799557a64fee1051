"""The executor: TFDV's statistics over batches read by `janus_core.examples`."""

from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation as tfdv
from tfx import types
from tfx.components.statistics_gen import executor as stock
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import json_utils, stats_utils

from components.artifacts import Artifacts
from components.statistics_gen.rows import CombineRows, RowsConfig, write_rows
from janus_core.examples.decode import decode_batches
from janus_core.examples.records import record_batches
from janus_core.examples.shards import holds_tf_examples, read_shards, shard_files

_UNSUPPORTED = (specs.STATS_OPTIONS_JSON_KEY, specs.SAMPLE_RATE_BY_SPLIT_KEY, specs.SHARDED_STATS_OUTPUT_KEY)


ROWS_KEY = "rows"
"""Execution property: a `RowsConfig` as JSON, of what is counted beside the statistics; absent for nothing."""


class Executor(stock.Executor):
    """Statistics of tf.Examples with TFDV's default options; anything else is left to TFX's own executor."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Called by TFX; see its StatisticsGen. Raises DataError for files that cannot be read."""
        examples = artifact_utils.get_single_instance(input_dict[specs.EXAMPLES_KEY])
        special = input_dict.get(specs.SCHEMA_KEY) or any(exec_properties.get(key) for key in _UNSUPPORTED)
        if special or not holds_tf_examples([examples]):
            super().Do(input_dict, output_dict, exec_properties)
            return
        self._log_startup(input_dict, output_dict, exec_properties)
        excluded = json_utils.loads(exec_properties.get(specs.EXCLUDE_SPLITS_KEY) or "null") or []
        splits = [name for name in artifact_utils.decode_split_names(examples.split_names) if name not in excluded]
        statistics = artifact_utils.get_single_instance(output_dict[specs.STATISTICS_KEY])
        _describe(statistics, examples, splits)
        counted = exec_properties.get(ROWS_KEY)
        with self._make_beam_pipeline() as pipeline:
            for split in splits:
                files = shard_files(artifact_utils.get_split_uri([examples], split))
                folder = artifact_utils.get_split_uri([statistics], split)
                batches = pipeline | f"Read[{split}]" >> read_shards(files, _decode_shard)
                _ = (
                    batches
                    | f"GenerateStatistics[{split}]" >> tfdv.GenerateStatistics(tfdv.StatsOptions())
                    | f"Write[{split}]" >> tfdv.WriteStatisticsToBinaryFile(f"{folder}/{stock.DEFAULT_FILE_NAME}")
                )
                if counted:
                    # One reading of the examples serves both.
                    combine = CombineRows(RowsConfig.model_validate_json(counted))
                    _ = (
                        batches
                        | f"CountRows[{split}]" >> beam.CombineGlobally(combine)
                        | f"WriteRows[{split}]" >> beam.Map(write_rows, folder)
                    )


def _decode_shard(path: str) -> Iterator[pa.RecordBatch]:
    return decode_batches(record_batches(path))


def _describe(statistics: types.Artifact, examples: types.Artifact, splits: Sequence[str]) -> None:
    """The properties that TFX's executor sets."""
    statistics.split_names = artifact_utils.encode_split_names(list(splits))
    statistics.span = examples.span
    link = stats_utils.generate_stats_dashboard_link(statistics)
    statistics.set_string_custom_property(stock.STATS_DASHBOARD_LINK, link)
    rates = json_utils.dumps(dict.fromkeys(splits, 1.0))
    statistics.set_json_value_custom_property(stock.SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME, rates)
