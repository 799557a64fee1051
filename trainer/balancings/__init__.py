"""Balancing: how the tasks' losses become one. A new kind is one module and one line in `BALANCINGS`."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from trainer.balancings.fixed import fixed

BALANCINGS: dict[str, Callable[[Mapping[str, tf.Tensor], Mapping[str, float]], tf.Tensor]] = {"fixed": fixed}
