"""Piecewise-linear encoding of columns that have hardly any values to put edges at: it trains, and serves numbers."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tests.trainer.harness import example_of, fn_args, run_transform
from tests.trainer.test_run import history
from trainer.config import TrainerConfig
from trainer.run import run_fn

pytestmark = pytest.mark.slow

ROWS = 400
COLUMNS = {
    "one": [7.25] * ROWS,
    "two": [float(row % 2) for row in range(ROWS)],
    "gone": [None] * ROWS,
    # 2^24 and a fraction of 1, which float32 does not have there.
    "coinciding": [2.0**24 + row % 4 / 4 for row in range(ROWS)],
    "rare": [None if row % 200 else 1.5 for row in range(ROWS)],
}
CYCLES = {"one_hour": [5.0] * ROWS, "no_hour": [None] * ROWS}


@pytest.mark.parametrize("scale", ["z_score", "quantile"])
def test_columns_with_few_values_train(tmp_path: Path, scale: str) -> None:
    y = np.random.default_rng(1).normal(size=ROWS)
    columns = {name: pa.array(values, pa.float32()) for name, values in {**COLUMNS, **CYCLES, "x": y}.items()}
    table = pa.table({**columns, "y": pa.array(y + 3, pa.float32())})
    config = TrainerConfig.model_validate(
        {
            "seed": 1,
            "features": {
                **{name: {"kind": "numeric", "scale": scale} for name in (*COLUMNS, "x")},
                **{name: {"kind": "cyclical", "period": 24} for name in CYCLES},
            },
            "tasks": {"y": {"kind": "regression", "label": "y"}},
            "model": {"trunk": {"units": [8]}, "towers": {}, "encoding": "piecewise_linear", "members": 2},
            "training": {"epochs": 8, "batch_size": 20, "learning_rate": 0.01},
        }
    )
    run_transform(table, config, tmp_path)
    run_fn(fn_args(config, tmp_path))
    assert history(tmp_path)[-1]["val_y_mae"] < 0.6
    rows: list[dict] = [{}, {"x": 0.5}, dict.fromkeys(columns, -3.5), dict.fromkeys(columns, 1000000.0)]
    serve = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    assert np.isfinite(serve(examples=tf.constant([example_of(row) for row in rows]))["y"]).all()
