"""Conflict-averse gradients."""

import tensorflow as tf

from trainer.balancings.base import GradientCombination

MOST_STEPS = 250
TOLERANCE = 1e-12
TINY = 1e-200


class Cagrad(GradientCombination):
    """Liu, Liu, Jin, Stone and Liu 2021, "Conflict-Averse Gradient Descent for Multi-task Learning", algorithm 1.

    Among the directions within c·‖g_0‖ of the mean gradient g_0, the one along which the task that gains least gains
    most. By its dual (equation 4), d = g_0 + c·‖g_0‖·g_w/‖g_w‖, where g_w = Σ w_i·g_i and the w on the simplex
    minimise g_w·g_0 + c·‖g_0‖·‖g_w‖.

    What is returned is d times the number of tasks, so that with c = 0 it is the sum of the gradients, as `fixed`. The
    authors' code divides by 1 + c² besides, which their algorithm does not; optimizers like Adam do not see it. A task
    without a part in the batch has none in the mean and in the simplex.
    """

    def coefficients(self, products: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """1 + c·T·‖g_0‖/‖g_w‖·w, in float64 inside."""
        products, counted = tf.cast(products, tf.float64), tf.cast(present, tf.float64)
        count = tf.reduce_sum(counted)
        mean = tf.math.divide_no_nan(counted, count)
        with_mean = tf.linalg.matvec(products, mean)
        radius = self.settings.c * tf.sqrt(tf.maximum(tf.tensordot(mean, with_mean, 1), 0.0))
        shares = least_on_simplex(products, with_mean, radius, counted)
        length = tf.sqrt(tf.maximum(tf.tensordot(shares, tf.linalg.matvec(products, shares), 1), 0.0))
        return tf.cast(counted + count * tf.math.divide_no_nan(radius, length) * shares, tf.float32)


def least_on_simplex(products: tf.Tensor, slopes: tf.Tensor, radius: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """The w on the simplex that minimise w·slopes + radius·√(wᵀ·products·w).

    By moving weight between the pair of tasks that promises most, by as much as is best (pairwise Frank-Wolfe,
    Lacoste-Julien and Jaggi 2015, with an exact line search): for two tasks one step is the solution, for more it ends
    when no pair promises more than a relative TOLERANCE, or after MOST_STEPS.

    Args:
        products: float64 [T, T], inner products.
        slopes: float64 [T].
        radius: float64 scalar, not negative.
        counted: float64 [T], 0 for tasks whose weight is 0; if none is counted, all weights are.

    Returns:
        float64 [T].
    """
    tasks = products.shape[0]
    start = tf.math.divide_no_nan(counted, tf.reduce_sum(counted))
    enough = TOLERANCE * tf.reduce_max(tf.abs(products))

    def pair(shares: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The tasks that should gain and lose most, one-hot, and the slope between them."""
        along = tf.linalg.matvec(products, shares)
        length = tf.sqrt(tf.maximum(tf.tensordot(shares, along, 1), 0.0))
        gradient = slopes + radius * tf.math.divide_no_nan(along, length)
        infinite = tf.constant(float("inf"), tf.float64)
        gains = tf.argmin(tf.where(counted > 0, gradient, infinite))
        loses = tf.argmax(tf.where(shares > 0, gradient, -infinite))
        slope = tf.gather(gradient, loses) - tf.gather(gradient, gains)
        return tf.one_hot(gains, tasks, dtype=tf.float64), tf.one_hot(loses, tasks, dtype=tf.float64), slope

    def move(shares: tf.Tensor) -> tf.Tensor:
        gains, loses, _ = pair(shares)
        direction = gains - loses
        across = tf.linalg.matvec(products, direction)
        amount = _least_on_line(
            slope=tf.tensordot(direction, slopes, 1),
            radius=radius,
            square=tf.tensordot(direction, across, 1),
            linear=tf.tensordot(shares, across, 1),
            constant=tf.tensordot(shares, tf.linalg.matvec(products, shares), 1),
        )
        most = tf.tensordot(loses, shares, 1)
        amount = tf.clip_by_value(amount, 0.0, most)
        # Exactly 0 where all is given away: `pair` must not choose such a task again.
        return tf.where(amount >= most, shares * (1 - loses), shares - amount * loses) + amount * gains

    if tasks == 2:
        return move(start)
    (shares,) = tf.while_loop(
        lambda shares: pair(shares)[2] > enough, lambda shares: (move(shares),), (start,), maximum_iterations=MOST_STEPS
    )
    return shares


def _least_on_line(
    slope: tf.Tensor, radius: tf.Tensor, square: tf.Tensor, linear: tf.Tensor, constant: tf.Tensor
) -> tf.Tensor:
    """The x at which slope·x + radius·√(square·x² + 2·linear·x + constant) is least; infinite where it falls forever.

    With u = x + linear/square and h² = constant - linear²/square, slope + radius·square·u/√(square·u² + h²) = 0 gives
    u² = slope²·h²/(square·(radius²·square - slope²)), against the sign of the slope.
    """
    middle = tf.math.divide_no_nan(linear, square)
    height = tf.maximum(constant - linear * middle, 0.0)
    curvature = radius * radius * square - slope * slope
    offset = tf.where(
        curvature > 0,
        tf.sqrt(slope * slope * height / tf.maximum(square * curvature, TINY)),
        tf.where(slope == 0, tf.zeros_like(slope), tf.constant(float("inf"), slope.dtype)),
    )
    return -tf.sign(slope) * offset - middle
