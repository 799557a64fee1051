"""Names of users beside those of Keras, TensorFlow and Python: columns as arguments, tasks in logs, layers."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from serving.saved_model import LoadedModel
from tests.trainer.harness import fn_args, run_transform
from trainer.config import TrainerConfig
from trainer.names import column_arguments, log_name
from trainer.run import run_fn

TASKS = ["val", "loss", "balanced", "weight", "val_weight", "task_val", "Temp", "temp"]
FEATURES = ["weight", "Temp", "temp", "TEMP", "features", "trunk_0", "label", "loss", "name", "features_embedding"]


def test_a_name_that_is_an_argument_stays() -> None:
    assert column_arguments(["distance", "Class", "x_1"]) == {"distance": "distance", "Class": "Class", "x_1": "x_1"}


def test_any_other_name_has_a_substitute_that_depends_on_the_names_alone() -> None:
    columns = ["class", "self", "a.b", "a/b", "größe", "_x", "1st", "column_0", ""]
    arguments = column_arguments(columns)
    assert arguments == column_arguments(columns[::-1])
    assert arguments["column_0"] == "column_0"
    assert len(set(arguments.values())) == len(columns)
    assert all(argument.isidentifier() and argument.startswith("column_") for argument in arguments.values())


def test_columns_that_differ_in_case_alone_have_substitutes() -> None:
    arguments = column_arguments(["Temp", "temp", "weight", "COLUMN_0"])
    assert arguments["weight"] == "weight"
    assert len({argument.lower() for argument in arguments.values()}) == 4


def test_no_two_values_share_a_key_of_the_logs() -> None:
    assert log_name("status") == "status"
    assert log_name("value") == "value"
    training = [f"{log_name(task)}_{kind}" for task in TASKS for kind in ("loss", "weight", "conflict")]
    validation = [f"val_{log_name(task)}_{kind}" for task in TASKS for kind in ("loss", "mae", "auc", "gate/expert_0")]
    keys = Counter(["loss", *training, "val_loss", "val_balanced_loss", *validation])
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.slow
def test_users_may_call_things_as_keras_and_tensorflow_do(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(400, len(FEATURES))).astype(np.float32)
    columns = {name: pa.array(values[:, place]) for place, name in enumerate(FEATURES)}
    columns["features"] = pa.array(np.where(values[:, 4] > 0, "p", "q"))
    labels = {f"y{place}": pa.array(values[:, place] * (place + 1)) for place in range(len(TASKS))}
    features = {name: {"kind": "categorical" if name == "features" else "numeric"} for name in FEATURES}
    config = TrainerConfig.model_validate(
        {
            "seed": 1,
            "features": features,
            "tasks": {name: {"kind": "regression", "label": f"y{place}"} for place, name in enumerate(TASKS)},
            "model": {"trunk": {"kind": "shared_bottom", "units": [8]}, "balancing": {"kind": "dwa"}},
            "training": {"epochs": 3, "batch_size": 64},
        }
    )
    run_transform(pa.table({**columns, **labels}), config, tmp_path)
    run_fn(fn_args(config, tmp_path))

    history = json.loads((tmp_path / "logs" / "history.json").read_text())
    losses = np.array([[epoch[f"{log_name(task)}_loss"] for task in TASKS] for epoch in history])
    assert len(np.unique(losses[-1])) == len(TASKS)
    # Dynamic weight average, of the tasks' own training losses: see `trainer.balancings.dwa`.
    falls = np.exp(losses[1] / losses[0] / 2.0)
    weights = [history[2][f"{log_name(task)}_weight"] for task in TASKS]
    assert weights == pytest.approx(len(TASKS) * falls / falls.sum(), rel=1e-4)
    last = history[-1]
    # By steps, of which the last has fewer rows.
    assert last["loss"] == pytest.approx(np.dot(weights, losses[2]), rel=0.02)
    assert last["val_loss"] != pytest.approx(losses[2][0])

    model = LoadedModel(str(tmp_path / "model"))
    row = {name: np.zeros(1, np.float32) for name in FEATURES} | {"features": np.array([b"p"], object)}
    answers = [
        model.run("serving_columns", {**row, name: np.full(1, 3, np.float32)}) for name in ("Temp", "temp", "TEMP")
    ]
    assert set(answers[0]) == set(TASKS)
    assert len({float(answer["weight"][0, 0]) for answer in answers}) == 3
    model.close()
