"""One column's statistics, as TFDV computes them, in plain numbers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tensorflow_metadata.proto.v0 import statistics_pb2 as pb

STATISTICS_FILE = "FeatureStats.pb"


@dataclass(frozen=True)
class Column:
    """What is known of a column in one split.

    Attributes:
        name: the column's name.
        type: INT, FLOAT, STRING, BYTES or STRUCT.
        rows: rows in the split.
        present: rows with a value, NaN not counted.
        infinite: values that are infinite.
        value_counts: value → rows, of the most frequent values of a text or class column; None for numbers.
        least, greatest: the range of a number, NaN and infinity included as TFDV has them; None for text.
        shortest, longest: how many values the rows that have any hold.
    """

    name: str
    type: str
    rows: int
    present: int
    infinite: int
    value_counts: dict[str, int] | None
    least: float | None
    greatest: float | None
    shortest: int
    longest: int

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.rows - self.present


def read_split(statistics_uri: str, split: str) -> tuple[int, dict[str, Column]]:
    """The number of rows in a split of a statistics artifact, and its columns by name.

    Raises:
        OSError: the artifact's files are gone.
    """
    return read_columns(read_statistics(statistics_uri, split))


def read_statistics(statistics_uri: str, split: str) -> pb.DatasetFeatureStatisticsList:
    """What a statistics artifact holds of a split.

    Raises:
        OSError: the artifact's files are gone.
    """
    path = Path(statistics_uri) / f"Split-{split}" / STATISTICS_FILE
    return pb.DatasetFeatureStatisticsList.FromString(path.read_bytes())


def read_columns(statistics: pb.DatasetFeatureStatisticsList) -> tuple[int, dict[str, Column]]:
    """The number of rows in a split, and its columns by name."""
    if not statistics.datasets:
        return 0, {}
    dataset = statistics.datasets[0]
    columns = (_column(feature, int(dataset.num_examples)) for feature in dataset.features)
    return int(dataset.num_examples), {column.name: column for column in columns}


def _column(feature: pb.FeatureNameStatistics, rows: int) -> Column:
    kind = feature.WhichOneof("stats") or "string_stats"
    stats = getattr(feature, kind)
    common = stats.common_stats
    numbers = stats if kind == "num_stats" else None
    nan = max((int(h.num_nan) for h in numbers.histograms), default=0) if numbers else 0
    single_nan = nan if common.max_num_values <= 1 else 0
    return Column(
        name=".".join(feature.path.step) or feature.name,
        type=pb.FeatureNameStatistics.Type.Name(feature.type),
        rows=rows,
        present=int(common.num_non_missing) - single_nan,
        infinite=_infinite(numbers.histograms) if numbers else 0,
        value_counts=_value_counts(stats) if kind == "string_stats" else None,
        least=numbers.min if numbers else None,
        greatest=numbers.max if numbers else None,
        shortest=int(common.min_num_values),
        longest=int(common.max_num_values),
    )


def _infinite(histograms: Iterable[pb.Histogram]) -> int:
    counts = [
        sum(round(b.sample_count) for b in histogram.buckets if math.isinf(b.low_value) and b.low_value == b.high_value)
        for histogram in histograms
        if histogram.type == pb.Histogram.STANDARD
    ]
    return max(counts, default=0)


def _value_counts(stats: pb.StringStatistics) -> dict[str, int]:
    counts = {bucket.label: int(bucket.sample_count) for bucket in stats.rank_histogram.buckets}
    for top in stats.top_values:
        counts.setdefault(top.value, int(top.frequency))
    return counts
