"""The data as TFDV and ExampleValidator describe them: both splits beside each other, and what is wrong."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.anomaly_gate.column import STATISTICS_FILE, read_columns
from pipeline.html_report.analysis import AnomalyLine, Bar, ColumnAnalysis, ColumnSide

BARS = 8
"""Of text, the most frequent values and one bar for the others; of numbers, ranges of equal width."""

ANOMALIES_FILE = "SchemaDiff.pb"
TRAIN, EVAL = "train", "eval"
OTHERS = "others"


def columns_of(statistics_uri: str, schema: schema_pb2.Schema | None) -> list[ColumnAnalysis]:
    """Every column, in the order of the training statistics; distances where there is a schema.

    Args:
        statistics_uri: folder of StatisticsGen's artifact.
        schema: of the data.

    Raises:
        OSError: the artifact's files are gone.
    """
    found = {split: _load(statistics_uri, split) for split in (TRAIN, EVAL)}
    sides = {split: read_columns(statistics)[1] for split, statistics in found.items()}
    raw = {split: _by_name(statistics) for split, statistics in found.items()}
    names = list(dict.fromkeys([*sides[TRAIN], *sides[EVAL]]))
    columns = []
    for name in names:
        either = sides[TRAIN].get(name) or sides[EVAL][name]
        columns.append(
            ColumnAnalysis(
                name=name,
                type=either.type.lower(),
                train=_side(sides[TRAIN].get(name), raw[TRAIN].get(name)),
                eval=_side(sides[EVAL].get(name), raw[EVAL].get(name)),
                bars=_bars(raw[TRAIN].get(name), raw[EVAL].get(name)),
            )
        )
    if schema is not None and all(read_columns(statistics)[0] for statistics in found.values()):
        _add_distances(columns, found[TRAIN], found[EVAL], schema)
    return columns


def anomalies_of(anomalies_uri: str) -> list[AnomalyLine]:
    """What ExampleValidator found, of both splits.

    Raises:
        OSError: the artifact's files are gone.
    """
    lines = []
    for split in (TRAIN, EVAL):
        path = Path(anomalies_uri) / f"Split-{split}" / ANOMALIES_FILE
        if not path.exists():
            continue
        found = anomalies_pb2.Anomalies.FromString(path.read_bytes())
        for name, info in sorted(found.anomaly_info.items()):
            severity = anomalies_pb2.AnomalyInfo.Severity.Name(info.severity).lower()
            text = info.description or info.short_description
            lines.append(AnomalyLine(split=split, column=name, severity=severity, text=text))
    return lines


def _load(statistics_uri: str, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    path = Path(statistics_uri) / f"Split-{split}" / STATISTICS_FILE
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())


def _by_name(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> dict[str, Any]:
    features = statistics.datasets[0].features if statistics.datasets else ()
    return {".".join(feature.path.step) or feature.name: feature for feature in features}


def _side(column: Any | None, feature: Any | None) -> ColumnSide | None:
    if column is None or feature is None:
        return None
    side = ColumnSide(present=column.present, missing_share=column.missing / column.rows if column.rows else 1.0)
    if feature.HasField("num_stats"):
        numbers = feature.num_stats
        side.mean, side.deviation = _finite(numbers.mean), _finite(numbers.std_dev)
        side.least, side.median, side.greatest = (
            _finite(value) for value in (numbers.min, numbers.median, numbers.max)
        )
    elif feature.HasField("string_stats"):
        side.distinct = int(feature.string_stats.unique) or None
    return side


def _bars(train: Any | None, evaluated: Any | None) -> list[Bar]:
    """The same bars of both splits."""
    either = train if train is not None else evaluated
    if either is None:
        return []
    if either.HasField("num_stats"):
        return _number_bars(_histogram(train), _histogram(evaluated))
    return _text_bars(_counts(train), _counts(evaluated))


def _text_bars(train: Mapping[str, float], evaluated: Mapping[str, float]) -> list[Bar]:
    order = sorted({**train, **evaluated}, key=lambda value: (-train.get(value, 0) - evaluated.get(value, 0), value))
    totals = [sum(counts.values()) or 1.0 for counts in (train, evaluated)]
    shares = [(v, train.get(v, 0) / totals[0], evaluated.get(v, 0) / totals[1]) for v in order]
    bars = [Bar(label=value, train=before, eval=after) for value, before, after in shares[:BARS]]
    rest = shares[BARS:]
    if rest:
        bars.append(Bar(label=OTHERS, train=sum(s[1] for s in rest), eval=sum(s[2] for s in rest)))
    return bars


def _counts(feature: Any | None) -> dict[str, float]:
    if feature is None or not feature.HasField("string_stats"):
        return {}
    return {bucket.label: bucket.sample_count for bucket in feature.string_stats.rank_histogram.buckets}


_Buckets = Sequence[tuple[float, float, float]]


def _histogram(feature: Any | None) -> _Buckets:
    """The finite buckets (low, high, count), of equal width."""
    if feature is None or not feature.HasField("num_stats"):
        return []
    kinds = {histogram.type: histogram for histogram in feature.num_stats.histograms}
    histogram = kinds.get(statistics_pb2.Histogram.STANDARD)
    if histogram is None:
        return []
    return [
        (b.low_value, b.high_value, b.sample_count)
        for b in histogram.buckets
        if math.isfinite(b.low_value) and math.isfinite(b.high_value)
    ]


def _number_bars(train: _Buckets, evaluated: _Buckets) -> list[Bar]:
    buckets = [*train, *evaluated]
    if not buckets:
        return []
    low, high = min(b[0] for b in buckets), max(b[1] for b in buckets)
    if not high > low:
        return [Bar(label=f"{low:.4g}", train=float(bool(train)), eval=float(bool(evaluated)))]
    edges = np.linspace(low, high, BARS + 1)
    shares = [_rebinned(found, edges) for found in (train, evaluated)]
    return [
        Bar(label=f"{edges[i]:.4g} – {edges[i + 1]:.4g}", train=float(shares[0][i]), eval=float(shares[1][i]))
        for i in range(BARS)
    ]


def _rebinned(buckets: _Buckets, edges: np.ndarray) -> np.ndarray:
    """Shares of the bins, each bucket spread evenly over its range."""
    if not buckets:
        return np.zeros(len(edges) - 1)
    below = np.zeros(len(edges))
    for low, high, count in buckets:
        reached = (edges >= high).astype(float) if high == low else np.clip((edges - low) / (high - low), 0, 1)
        below += count * reached
    # A bucket without a width at the lowest edge belongs to the first bin.
    below[0] = 0
    return np.diff(below) / below[-1] if below[-1] else np.zeros(len(edges) - 1)


def _add_distances(columns: Sequence[ColumnAnalysis], train: Any, evaluated: Any, schema: schema_pb2.Schema) -> None:
    from pipeline.skew.features import feature_skews

    known = {feature.name for feature in schema.feature}
    names = [column.name for column in columns if column.name in known]
    found = {skew.column: skew for skew in feature_skews(train, evaluated, schema, names, None)}
    for column in columns:
        skew = found.get(column.name)
        if skew is not None:
            column.measure, column.distance, column.unseen = skew.measure, skew.distance, skew.unseen


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
