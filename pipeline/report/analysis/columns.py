"""Statistics and anomalies of the columns, of both splits side by side, as TFDV and ExampleValidator have them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.anomaly_gate.column import read_columns, read_statistics
from pipeline.drift import Bins, Sample, feature_skews, features_by_name, value_counts
from pipeline.report.analysis.analysis_json import AnomalyLine, Bar, ColumnAnalysis, ColumnSide
from pipeline.report.report_json import finite

BARS = 8
"""Of text and of few numbers, the most frequent values and one bar for the others; else ranges of equal width."""
OUTERMOST = 0.005
"""Share of the training split's rows beyond each end of the ranges, where bars of their own show what is there."""

ANOMALIES_FILE = "SchemaDiff.pb"
TRAIN, EVAL = "train", "eval"
OTHERS = "others"


def columns_of(
    statistics_uri: str,
    schema: schema_pb2.Schema | None,
    batches: Mapping[str, Sequence[pa.RecordBatch]] | None = None,
    sensitive: Collection[str] = (),
) -> list[ColumnAnalysis]:
    """Every column, in the order of the training statistics; distances where there is a schema.

    Args:
        statistics_uri: folder of StatisticsGen's artifact.
        schema: of the data.
        batches: split → rows that the numbers' distributions are taken from; TFDV's histograms have each split's own
            bins, which cannot be compared. None: numbers have neither bars nor distances.
        sensitive: columns of which no value may be shown: neither bars nor extremes.

    Raises:
        OSError: the artifact's files are gone.
    """
    rows = batches or {}
    samples = {split: Sample(read_statistics(statistics_uri, split), rows.get(split, [])) for split in (TRAIN, EVAL)}
    sides = {split: read_columns(sample.statistics)[1] for split, sample in samples.items()}
    raw = {split: features_by_name(sample.statistics) for split, sample in samples.items()}
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
                bars=_number_bars(*(samples[split].numbers(name) for split in (TRAIN, EVAL)))
                if either.value_counts is None
                else _text_bars(*(value_counts(raw[split].get(name)) for split in (TRAIN, EVAL))),
            )
        )
    for column in (column for column in columns if column.name in sensitive):
        column.bars = []
        for side in filter(None, (column.train, column.eval)):
            side.least = side.median = side.greatest = None
    if schema is not None and all(sides.values()):
        _add_distances(columns, samples[TRAIN], samples[EVAL], schema)
    return columns


def anomalies_of(anomalies_uri: str, sensitive: Collection[str] = ()) -> list[AnomalyLine]:
    """The anomalies of both splits; of sensitive columns the short descriptions, which contain no values.

    Raises:
        OSError: the artifact's files are gone.
    """
    lines = []
    for split in (TRAIN, EVAL):
        path = Path(anomalies_uri) / f"Split-{split}" / ANOMALIES_FILE
        if not path.exists():
            continue
        anomalies = anomalies_pb2.Anomalies.FromString(path.read_bytes())
        for name, info in sorted(anomalies.anomaly_info.items()):
            severity = anomalies_pb2.AnomalyInfo.Severity.Name(info.severity).lower()
            text = info.short_description if name in sensitive else info.description or info.short_description
            lines.append(AnomalyLine(split=split, column=name, severity=severity, text=text))
    return lines


def _side(column: Any | None, feature: Any | None) -> ColumnSide | None:
    if column is None or feature is None:
        return None
    side = ColumnSide(present=column.present, missing_share=column.missing / column.rows if column.rows else 1.0)
    if feature.HasField("num_stats"):
        numbers = feature.num_stats
        side.mean, side.deviation = finite(numbers.mean), finite(numbers.std_dev)
        side.least, side.median, side.greatest = (finite(value) for value in (numbers.min, numbers.median, numbers.max))
    elif feature.HasField("string_stats"):
        side.distinct = int(feature.string_stats.unique) or None
    return side


def _text_bars(train: Mapping[str, float], evaluated: Mapping[str, float]) -> list[Bar]:
    order = sorted({**train, **evaluated}, key=lambda value: (-train.get(value, 0) - evaluated.get(value, 0), value))
    totals = [sum(counts.values()) or 1.0 for counts in (train, evaluated)]
    shares = [(v, train.get(v, 0) / totals[0], evaluated.get(v, 0) / totals[1]) for v in order]
    bars = [Bar(label=value, train=before, eval=after) for value, before, after in shares[:BARS]]
    rest = shares[BARS:]
    if rest:
        bars.append(Bar(label=OTHERS, train=sum(s[1] for s in rest), eval=sum(s[2] for s in rest)))
    return bars


def _number_bars(train: np.ndarray, evaluated: np.ndarray) -> list[Bar]:
    """The same bars of both splits, made for the training split, or the other where it has no values."""
    basis = train if np.isfinite(train).any() else evaluated
    basis = basis[np.isfinite(basis)]
    if not len(basis):
        return []
    values, edges = np.unique(basis), np.empty(0)
    labels = [f"{value:.6g}" for value in values] + [OTHERS]
    if len(values) > BARS:
        low, high = np.quantile(basis, [OUTERMOST, 1 - OUTERMOST])
        ends = np.linspace(*((low, high) if high > low else (values[0], values[-1])), BARS + 1)
        values, edges = np.empty(0), np.append(np.nextafter(ends[0], -np.inf), ends[1:])
        inside = [f"{ends[i]:.4g} – {ends[i + 1]:.4g}" for i in range(BARS)]
        labels = [f"below {ends[0]:.4g}", *inside, f"above {ends[-1]:.4g}"]
    bins = Bins(values, edges, -np.inf, np.inf)
    shares = zip(labels, bins.shares(train), bins.shares(evaluated), strict=False)
    bars = [Bar(label=label, train=float(before), eval=float(after)) for label, before, after in shares]
    outer = {0, len(bars) - 1} if len(edges) else {len(bars) - 1}
    return [bar for place, bar in enumerate(bars) if place not in outer or bar.train or bar.eval]


def _add_distances(
    columns: Sequence[ColumnAnalysis], train: Sample, evaluated: Sample, schema: schema_pb2.Schema
) -> None:
    known = {feature.name for feature in schema.feature}
    names = [column.name for column in columns if column.name in known]
    skews = {skew.column: skew for skew in feature_skews(train, evaluated, schema, names, None)}
    for column in columns:
        skew = skews.get(column.name)
        if skew is not None:
            column.measure, column.distance, column.unseen = skew.measure, skew.distance, skew.unseen
            column.outside = skew.outside
