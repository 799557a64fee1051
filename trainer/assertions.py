"""Assertions of the served graph, by which requests with invalid values are refused with the name of the column.

TensorFlow's casts do not check: NaN, infinity and 1e30 all become the least int64. Names in messages are not quoted,
since TensorFlow's Assert would escape the quotes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf

from serving.rows import EXACT

_MOST_NAMED = 3


@dataclass(frozen=True)
class Column:
    """A raw column of a request.

    Attributes:
        width: values per row; None: any number, [rows, n].
        required: whether NaN and the empty text, which mean a missing value, are refused.
        whole: whether its values are whole numbers, as float64.
    """

    name: str
    width: int | None
    required: bool
    whole: bool


def per_row(columns: Sequence[tuple[Column, tf.Tensor]]) -> list[tf.Tensor]:
    """Each column as [rows, width]; a column with a single row is broadcast to all rows.

    A column of one value per row may be of shape [rows] or [rows, 1]. Another shape, or another number of rows than
    that of the other columns, fails as INVALID_ARGUMENT with the column's name.
    """
    widths = tf.stack([_width(column, values) for column, values in columns])
    counts = tf.stack([tf.reduce_prod(tf.shape(values)[:1]) for _, values in columns])
    sizes = tf.stack([tf.size(values) for _, values in columns])
    rows = tf.reduce_max(counts)
    uneven = tf.where(sizes != counts * widths)[:, 0]
    short = tf.where((counts != rows) & (counts != 1))[:, 0]
    names = tf.constant([column.name for column, _ in columns])
    most = tf.strings.join([" rows, but column ", names[tf.argmax(counts)], " has ", tf.strings.as_string(rows)])
    problems = tf.concat(
        [
            tf.gather(
                [f"column {column.name} must have {_values(column.width)} per row" for column, _ in columns],
                uneven,
            ),
            tf.strings.join(
                ["column ", tf.gather(names, short), " has ", tf.strings.as_string(tf.gather(counts, short)), most]
            ),
        ],
        0,
    )
    with tf.control_dependencies([_require_none(problems, "column_shapes")]):
        counts, rows = tf.identity(counts), tf.identity(rows)
    broadcast = []
    for place, (column, values) in enumerate(columns):
        # Without the count, a vector of another length would fail here, with the name of a node.
        count = -1 if column.width == 1 else counts[place]
        width = column.width or widths[place]
        broadcast.append(tf.broadcast_to(tf.reshape(values, [count, width]), [rows, width]))
    return broadcast


def require_values(table: Sequence[tuple[Column, tf.Tensor]]) -> list[tf.Operation]:
    """Assertions that whole numbers are whole, finite and exact, and that no required value is missing.

    Values are [rows, width]: text, float32, or float64 for whole numbers.

    Returns:
        Operations that must run before any output is returned.
    """
    whole = [(column, values) for column, values in table if column.whole]
    others = [(column, values) for column, values in table if column.required and not column.whole]
    problems = []
    if whole:
        problems.append(_not_whole(whole))
    if others:
        missing = tf.stack([_any_missing(values) for _, values in others])
        names = tf.constant([f"column {column.name} is missing, but required" for column, _ in others])
        problems.append(tf.boolean_mask(names, missing))
    return [_require_none(tf.concat(problems, 0), "column_values")] if problems else []


def require_finite(features: Mapping[str, tf.Tensor]) -> list[tf.Operation]:
    """An assertion that the network's inputs are finite, that is the float32 ones of the transformed features.

    An infinite number, or one so far from the training data that its scaled value exceeds float32, would result in NaN,
    or in a constant where an activation saturates.
    """
    numbers = {name: values for name, values in features.items() if values.dtype.is_floating}
    if not numbers:
        return []
    names = [name for name, values in numbers.items() for _ in range(values.shape[1])]
    good = tf.reduce_all(tf.math.is_finite(tf.concat(list(numbers.values()), axis=1)), axis=0)
    texts = tf.constant([f"feature {name} is infinite, or too large for its scale" for name in names])
    return [_require_none(tf.boolean_mask(texts, ~good), "feature_values")]


def _not_whole(table: Sequence[tuple[Column, tf.Tensor]]) -> tf.Tensor:
    """A sentence for each value that is wrong, string [n]."""
    values = tf.concat([values for _, values in table], axis=1)
    widths = tf.stack([_width(column, part) for column, part in table])
    optional = tf.repeat([not column.required for column, _ in table], widths)
    missing = tf.math.is_nan(values)
    exact = (tf.abs(values) <= EXACT) & (tf.floor(values) == values)
    places = tf.where(~(exact | (missing & optional)))[:_MOST_NAMED]
    names = tf.repeat([f"column {column.name} is " for column, _ in table], widths)
    wrong = tf.gather_nd(values, places)
    reasons = tf.strings.join([tf.strings.as_string(wrong, shortest=True), f", not a whole number up to {EXACT}"])
    reasons = tf.where(tf.math.is_nan(wrong), "missing, but required", reasons)
    return tf.strings.join([tf.gather(names, places[:, 1]), reasons])


def _width(column: Column, values: tf.Tensor) -> tf.Tensor:
    return tf.constant(column.width) if column.width is not None else tf.shape(values)[1]


def _values(width: int | None) -> str:
    return "one value" if width == 1 else f"{width} values"


def _any_missing(values: tf.Tensor) -> tf.Tensor:
    missing = values == "" if values.dtype == tf.string else tf.math.is_nan(values)
    return tf.reduce_any(tf.reduce_all(missing, axis=1))


def _require_none(problems: tf.Tensor, name: str) -> tf.Operation:
    message = tf.strings.reduce_join(problems[:_MOST_NAMED], separator="; ")
    return tf.debugging.Assert(tf.equal(tf.size(problems), 0), [message], name=name)
