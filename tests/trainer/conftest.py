"""One small table, transformed and trained once for all tests of the trainer."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_transform as tft

from tests.trainer.harness import fn_args, run_transform
from trainer.config import TrainerConfig
from trainer.run import run_fn

ROWS = 2000


@dataclass(frozen=True)
class Trained:
    """A table with what Transform, and the Trainer if it ran, made of it."""

    table: pa.Table
    config: TrainerConfig
    transform: tft.TFTransformOutput
    folder: Path


def small_config() -> TrainerConfig:
    """A feature of every kind, a task of every kind."""
    return TrainerConfig.model_validate(
        {
            "seed": 3,
            "features": {
                "x": {"kind": "numeric", "missing": "median", "missing_indicator": True},
                "x_mean": {"kind": "numeric", "column": "x"},
                "x_log": {"kind": "numeric", "column": "x", "scale": "log", "missing": 2.5},
                "x_range": {"kind": "numeric", "column": "x", "scale": "min_max"},
                "x_rank": {"kind": "numeric", "column": "x", "scale": "quantile", "buckets": 20},
                "x_bucket": {"kind": "numeric", "column": "x", "scale": "bucketize", "buckets": 5},
                "x_fixed": {"kind": "numeric", "column": "x", "scale": "bucketize", "boundaries": [-1.0, 0.0, 1.0]},
                "x_plain": {"kind": "numeric", "column": "x", "scale": "none", "missing": -9.0},
                "constant": {"kind": "numeric"},
                "city": {"kind": "categorical", "oov_buckets": 2},
                "top": {"kind": "categorical", "column": "city", "top_k": 1, "embed": 3},
                "code": {"kind": "categorical"},
                "hash": {"kind": "hashed", "column": "city", "buckets": 8},
                "hour": {"kind": "cyclical", "period": 24},
                "v": {"kind": "vector", "length": 3},
                "v_range": {"kind": "vector", "column": "v", "length": 3, "scale": "min_max", "missing": 0.0},
            },
            "tasks": {
                "late": {"kind": "binary", "label": "late", "classes": ["no", "yes"]},
                "level": {"kind": "multiclass", "label": "level", "classes": [0, 1, 2], "loss_weight": 0.5},
                "delay": {"kind": "regression", "label": "delay", "loss": "huber"},
            },
            "model": {"trunk": {"kind": "shared_bottom", "units": [16], "dropout": 0.1}, "towers": {"default": [8]}},
            "training": {"epochs": 4, "batch_size": 64, "early_stopping": {"patience": 3}, "learning_rate": 0.01},
        }
    )


def small_table(rows: int = ROWS) -> pa.Table:
    """Learnable labels, missing values in features and labels."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=rows)
    city = rng.choice(["rome", "oslo", "lima"], rows, p=[0.5, 0.3, 0.2])
    v = rng.normal(size=(rows, 3))
    delay = 100 + 30 * x + 10 * v[:, 0] + rng.normal(size=rows)
    level = np.clip(np.round(x + (city == "oslo")), -1, 1).astype(int) + 1
    late = np.where(x + (city == "rome") > 0.5, "yes", "no")
    gaps = rng.random((rows, 6)) < 0.1

    def column(values: np.ndarray, gap: int, kind: pa.DataType) -> pa.Array:
        return pa.array([None if g else v for v, g in zip(values.tolist(), gaps[:, gap], strict=True)], kind)

    return pa.table(
        {
            "x": column(x, 0, pa.float32()),
            "constant": pa.array([7.25] * rows, pa.float32()),
            "city": column(city, 1, pa.string()),
            "code": column(rng.integers(0, 4, rows), 2, pa.int64()),
            "hour": pa.array(rng.integers(0, 24, rows), pa.int64()),
            "v": pa.array(v.tolist(), pa.list_(pa.float32())),
            "late": column(late, 3, pa.string()),
            "level": column(level, 4, pa.int64()),
            "delay": column(delay, 5, pa.float32()),
        }
    )


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The table, transformed."""
    folder = tmp_path_factory.mktemp("trained")
    config, table = small_config(), small_table()
    return Trained(table, config, run_transform(table, config, folder, required=["hour"]), folder)


@pytest.fixture(scope="session")
def trained(untrained: Trained) -> Trained:
    """The table, transformed and trained."""
    run_fn(fn_args(untrained.config, untrained.folder, untrained.folder / "checkpoints"))
    return untrained
