"""The tasks' own signatures, and what the model says of itself, with features of every kind."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from serving.description import FILE, read_description
from serving.errors import Code, RequestError
from serving.saved_model import LoadedModel
from tests.trainer.conftest import Trained
from tests.trainer.harness import example_of
from trainer.description import describe_model

NAN = float("nan")

pytestmark = pytest.mark.slow


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


def columns(**changed: Any) -> dict[str, np.ndarray]:
    """Two rows, of which the second has nothing but what is required."""
    texts = np.array([b"rome", b""], object)
    numbers = {"x": [0.5, NAN], "constant": [7.25, NAN], "v": [[1, 2, 3], [NAN] * 3]}
    found = {name: np.float32(values) for name, values in numbers.items()}
    return {**found, "city": texts, "code": np.float64([1, NAN]), "hour": np.float64([3, 4]), **changed}


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e30, 2.0**53, 1.5])
def test_what_is_no_whole_number_is_refused_by_column(loaded: LoadedModel, value: float) -> None:
    for name in ("hour", "code"):
        # One output alone: TensorFlow leaves out what it does not need.
        for outputs in (None, ["late/probabilities"]):
            with pytest.raises(RequestError) as refused:
                loaded.run("serving_columns", columns(**{name: np.float64([2, value])}), outputs)
            assert refused.value.code == Code.INVALID_ARGUMENT
            assert f"column {name} is {value:g}, not a whole number up to 9007199254740991" in str(refused.value)


def test_missing_values_are_refused_where_they_are_required_and_only_there(loaded: LoadedModel) -> None:
    with pytest.raises(RequestError, match=r"\[column hour is missing, but required\]"):
        loaded.run("serving_columns", columns(hour=np.float64([NAN, 4])))
    whole = loaded.run("serving_columns", columns())
    bare = loaded.run("serving_default", {"examples": np.array([example_of({"hour": 4})], object)})
    for output, values in bare.items():
        np.testing.assert_array_equal(whole[output][1:], values)


def test_numbers_that_the_network_cannot_take_are_refused_by_every_signature(loaded: LoadedModel) -> None:
    row = np.array([example_of({"hour": 4, "x": float("inf")})], object)
    for signature, inputs in (
        ("serving_columns", columns(x=np.float32([np.inf, 1]))),
        ("serving_default", {"examples": row}),
        ("delay", {"inputs": row}),
    ):
        with pytest.raises(RequestError, match="feature x is infinite, or too large for its scale") as refused:
            loaded.run(signature, inputs)
        assert refused.value.code == Code.INVALID_ARGUMENT


def test_single_values_may_come_as_lists_of_one(loaded: LoadedModel) -> None:
    expected = loaded.run("serving_columns", columns())
    nested = {name: values[:, None] if values.ndim == 1 else values for name, values in columns().items()}
    for output, values in loaded.run("serving_columns", nested).items():
        np.testing.assert_array_equal(values, expected[output])


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("code", (1, 2), "column code must have one value per row"),
        ("x", (2, 2), "column x must have one value per row"),
        ("v", (2, 2), "column v must have 3 values per row"),
        ("v", (2,), "column v must have 3 values per row"),
        ("x", (3,), "has 2 rows, but column x has 3"),
        ("code", (0,), "column code has 0 rows, but column city has 2"),
    ],
)
def test_another_shape_is_refused_by_column(
    loaded: LoadedModel, name: str, shape: tuple[int, ...], message: str
) -> None:
    values = np.zeros(shape, columns()[name].dtype)
    with pytest.raises(RequestError) as refused:
        loaded.run("serving_columns", columns(**{name: values}))
    assert refused.value.code == Code.INVALID_ARGUMENT
    assert message in str(refused.value)


def test_columns_are_described(trained: Trained) -> None:
    description = read_description(trained.folder / "model")
    assert description is not None
    columns = description.columns
    assert list(columns) == ["x", "constant", "city", "code", "hour", "v"]
    assert {name: column.dtype for name, column in columns.items()} == {
        "x": "float", "constant": "float", "city": "string", "code": "int", "hour": "int", "v": "float",
    }  # fmt: skip
    assert [name for name, column in columns.items() if column.required] == ["hour"]
    assert not any(column.many for column in columns.values())
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
    assert description.tasks["late"].outputs == ["late", "late/classes", "late/decision", "late/probabilities"]
    assert description.tasks["late"].decision is not None
    assert description.tasks["level"].decision is None
    for name, task in description.tasks.items():
        assert task.signature == name
        assert set(task.outputs) <= set(loaded.signatures["serving_default"].outputs)


def test_the_description_is_always_the_same(trained: Trained) -> None:
    model = trained.folder / "model"
    before = read_description(model)
    assert before is not None
    decisions = {name: task.decision for name, task in before.tasks.items() if task.decision is not None}
    assert before == describe_model(trained.config, trained.transform, str(model), decisions)
    assert str(trained.folder) not in (model / FILE).read_text()
