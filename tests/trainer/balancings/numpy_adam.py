"""Adam in numpy, for re-derivations; positions that do not move keep their moments."""

import numpy as np


class NumpyAdam:
    """Kingma and Ba 2015, algorithm 1, per position."""

    def __init__(self, size: int, learning_rate: float):
        self.first, self.second, self.count = np.zeros(size), np.zeros(size), np.zeros(size)
        self.learning_rate = learning_rate

    def step(self, values: np.ndarray, gradients: np.ndarray, moves: np.ndarray) -> np.ndarray:
        values = values.copy()
        for i in np.flatnonzero(moves):
            self.count[i] += 1
            self.first[i] = 0.9 * self.first[i] + 0.1 * gradients[i]
            self.second[i] = 0.999 * self.second[i] + 0.001 * gradients[i] ** 2
            mean = self.first[i] / (1 - 0.9 ** self.count[i])
            spread = np.sqrt(self.second[i] / (1 - 0.999 ** self.count[i]))
            values[i] -= self.learning_rate * mean / (spread + 1e-8)
        return values
