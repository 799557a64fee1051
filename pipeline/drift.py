"""Drift: how far columns of served requests, or of the eval split, are from those of the training split."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import schema_pb2

from components.anomaly_gate.column import Column, read_columns
from janus_core.errors import ConfigError
from janus_core.examples.decode import decode_batches

L_INFINITY, JENSEN_SHANNON = "L-infinity", "Jensen-Shannon"

FEW = 20
"""A column with no more distinct values has a bin for each of them."""
BINS = 10


@dataclass(frozen=True)
class Bins:
    """The bins of a number.

    Attributes:
        single: values that have a bin of their own, ascending, [s].
        edges: between the bins of all other values, ascending, [e]; a value on an edge is below it.
        least, greatest: the range of the training split; below and above it are the last two bins.
    """

    single: np.ndarray
    edges: np.ndarray
    least: float
    greatest: float

    def shares(self, values: np.ndarray) -> np.ndarray:
        """The share of the values in each bin, [s + e + 3]; all 0 where there are no values."""
        bins = len(self.single) + np.searchsorted(self.edges, values)
        if len(self.single):
            nearest = np.minimum(np.searchsorted(self.single, values), len(self.single) - 1)
            bins = np.where(self.single[nearest] == values, nearest, bins)
        last = len(self.single) + len(self.edges) + 1
        bins = np.where(values < self.least, last, np.where(values > self.greatest, last + 1, bins))
        return np.bincount(bins, minlength=last + 2) / max(len(values), 1)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Those of the values that are outside the range."""
        return values[(values < self.least) | (values > self.greatest)]


def bins_of(training: np.ndarray, least: float = np.inf, greatest: float = -np.inf) -> Bins:
    """The values themselves where they are few, else deciles, with a bin for each value that is in a tenth of the rows.

    Args:
        training: finite values of the training split, or of a sample of it, [n], n > 0.
        least, greatest: the range of the whole split, where it is known to be wider.
    """
    distinct, counts = np.unique(training, return_counts=True)
    single = distinct if len(distinct) <= FEW else distinct[counts * BINS >= len(training)]
    rest = training[~np.isin(training, single)]
    edges = np.unique(np.quantile(rest, np.linspace(0, 1, BINS + 1)[1:-1])) if len(rest) else np.empty(0)
    return Bins(single, edges, min(least, float(distinct[0])), max(greatest, float(distinct[-1])))


def distance(measure: str, first: np.ndarray, second: np.ndarray) -> float:
    """Of two distributions over the same bins, from 0 to 1."""
    return jensen_shannon(first, second) if measure == JENSEN_SHANNON else float(np.abs(first - second).max())


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> float:
    """The divergence of two distributions over the same bins, in bits (Lin 1991)."""
    middle = (first + second) / 2
    there = [(shares[shares > 0], middle[shares > 0]) for shares in (first, second)]
    return sum(float(np.sum(shares * np.log2(shares / of))) for shares, of in there) / 2


def text_shares(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Two mappings of a value to its share as distributions over the same bins."""
    values = list(dict.fromkeys([*first, *second]))
    return np.array([first.get(v, 0.0) for v in values]), np.array([second.get(v, 0.0) for v in values])


NAMED = 5
"""So many values outside the training range are kept, the most frequent."""

MOST_BYTES = 1 << 26
"""Of the records that a sample's values are read from; of a very wide table fewer rows are read."""


@dataclass(frozen=True)
class Sample:
    """One side of a comparison.

    Attributes:
        statistics: TFDV's, of all rows: a DatasetFeatureStatisticsList.
        batches: rows to take the numbers' distributions from, all or a sample; none: numbers have no distance.
    """

    statistics: Any
    batches: Sequence[pa.RecordBatch]

    def numbers(self, column: str) -> np.ndarray:
        """The column's values except NaN, float64 [n]."""
        arrays = [batch.column(column).flatten() for batch in self.batches if column in batch.schema.names]
        arrays = [values for values in arrays if pa.types.is_integer(values.type) or pa.types.is_floating(values.type)]
        values = np.concatenate([np.empty(0), *(values.to_numpy(zero_copy_only=False) for values in arrays)])
        return values[~np.isnan(values)]


@dataclass(frozen=True)
class FeatureSkew:
    """One column.

    Attributes:
        measure: L-infinity (the largest difference of a value's share) of text, the Jensen-Shannon divergence (base 2,
            from 0 to 1) of numbers, in bins that the training split fixes; or what the schema's skew_comparator names.
        distance: None where it cannot be computed, as of a column that no request had.
        threshold: None: no verdict.
        missing_training, missing_serving: the share of rows without a value.
        unseen: the share of served values that the training data do not have, of text columns; else None.
        outside: the share of served numbers outside the range of the training split; else None.
        outside_count: how many these are.
        outside_distinct: how many different ones.
        outside_values: the most frequent of them.
        training_range: [least, greatest] of numbers; None of a sensitive column, whose values are not shown.
    """

    column: str
    measure: str
    distance: float | None
    threshold: float | None
    missing_training: float
    missing_serving: float
    unseen: float | None = None
    outside: float | None = None
    outside_count: int = 0
    outside_distinct: int = 0
    outside_values: tuple[float, ...] = ()
    training_range: tuple[float, float] | None = None

    @property
    def skewed(self) -> bool:
        """Whether it is past its threshold; a column that is gone is."""
        if self.threshold is None:
            return False
        gone = self.missing_serving == 1.0 > self.missing_training
        return gone or (self.distance is not None and self.distance > self.threshold)

    def without_values(self) -> "FeatureSkew":
        """The same, with none of the column's values."""
        return replace(self, outside_values=(), training_range=None)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "skewed": self.skewed}


def batches_of(examples: Sequence[bytes]) -> list[pa.RecordBatch]:
    """Serialized tf.Examples as RecordBatches; every n-th where they are too large to hold."""
    step = -(-sum(map(len, examples)) // MOST_BYTES) or 1
    return list(decode_batches([tf.constant(list(examples[::step]), tf.string)]))


def sample_of(examples: Sequence[bytes]) -> Sample:
    """A side of a comparison that consists of these serialized tf.Examples."""
    (batch,) = decode_batches([tf.constant(list(examples), tf.string)])
    return Sample(stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions()), [batch])


def feature_skews(
    training: Sample, serving: Sample, schema: schema_pb2.Schema, columns: Iterable[str], threshold: float | None
) -> list[FeatureSkew]:
    """Each column's distance.

    Args:
        schema: its skew_comparators hold the thresholds.
        columns: those that requests have.
        threshold: of columns for which the schema has none; None leaves them without a verdict.

    Raises:
        ConfigError: the schema names a measure that is not computed.
    """
    features = {feature.name: feature for feature in schema.feature}
    sides = [read_columns(side.statistics)[1] for side in (training, serving)]
    raw = [features_by_name(side.statistics) for side in (training, serving)]
    skews = []
    for name in columns:
        is_text = name in features and features[name].type == schema_pb2.BYTES
        measure, given = _comparator(features.get(name), is_text)
        before, after = (side.get(name) for side in sides)
        skew = {
            "column": name,
            "measure": measure,
            "threshold": threshold if given is None else given,
            "missing_training": _missing(before),
            "missing_serving": _missing(after),
        }
        compared = (
            _text(measure, *(side.get(name) for side in raw))
            if is_text
            else _number(measure, before, training.numbers(name), serving.numbers(name))
        )
        skews.append(FeatureSkew(**{**skew, **compared}))
    return skews


def _comparator(feature: schema_pb2.Feature | None, is_text: bool) -> tuple[str, float | None]:
    """The measure of a column, and its threshold in the schema."""
    usual = L_INFINITY if is_text else JENSEN_SHANNON
    if feature is None:
        return usual, None
    comparator = feature.skew_comparator
    given = {
        L_INFINITY: comparator.infinity_norm,
        JENSEN_SHANNON: comparator.jensen_shannon_divergence,
        "normalized_abs_difference": comparator.normalized_abs_difference,
    }
    given = {measure: limit for measure, limit in given.items() if limit.HasField("threshold")}
    if not given:
        return usual, None
    measure = usual if usual in given else next(iter(given))
    if measure not in (L_INFINITY, JENSEN_SHANNON):
        raise ConfigError(
            f"schema: the skew_comparator of column '{feature.name}' is {measure}, which `janus skew` does not "
            "compute: use infinity_norm or jensen_shannon_divergence"
        )
    return measure, given[measure].threshold


def _number(measure: str, column: Column | None, before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    before = before[np.isfinite(before)]
    if not len(before):
        return {"distance": None}
    known = [limit for limit in (column.least, column.greatest) if column and limit is not None] if column else []
    known = [limit for limit in known if math.isfinite(limit)]
    bins = bins_of(before, min(known, default=math.inf), max(known, default=-math.inf))
    outside, counts = np.unique(bins.outside(after), return_counts=True)
    named = outside[np.argsort(-counts, kind="stable")]
    return {
        "distance": distance(measure, bins.shares(before), bins.shares(after)) if len(after) else None,
        "outside": float(counts.sum() / len(after)) if len(after) else None,
        "outside_count": int(counts.sum()),
        "outside_distinct": len(outside),
        "outside_values": tuple(named[np.isfinite(named)][:NAMED].tolist()),
        "training_range": (bins.least, bins.greatest),
    }


def _text(measure: str, before: Any | None, after: Any | None) -> dict[str, Any]:
    first, second = _value_shares(before), _value_shares(after)
    if not first or not second:
        return {"distance": None}
    # TFDV lists the most frequent values: whether the training split had others is unknown.
    all_known = before is not None and len(first) >= before.string_stats.unique
    return {
        "distance": distance(measure, *text_shares(first, second)),
        "unseen": sum(share for value, share in second.items() if value not in first) if all_known else None,
    }


def _value_shares(feature: Any | None) -> dict[str, float]:
    counts = value_counts(feature)
    total = max(sum(counts.values()), feature.string_stats.common_stats.tot_num_values) if feature and counts else 0
    return {value: count / total for value, count in counts.items()} if total else {}


def value_counts(feature: Any | None) -> dict[str, float]:
    """The most frequent values of a column of text, with their counts, by its FeatureNameStatistics."""
    if feature is None or not feature.HasField("string_stats"):
        return {}
    return {bucket.label: bucket.sample_count for bucket in feature.string_stats.rank_histogram.buckets}


def features_by_name(statistics: Any) -> dict[str, Any]:
    """Column → its FeatureNameStatistics, of a DatasetFeatureStatisticsList."""
    features = statistics.datasets[0].features if statistics.datasets else ()
    return {".".join(feature.path.step) or feature.name: feature for feature in features}


def _missing(column: Column | None) -> float:
    return column.missing / column.rows if column is not None and column.rows else 1.0
