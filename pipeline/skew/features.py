"""How far the columns of served requests are from those of the training data, by TFDV's comparators."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.arrow_io.decode import decode_batches

L_INFINITY, JENSEN_SHANNON = "L-infinity", "Jensen-Shannon"


@dataclass(frozen=True)
class FeatureSkew:
    """One column.

    Attributes:
        column: its name.
        measure: L-infinity (the largest difference of a value's share) of text and classes, the Jensen-Shannon
            divergence (base 2, from 0 to 1) of numbers.
        distance: None where it cannot be computed, as of a column that no request had.
        threshold: None: no verdict.
        missing_training, missing_serving: the share of rows without a value.
        unseen: the share of served values that the training data do not have, of text columns; else None.
    """

    column: str
    measure: str
    distance: float | None
    threshold: float | None
    missing_training: float
    missing_serving: float
    unseen: float | None = None

    @property
    def skewed(self) -> bool:
        """Whether it is past its threshold; a column that is gone is."""
        if self.threshold is None:
            return False
        gone = self.missing_serving == 1.0 > self.missing_training
        return gone or (self.distance is not None and self.distance > self.threshold)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "skewed": self.skewed}


def statistics_of(examples: Sequence[bytes]) -> Any:
    """TFDV's statistics of serialized tf.Examples, a DatasetFeatureStatisticsList."""
    (batch,) = decode_batches([tf.constant(list(examples), tf.string)])
    return stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions())


def feature_skews(
    training: Any, serving: Any, schema: schema_pb2.Schema, columns: Iterable[str], threshold: float | None
) -> list[FeatureSkew]:
    """Each column's distance.

    Args:
        training: statistics of the training split.
        serving: statistics of served rows.
        schema: its skew_comparators hold the thresholds.
        columns: those that requests have.
        threshold: of columns for which the schema has none; None leaves them without a verdict.
    """
    columns = list(columns)
    compared, thresholds = _with_comparators(schema, columns, threshold)
    anomalies = tfdv.validate_statistics(training, compared, serving_statistics=serving)
    distances = _distances(anomalies)
    before, after = _by_name(training), _by_name(serving)
    return [
        FeatureSkew(
            column=name,
            measure=L_INFINITY if _is_text(compared, name) else JENSEN_SHANNON,
            distance=distances.get(name),
            threshold=thresholds[name],
            missing_training=_missing(training, before.get(name)),
            missing_serving=_missing(serving, after.get(name)),
            unseen=_unseen(before.get(name), after.get(name)) if _is_text(compared, name) else None,
        )
        for name in columns
    ]


def _with_comparators(
    schema: schema_pb2.Schema, columns: Sequence[str], threshold: float | None
) -> tuple[schema_pb2.Schema, dict[str, float | None]]:
    """The schema with a comparator for every column, since TFDV measures no others, and the thresholds that count."""
    compared = schema_pb2.Schema()
    compared.CopyFrom(schema)
    thresholds: dict[str, float | None] = {}
    for feature in compared.feature:
        if feature.name not in columns:
            feature.ClearField("skew_comparator")
            continue
        comparator = feature.skew_comparator
        measure = comparator.infinity_norm if feature.type == schema_pb2.BYTES else comparator.jensen_shannon_divergence
        given = measure.threshold if measure.HasField("threshold") else threshold
        thresholds[feature.name] = given
        # Nothing is past 1; None would be the same as 0.
        measure.threshold = 1.0 if given is None else given
    return compared, {name: thresholds.get(name) for name in columns}


def _distances(anomalies: anomalies_pb2.Anomalies) -> dict[str, float]:
    found = {}
    for info in anomalies.drift_skew_info:
        for measured in info.skew_measurements:
            if math.isfinite(measured.value):
                found[".".join(info.path.step)] = measured.value
    return found


def _is_text(schema: schema_pb2.Schema, name: str) -> bool:
    return any(feature.name == name and feature.type == schema_pb2.BYTES for feature in schema.feature)


def _by_name(statistics: Any) -> dict[str, Any]:
    return {".".join(feature.path.step) or feature.name: feature for feature in statistics.datasets[0].features}


def _missing(statistics: Any, feature: Any | None) -> float:
    rows = statistics.datasets[0].num_examples
    if feature is None or not rows:
        return 1.0
    common = feature.num_stats.common_stats if feature.HasField("num_stats") else feature.string_stats.common_stats
    return 1.0 - common.num_non_missing / rows


def _unseen(before: Any | None, after: Any | None) -> float | None:
    """By TFDV's most frequent values: exact where there are at most a thousand."""
    if before is None or after is None:
        return None
    known = {bucket.label for bucket in before.string_stats.rank_histogram.buckets}
    counts = {bucket.label: bucket.sample_count for bucket in after.string_stats.rank_histogram.buckets}
    total = sum(counts.values())
    return sum(count for label, count in counts.items() if label not in known) / total if total else None
