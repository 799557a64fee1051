"""The tasks' own signatures, and what the model says of itself, with features of every kind."""

from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from serving.description import FILE, read_description
from serving.saved_model import LoadedModel
from tests.trainer.conftest import Trained
from tests.trainer.harness import example_of
from trainer.description import describe_model


@pytest.fixture(scope="module")
def loaded(trained: Trained) -> Iterator[LoadedModel]:
    model = LoadedModel(trained.folder / "model", threads=1)
    yield model
    model.close()


def test_each_task_answers_as_serving_default_does(trained: Trained, loaded: LoadedModel) -> None:
    rows = np.array([example_of(row) for row in trained.table.slice(0, 20).to_pylist()], object)
    whole = loaded.run("serving_default", {"examples": rows})
    for task in ("late", "level"):
        found = loaded.run(task, {"inputs": rows})
        np.testing.assert_array_equal(found["scores"], whole[f"{task}/probabilities"])
        np.testing.assert_array_equal(found["classes"], whole[f"{task}/classes"])
    np.testing.assert_array_equal(loaded.run("delay", {"inputs": rows})["outputs"], whole["delay"])
    assert whole["late/probabilities"].shape == (20, 2)


def test_the_signatures_are_those_of_the_object_graph_and_one_per_task(trained: Trained, loaded: LoadedModel) -> None:
    functions = set(tf.saved_model.load(str(trained.folder / "model")).signatures)
    assert functions == {"serving_default", "serving_columns", "transform_features"}
    assert set(loaded.signatures) == functions | {"late", "level", "delay"}
    placeholder = loaded.signatures["serving_default"].inputs["examples"]
    for task in ("late", "level", "delay"):
        assert dict(loaded.signatures[task].inputs) == {"inputs": placeholder}


def test_columns_are_described(trained: Trained) -> None:
    description = read_description(trained.folder / "model")
    assert description is not None
    columns = description.columns
    assert list(columns) == ["x", "constant", "city", "code", "hour", "v"]
    assert {name: column.dtype for name, column in columns.items()} == {
        "x": "float", "constant": "float", "city": "string", "code": "int", "hour": "int", "v": "float",
    }  # fmt: skip
    assert not any(column.required or column.many for column in columns.values())
    assert {name: column.length for name, column in columns.items() if column.length} == {"v": 3}
    assert columns["city"].features == ["city", "top", "hash"]
    assert columns["city"].kinds == ["categorical", "categorical", "hashed"]
    # By frequency; `top` keeps one value of the same column, and does not hide the others.
    assert columns["city"].values == ["rome", "oslo", "lima"]
    assert sorted(columns["code"].values) == ["0", "1", "2", "3"]
    assert columns["hour"].values == columns["x"].values == []


def test_tasks_are_described(trained: Trained, loaded: LoadedModel) -> None:
    description = read_description(trained.folder / "model")
    assert description is not None
    assert {name: task.kind for name, task in description.tasks.items()} == {
        "late": "binary", "level": "multiclass", "delay": "regression",
    }  # fmt: skip
    assert description.tasks["level"].classes == ["0", "1", "2"]
    assert description.tasks["late"].outputs == ["late", "late/classes", "late/probabilities"]
    for name, task in description.tasks.items():
        assert task.signature == name
        assert set(task.outputs) <= set(loaded.signatures["serving_default"].outputs)


def test_the_description_is_always_the_same(trained: Trained) -> None:
    model = trained.folder / "model"
    again = describe_model(trained.config, trained.transform, str(model))
    assert read_description(model) == again
    assert str(trained.folder) not in (model / FILE).read_text()
