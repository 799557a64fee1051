"""Dates and times: a trend, cycles, and the days since another date; all 0 where the date is missing."""

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from trainer.config.features import column_of
from trainer.config.features.datetime import DatetimeFeature, Part
from trainer.encoders.base import Inputs
from trainer.encoders.date_parsing import DAY, instants, year_place
from trainer.raw_values import Raw
from trainer.statistics import extremes, moments

_LEAST_SPAN: dict[Part, float] = {"month": 365.0, "weekday": 7.0}
"""Days that the training split must span for a cycle that is not asked for: else, parts of it were never seen."""


def preprocess(features: Mapping[str, DatetimeFeature], raw: Mapping[str, Raw]) -> dict[str, tf.Tensor]:
    """Each feature as float32 [batch, numbers of its parts]."""
    days = {name: _days(feature, raw[column_of(name, feature)]) for name, feature in features.items()}
    clocks = {name: values - tf.floor(values) for name, values in days.items()}
    elapsed = {name: days[name] - _days(f, raw[f.since]) for name, f in features.items() if f.since}
    squashed = {name: tf.sign(values) * tf.math.log1p(tf.abs(values)) for name, values in elapsed.items()}
    order = [(group, name) for group in (days, clocks, elapsed, squashed) for name in group]
    packed = tf.concat([group[name] for group, name in order], axis=1)
    mean, deviation = map(tf.unstack, moments(packed))
    lowest, greatest = map(tf.unstack, extremes(packed))
    place = {(id(group), name): index for index, (group, name) in enumerate(order)}

    def scaled(group: dict[str, tf.Tensor], name: str) -> tf.Tensor:
        index = place[id(group), name]
        values = tf.clip_by_value(group[name], lowest[index], greatest[index])
        return (values - mean[index]) / deviation[index]

    result = {}
    for name, feature in features.items():
        day, clock = place[id(days), name], place[id(clocks), name]
        span = greatest[day] - lowest[day]
        parts: dict[Part, tf.Tensor] = {
            "trend": scaled(days, name),
            "month": _cycle(year_place(tf.floor(_known(days[name])))),
            "weekday": _cycle((tf.math.floormod(tf.floor(_known(days[name])) + 3.0, 7.0) + clocks[name]) / 7.0),
            "hour": _cycle(clocks[name]),
        }
        if feature.parts is None:
            seen: dict[Part, tf.Tensor] = {part: span >= least for part, least in _LEAST_SPAN.items()}
            seen["hour"] = greatest[clock] > 0.0
            parts |= {part: tf.where(spanned, parts[part], 0.0) for part, spanned in seen.items()}
        chosen = [parts[part] for part in feature.chosen]
        chosen = [tf.where(tf.math.is_nan(days[name]), tf.zeros_like(part), part) for part in chosen]
        if feature.since:
            chosen += [scaled(elapsed, name), scaled(squashed, name)]
        values = tf.concat(chosen, axis=1)
        values = tf.where(tf.math.is_nan(values), tf.zeros_like(values), values)
        result[name] = tf.ensure_shape(tf.cast(values, tf.float32), [None, feature.network_size().width])
    return result


def encode(name: str, feature: DatetimeFeature, transform: tft.TFTransformOutput, inputs: Inputs, prefix: str) -> Any:
    """The numbers themselves."""
    return inputs[name]


def missing(name: str, feature: DatetimeFeature, raw: Mapping[str, Raw]) -> tf.Tensor:
    """Whether there is no date of the form."""
    return tf.math.is_nan(_days(feature, raw[column_of(name, feature)]))


def _days(feature: DatetimeFeature, raw: Raw) -> tf.Tensor:
    return instants(raw, feature.format) / DAY


def _known(values: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_nan(values), tf.zeros_like(values), values)


def _cycle(turns: tf.Tensor) -> tf.Tensor:
    """[batch, 1] in turns → sine and cosine, [batch, 2]."""
    return tf.concat([tf.sin(2 * math.pi * turns), tf.cos(2 * math.pi * turns)], axis=1)
