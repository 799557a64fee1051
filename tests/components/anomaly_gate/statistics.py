"""Statistics and anomalies of small tables, by TFDV itself."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.anomaly_gate.column import STATISTICS_FILE


def statistics_of(columns: dict[str, list[Any]]) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The statistics of a table whose rows hold one value, a list of values, or None."""
    lists = {
        name: [row if row is None or isinstance(row, list) else [row] for row in rows] for name, rows in columns.items()
    }
    batch = pa.RecordBatch.from_arrays([pa.array(rows) for rows in lists.values()], list(lists))
    return stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions())


def write_split(folder: Path, split: str, columns: dict[str, list[Any]]) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics where StatisticsGen writes them."""
    file = folder / f"Split-{split}" / STATISTICS_FILE
    file.parent.mkdir(parents=True)
    statistics = statistics_of(columns)
    file.write_bytes(statistics.SerializeToString())
    return statistics


def anomalies_of(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, schema: schema_pb2.Schema
) -> anomalies_pb2.Anomalies:
    """What ExampleValidator finds."""
    return tfdv.validate_statistics(statistics, schema)


def schema_of(text: str) -> schema_pb2.Schema:
    """Parses a .pbtxt."""
    return text_format.Parse(text, schema_pb2.Schema())
