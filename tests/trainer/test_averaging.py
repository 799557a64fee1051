import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.averaging import averaging_from_the_start


@pytest.mark.parametrize("momentum", [0.3, 0.998])
def test_the_average_forgets_the_first_weights_soon(momentum: float) -> None:
    weight = keras.Variable(10.0)
    optimizer = averaging_from_the_start(keras.optimizers.SGD)(1.0, use_ema=True, ema_momentum=momentum)
    optimizer.build([weight])

    @tf.function
    def step() -> None:
        optimizer.apply([tf.constant(1.0)], [weight])

    expected = np.nan
    for number in range(40):
        step()
        value = 9.0 - number
        # As tf.train.ExponentialMovingAverage with num_updates, but longer; the first step is the average itself.
        kept = min(momentum, (1 + number) / (4 + number)) if number else 0
        expected = kept * (expected if number else 0) + (1 - kept) * value
    assert float(optimizer._model_variables_moving_average[0]) == pytest.approx(expected, rel=1e-5)
    assert float(weight) == -30
