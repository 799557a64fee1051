"""Static weights."""

import tensorflow as tf

from trainer.balancings.base import LossWeighting


class Fixed(LossWeighting):
    """The sum of the losses, each by its task's `loss_weight`.

    Well-tuned static weights match the adaptive methods in the comparisons of Kurin et al. 2022, "In Defense of the
    Unitary Scalarization for Deep Multi-Task Learning", and Xin et al. 2022, "Do Current Multi-Task Optimization
    Methods in Deep Learning Even Help?".
    """

    def task_weights(self, losses: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """Ones, float32 [T]."""
        return tf.ones(len(self.tasks))
