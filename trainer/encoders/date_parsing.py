"""Dates and times in TensorFlow's graph: parsed to seconds since 1970 in UTC, and taken apart. Years 1 to 9999.

The days are those of the proleptic Gregorian calendar, by Hinnant's algorithms (chrono-Compatible Low-Level Date
Algorithms, 2013). What text is a date is decided as in `janus_core.tables.times`.
"""

import math
import re

import tensorflow as tf

from janus_core.tables.times import EPOCHS, FIRST, LAST, MILLISECONDS_FROM, MONTHS, time_pattern
from trainer.raw_values import Raw, numbers, strings

DAY = 86_400.0

_NUMBER = r"\s*[+-]?\d{1,18}(?:\.\d{1,9})?\s*"
_SEPARATOR = "|"
_MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
_LIMITS = {"m": (1, 12), "H": (0, 23), "I": (1, 12), "M": (0, 59), "S": (0, 60)}


def instants(raw: Raw, form: str | None) -> tf.Tensor:
    """A raw column as seconds since 1970 in UTC, float64 [batch, 1]; NaN where there is no date of the form.

    `form` is that of `DatetimeFeature`.
    """
    if form is None and raw.dtype != tf.string:
        values = numbers(raw)
        seconds = tf.where(tf.abs(values) < MILLISECONDS_FROM, values, values / 1000.0)
    elif form in EPOCHS:
        values = numbers(raw) if raw.dtype != tf.string else tf.expand_dims(_parsed_numbers(strings(raw)), 1)
        seconds = values / EPOCHS[form]
    else:
        seconds = tf.expand_dims(_parsed(strings(raw), form), 1)
    known = (seconds >= FIRST) & (seconds <= LAST)
    return tf.where(known, seconds, tf.fill(tf.shape(seconds), tf.constant(math.nan, tf.float64)))


def year_place(days: tf.Tensor) -> tf.Tensor:
    """Days since 1970, whole float64 → the place in the year, in [0, 1), a month being a twelfth of it."""
    shifted = tf.cast(days, tf.int64) + 719_468
    day = tf.math.floormod(shifted, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    # Of a year that begins in March.
    day_of_year = day - (365 * year + year // 4 - year // 100)
    month = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * month + 2) // 5
    since_january = tf.math.floormod(month + 2, 12)
    return (tf.cast(since_january, tf.float64) + tf.cast(day_of_month, tf.float64) / 31.0) / 12.0


def _parsed_numbers(text: tf.Tensor) -> tf.Tensor:
    known = tf.strings.regex_full_match(text, _NUMBER)
    return tf.strings.to_number(tf.where(known, tf.strings.strip(text), "nan"), tf.float64)


def _parsed(text: tf.Tensor, form: str | None) -> tf.Tensor:
    """string [n] → seconds, float64 [n]; NaN where it is no date."""
    pattern = time_pattern(form)
    names = list(re.compile(pattern).groupindex)
    rewrite = _SEPARATOR.join(rf"\{place + 1}" for place in range(len(names)))
    valid = tf.strings.regex_full_match(text, pattern)
    joined = tf.where(valid, tf.strings.regex_replace(text, pattern, rewrite), _SEPARATOR * (len(names) - 1))
    columns = tf.unstack(tf.reshape(tf.strings.split(joined, _SEPARATOR).values, [-1, len(names)]), axis=1)
    parts = dict(zip(names, columns, strict=True))
    numeric = {name: _whole(part) for name, part in parts.items() if name in "YymdHIMS"}
    for name, (least, most) in _LIMITS.items():
        if name in numeric:
            # Without a month, there is no date.
            given = parts[name] != ""
            valid &= ~given | ((numeric[name] >= least) & (numeric[name] <= most))
    if "Y" in numeric:
        year = numeric["Y"]
    else:
        year = numeric["y"] + tf.where(numeric["y"] < 69, tf.constant(2000, tf.int64), tf.constant(1900, tf.int64))
    month = numeric["m"] if "m" in numeric else _month(parts["b"])
    zero = tf.zeros_like(year)
    # ISO 8601 may leave the day out.
    day = tf.where(parts["d"] == "", zero + 1, numeric["d"]) if "d" in numeric else zero + 1
    valid &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= _days_in_month(year, month))
    hour = numeric.get("H", zero)
    if "I" in numeric:
        afternoon = tf.strings.regex_full_match(parts["p"], "[pP].*") if "p" in parts else tf.zeros_like(valid)
        hour = tf.math.floormod(numeric["I"], 12) + 12 * tf.cast(afternoon, tf.int64)
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + numeric.get("M", zero)) * 60 + numeric.get("S", zero)
    if "z" in parts:
        seconds -= _offset(parts["z"])
    result = tf.cast(seconds, tf.float64)
    if "f" in parts:
        digits = tf.strings.substr(tf.strings.join([parts["f"], "000000"]), 0, 6)
        result += tf.cast(_whole(digits), tf.float64) / 1e6
    return tf.where(valid, result, tf.fill(tf.shape(result), tf.constant(math.nan, tf.float64)))


def _whole(text: tf.Tensor) -> tf.Tensor:
    return tf.strings.to_number(tf.where(text == "", "0", text), tf.int64)


def _month(name: tf.Tensor) -> tf.Tensor:
    """The number of a month by its English name; 0 where it is none."""
    known = tf.expand_dims(tf.strings.lower(tf.strings.substr(name, 0, 3)), 1) == tf.constant([list(MONTHS)])
    return tf.reduce_sum(tf.cast(known, tf.int64) * tf.range(1, 13, dtype=tf.int64), axis=1)


def _days_in_month(year: tf.Tensor, month: tf.Tensor) -> tf.Tensor:
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days = tf.gather(tf.constant(_MONTH_DAYS, tf.int64), tf.clip_by_value(month - 1, 0, 11))
    return days + tf.cast(leap & (month == 2), tf.int64)


def _days(year: tf.Tensor, month: tf.Tensor, day: tf.Tensor) -> tf.Tensor:
    """Days since 1970."""
    year = year - tf.cast(month <= 2, tf.int64)
    era = tf.math.floordiv(year, 400)
    year_of_era = year - era * 400
    day_of_year = (153 * tf.math.floormod(month + 9, 12) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _offset(zone: tf.Tensor) -> tf.Tensor:
    """Seconds east of Greenwich, int64."""
    signed = tf.strings.regex_full_match(zone, r"[+-].*")
    digits = tf.strings.regex_replace(tf.where(signed, zone, "+0000"), ":", "")
    minutes = 60 * _whole(tf.strings.substr(digits, 1, 2)) + _whole(tf.strings.substr(digits, 3, 2))
    west = tf.strings.regex_full_match(digits, "-.*")
    return 60 * tf.where(west, -minutes, minutes)
