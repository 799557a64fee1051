"""How large a network and how long a training fit the number of rows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Values of the keys of `model` and `training`, and the reason for them."""

    units: list[int]
    tower: list[int]
    dropout: float
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    validation_fraction: float
    reason: str


_SIZES: tuple[tuple[int, Sizes], ...] = (
    (500, Sizes([32], [16], 0.1, 200, 16, 0.003, 20, 0.2, "few rows: a small network, small batches, many epochs")),
    (5_000, Sizes([64, 32], [16], 0.1, 60, 32, 0.001, 8, 0.15, "some thousand rows: small batches, many epochs")),
    (50_000, Sizes([128, 64], [32], 0.1, 20, 128, 0.001, 3, 0.1, "some ten thousand rows")),
    (1_000_000, Sizes([128, 64], [32], 0.1, 10, 512, 0.001, 2, 0.1, "some hundred thousand rows")),
)
_LARGEST = Sizes([256, 128], [64], 0.1, 5, 2048, 0.001, 1, 0.02, "many rows: large batches, few epochs")


def sizes_for(rows: int) -> Sizes:
    """The sizes for a training split with this number of rows."""
    return next((sizes for limit, sizes in _SIZES if rows <= limit), _LARGEST)
