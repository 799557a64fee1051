"""The newest rows of the training split, which `training.validation: newest` holds out."""

import numpy as np
import pyarrow as pa

from janus_core.errors import DataError
from janus_core.tables.times import parse_times
from trainer.config import TimeConfig


def comparable(times: np.ndarray, config: TimeConfig) -> np.ndarray:
    """Numbers in the order of the times, [rows]: numbers as they are, and the instants of texts (bytes)."""
    if times.dtype.kind in "iuf":
        return times
    distinct, places = np.unique(times, return_inverse=True)
    texts = pa.array([text.decode() for text in distinct], pa.string())
    return parse_times(texts, config.format).instant[places.reshape(-1)]


def newest_rows(times: np.ndarray, config: TimeConfig, fraction: float) -> np.ndarray:
    """Which rows are held out, bool [rows]: about a fraction in (0, 1) of them, and none older than a row that is not.

    Rows with the same time stay together, so that the share is the nearest possible one. The times are those that
    `comparable` gives, [rows].

    Raises:
        DataError: all rows have the same time.
    """
    distinct, places, counts = np.unique(times, return_inverse=True, return_counts=True)
    if len(distinct) < 2:
        raise DataError(
            f"training.validation: all training rows have the same time in column '{config.column}', so none are the "
            "newest; set it to hash"
        )
    # Of the rows from each distinct time on; the first would hold out all rows.
    shares = np.cumsum(counts[::-1])[::-1][1:] / len(times)
    first = 1 + int(np.argmin(np.abs(shares - fraction)))
    return places.reshape(-1) >= first
