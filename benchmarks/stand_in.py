"""A substitute for Transform's output, for benchmarks that train on generated columns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

VOCABULARY = "_vocabulary"


@dataclass(frozen=True)
class StandInTransform:
    """The part of `tft.TFTransformOutput` that building a network reads.

    Attributes:
        spec: transformed feature → its spec.
        vocabularies: categorical feature → the number of its values.
    """

    spec: Mapping[str, tf.io.FixedLenFeature]
    vocabularies: Mapping[str, int]

    def transformed_feature_spec(self) -> Mapping[str, tf.io.FixedLenFeature]:
        """The spec."""
        return self.spec

    def vocabulary_size_by_name(self, name: str) -> int:
        """The number of values of the feature whose vocabulary has the name."""
        return self.vocabularies[name.removesuffix(VOCABULARY)]


def random_columns(transform: StandInTransform, rows: int, seed: int) -> dict[str, np.ndarray]:
    """[rows, width] per feature: normal numbers, uniform ids."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.integers(0, transform.vocabularies[name], (rows, *spec.shape))
        if spec.dtype == tf.int64
        else rng.normal(size=(rows, *spec.shape)).astype(np.float32)
        for name, spec in transform.spec.items()
    }
