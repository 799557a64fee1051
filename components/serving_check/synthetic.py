"""Synthetic rows for a model's warm-up requests, made from the training split's statistics."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from janus_core.tables.times import EPOCHS

FEWEST_ROWS = 10
"""A text that occurs in fewer rows may identify a person."""
PLACEHOLDER = b"example"
"""The text of a column that is sensitive, or whose values are all rare."""
GREY_IMAGE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55000000"
    "0a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)
"""A PNG file of one grey pixel: images are not made from statistics."""
_STEPS = (0.0, 0.5, -0.5, 1.0, -1.0)
"""Distances of numbers from the mean, in standard deviations; identical rows would warm the model up less."""


def synthetic_rows(
    rows: Sequence[bytes],
    statistics: statistics_pb2.DatasetFeatureStatistics,
    count: int,
    sensitive: Collection[str],
    images: Collection[str] = (),
    dates: Mapping[str, str] | None = None,
) -> list[bytes]:
    """Serialized tf.Examples with every column of the given rows, of the same kind and number of values.

    Texts are frequent ones of the column. Numbers are near its mean, within its middle 80 % and rounded to three
    digits. Sensitive columns get a placeholder text and 0, columns of images a grey one, and
    columns of dates made ones.

    Args:
        rows: real rows, of which only columns, kinds and lengths are used.
        statistics: of the training split.
        count: the number of rows to make.
        sensitive: columns whose values must not be used.
        images: columns of encoded images.
        dates: columns of dates → their form, empty for the default one.
    """
    forms = _forms(rows)
    known = {".".join(feature.path.step) or feature.name: feature for feature in statistics.features}
    made = []
    for row in range(count):
        example = example_pb2.Example()
        for name, form in forms.items():
            column = None if name in sensitive else known.get(name)
            if name in images:
                example.features.feature[name].bytes_list.value.append(GREY_IMAGE)
            elif name in (dates or {}) and form[0] == "bytes_list":
                example.features.feature[name].bytes_list.value.append(_date((dates or {})[name], row))
            else:
                example.features.feature[name].CopyFrom(_feature(form, column, row))
        made.append(example.SerializeToString(deterministic=True))
    return made


def without_values(rows: Sequence[bytes], made: Sequence[bytes], sensitive: Collection[str]) -> list[bytes]:
    """Real rows, with the made rows' values in sensitive columns."""
    changed = []
    for row, other in zip(rows, made, strict=True):
        example, substitute = example_pb2.Example.FromString(row), example_pb2.Example.FromString(other)
        for name in sensitive:
            if name in example.features.feature:
                example.features.feature[name].CopyFrom(substitute.features.feature[name])
        changed.append(example.SerializeToString(deterministic=True))
    return changed


def _forms(rows: Sequence[bytes]) -> dict[str, tuple[str, int]]:
    """Column → (kind, number of values) of the first row that has any."""
    forms: dict[str, tuple[str, int]] = {}
    for row in rows:
        for name, feature in example_pb2.Example.FromString(row).features.feature.items():
            kind = feature.WhichOneof("kind")
            if kind and name not in forms and (length := len(getattr(feature, kind).value)):
                forms[name] = kind, length
    return dict(sorted(forms.items()))


def _feature(
    form: tuple[str, int], column: statistics_pb2.FeatureNameStatistics | None, row: int
) -> feature_pb2.Feature:
    kind, length = form
    feature = feature_pb2.Feature()
    if kind == "bytes_list":
        texts = _frequent_texts(column)
        feature.bytes_list.value.extend(texts[(row + place) % len(texts)] for place in range(length))
    else:
        numbers = [_number(column, row + place) for place in range(length)]
        if kind == "int64_list":
            feature.int64_list.value.extend(map(round, numbers))
        else:
            feature.float_list.value.extend(numbers)
    return feature


def _date(form: str, row: int) -> bytes:
    """A day of the year 2020 for each row, as a column of this form has it."""
    day = datetime(2020, 1, 15, 12, tzinfo=UTC) + timedelta(days=37 * (row % 9))
    if form in EPOCHS:
        return b"%d" % (day.timestamp() * EPOCHS[form])
    return day.strftime(form or "%Y-%m-%dT%H:%M:%SZ").encode()


def _frequent_texts(column: statistics_pb2.FeatureNameStatistics | None) -> list[bytes]:
    buckets = column.string_stats.rank_histogram.buckets if column is not None else ()
    # TFDV writes __LARGE_BYTES__ and the like in place of values that it does not keep.
    frequent = [b.label for b in buckets if b.sample_count >= FEWEST_ROWS and not b.label.startswith("__")]
    return [label.encode() for label in frequent] or [PLACEHOLDER]


def _number(column: statistics_pb2.FeatureNameStatistics | None, step: int) -> float:
    if column is None or not column.HasField("num_stats"):
        return 0.0
    numbers = column.num_stats
    value = numbers.mean + _STEPS[step % len(_STEPS)] * numbers.std_dev
    deciles = [h for h in numbers.histograms if h.type == statistics_pb2.Histogram.QUANTILES and len(h.buckets) > 2]
    if deciles:
        value = min(max(value, deciles[0].buckets[0].high_value), deciles[0].buckets[-1].low_value)
    # NaN and infinity, where the data have them, are in the mean.
    return float(f"{value:.3g}") if abs(value) < 2**53 else 0.0
