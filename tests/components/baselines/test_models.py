"""The baselines on small arrays: what they learn, and what they refuse."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from components.baselines.config import BaselineName, BaselineTask, InputKind
from components.baselines.models import CATEGORIES, NothingToFitError, Predict, columns_of, fit

RANDOM = np.random.default_rng(3)
ROWS = 600
INPUTS: dict[str, tuple[InputKind, int]] = {"x": ("number", 2), "hour": ("circle", 2), "letter": ("category", 1)}
X = RANDOM.normal(size=(ROWS, 2))
ANGLE = RANDOM.uniform(0, 2 * np.pi, ROWS)
LETTER = RANDOM.integers(0, 5, ROWS)
MATRIX = np.column_stack([X, np.sin(ANGLE), np.cos(ANGLE), LETTER]).astype(np.float32)
SIGNAL = 2 * X[:, 0] - np.cos(ANGLE) + (LETTER == 2)
WEIGHTS = np.ones(ROWS, np.float32)

NUMBER = BaselineTask(form="number", loss="absolute")
CLASSES = BaselineTask(form="class", loss="log", classes=["a", "b", "c"])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in the process that fits them: on a busy machine, threads mostly wait for each other."""
    with threadpool_limits(1):
        yield


def fitted(name: BaselineName, task: BaselineTask, labels: Any, weights: np.ndarray = WEIGHTS) -> np.ndarray:
    return predictor(name, task, labels, weights)(MATRIX)


def predictor(name: BaselineName, task: BaselineTask, labels: Any, weights: np.ndarray = WEIGHTS) -> Predict:
    labels = np.asarray(labels).reshape(ROWS, -1)
    return fit(name, task, columns_of(INPUTS, MATRIX), MATRIX, labels, weights, seed=1)


def test_columns_of_trees_are_turns_and_codes() -> None:
    matrix = np.array([[1, 0, 1, 7], [2, -1, 0, 7], [3, 0, 0, 9], [4, 1, 0, 9], [5, 0, -1, 9]], np.float32)
    columns = columns_of({"x": ("number", 1), "hour": ("circle", 2), "id": ("category", 1)}, matrix)
    assert columns.is_category == [False, False, True]
    other = np.array([[6, 0, 1, 8]], np.float32)
    trees = columns.for_trees(np.concatenate([matrix, other]))
    np.testing.assert_allclose(trees[:, 1], [0, 0.75, np.nan, 0.25, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(trees[:, 2], [0, 0, 1, 1, 1, np.nan])
    linear = columns.for_linear(matrix).toarray()
    np.testing.assert_allclose(linear[:, :3].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(linear[:, 0].std(), 1)
    np.testing.assert_array_equal(linear[:, 3:], [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])
    np.testing.assert_array_equal(columns.for_linear(other).toarray()[:, 3:], [[0, 0]])


def test_of_many_values_only_the_most_frequent_are_known() -> None:
    ids = np.concatenate([np.arange(300), np.full(5, 299)]).astype(np.float32)[:, None]
    columns = columns_of({"id": ("category", 1)}, ids)
    codes = columns.for_trees(ids)[:, 0]
    assert not np.isnan(codes[299])
    assert np.nanmax(codes) == CATEGORIES - 1
    assert np.isnan(codes).sum() == 300 - CATEGORIES


@pytest.mark.parametrize("name", ["linear", "boosting"])
@pytest.mark.parametrize("loss", ["absolute", "squared"])
def test_a_number_is_learned(name: BaselineName, loss: Any) -> None:
    predictions = fitted(name, NUMBER.model_copy(update={"loss": loss}), SIGNAL)
    assert predictions.shape == (ROWS, 1)
    error, constant = np.abs(predictions[:, 0] - SIGNAL).mean(), np.abs(SIGNAL - np.median(SIGNAL)).mean()
    assert error < (0.05 if name == "linear" else 0.3) * constant


def test_the_constant_is_the_best_by_the_loss_and_the_weights() -> None:
    labels = np.where(np.arange(ROWS) < 400, 1.0, 10.0)
    weights = np.where(labels == 10, 4.0, 1.0).astype(np.float32)
    assert fitted("constant", NUMBER, labels)[0] == [1.0]
    assert fitted("constant", NUMBER, labels, weights)[0] == [10.0]
    squared = NUMBER.model_copy(update={"loss": "squared"})
    np.testing.assert_allclose(fitted("constant", squared, labels, weights)[0], [(400 + 8000) / 1200])
    levels = NUMBER.model_copy(update={"loss": "quantile", "levels": [0.1, 0.9]})
    np.testing.assert_allclose(fitted("constant", levels, labels)[0], [1.0, 10.0])
    shares = fitted("constant", CLASSES, (labels == 10).astype(np.int64))
    np.testing.assert_allclose(shares[0], [2 / 3, 1 / 3, 0])


def test_a_linear_model_of_the_absolute_error_aims_at_the_median() -> None:
    noise = RANDOM.exponential(size=ROWS)
    labels = SIGNAL + 5 * noise
    residuals = labels - fitted("linear", NUMBER, labels)[:, 0]
    assert abs(np.mean(residuals > 0) - 0.5) < 0.02
    quantiles = NUMBER.model_copy(update={"loss": "quantile", "levels": [0.1, 0.5, 0.9]})
    predictions = fitted("linear", quantiles, labels)
    np.testing.assert_allclose((labels[:, None] <= predictions).mean(axis=0), [0.1, 0.5, 0.9], atol=0.02)


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_quantiles_are_in_order(name: BaselineName) -> None:
    task = NUMBER.model_copy(update={"loss": "quantile", "levels": [0.4, 0.5, 0.6]})
    predictions = fitted(name, task, SIGNAL + RANDOM.normal(size=ROWS))
    assert predictions.shape == (ROWS, 3)
    assert (np.diff(predictions, axis=1) >= 0).all()


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_classes_get_probabilities_also_those_that_no_training_row_has(name: BaselineName) -> None:
    labels = np.where(SIGNAL > 0, 2, 0)
    predictions = fitted(name, CLASSES, labels)
    np.testing.assert_allclose(predictions.sum(axis=1), 1)
    assert (predictions[:, 1] == 0).all()
    assert (predictions.argmax(axis=1) == labels).mean() > 0.95


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_several_classes_that_may_apply_are_learned_one_by_one(name: BaselineName) -> None:
    labels = np.column_stack([SIGNAL > 0, np.ones(ROWS), X[:, 1] > 0])
    task = BaselineTask(form="classes", loss="log", classes=["a", "b", "c"])
    predictions = fitted(name, task, labels)
    assert (predictions[:, 1] == 1).all()
    assert ((predictions > 0.5) == labels).mean() > 0.95


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_counts_are_positive(name: BaselineName) -> None:
    labels = RANDOM.poisson(np.exp(0.5 * X[:, 0]))
    predictions = fitted(name, BaselineTask(form="count", loss="poisson"), labels)
    assert (predictions > 0).all()
    assert np.corrcoef(predictions[:, 0], X[:, 0])[0, 1] > 0.7


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_the_same_seed_gives_the_same_numbers(name: BaselineName) -> None:
    np.testing.assert_array_equal(fitted(name, NUMBER, SIGNAL), fitted(name, NUMBER, SIGNAL))


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_labels_that_are_all_the_same_leave_nothing_to_fit(name: BaselineName) -> None:
    with pytest.raises(NothingToFitError, match="every label in the training rows is 'b'"):
        fitted(name, CLASSES, np.ones(ROWS, np.int64))
    with pytest.raises(NothingToFitError, match="every label in the training rows is 4"):
        fitted(name, NUMBER, np.full(ROWS, 4.0))


@pytest.mark.parametrize("name", ["linear", "boosting"])
@pytest.mark.parametrize("rows", [2, 3, 30])
def test_few_rows_and_constant_features_are_no_problem(name: BaselineName, rows: int) -> None:
    matrix = np.tile(np.array([[1.0, 0.0, 0.0, 0.0, 7.0]], np.float32), (rows, 1))
    columns, weights = columns_of(INPUTS, matrix), np.ones(rows, np.float32)
    for task in (CLASSES, NUMBER):
        labels = (np.arange(rows) % 2)[:, None]
        predictions = fit(name, task, columns, matrix, labels, weights, seed=1)(matrix)
        assert np.isfinite(predictions).all()
        assert (predictions == predictions[0]).all()


def test_bags_are_weighted_counts_and_topics() -> None:
    ids = np.array([[1, 1, 2, 0], [1, 3, 0, 0], [2, 0, 0, 0], [9, 0, 0, 0]], np.float32)
    columns = columns_of({"x": ("number", 1), "words": ("tokens", 4)}, np.column_stack([np.arange(4), ids]))
    # 3 and 9 are in one row each. 1 and 2 are equally rare; 1 occurs twice: 1 + ln 2.
    linear = columns.for_linear(np.column_stack([np.arange(4), ids])).toarray()[:, 1:]
    first = np.array([1 + np.log(2), 1.0])
    np.testing.assert_allclose(linear, [first / np.linalg.norm(first), [1, 0], [0, 1], [0, 0]])
    np.testing.assert_allclose(columns.for_trees(np.column_stack([np.arange(4), ids]))[:, 1:], linear, atol=1e-6)
    assert columns.is_category == [False] * 3
    many = RANDOM.integers(1, 200, size=(ROWS, 30)).astype(np.float32)
    columns = columns_of({"words": ("tokens", 30), "id": ("category", 1)}, np.column_stack([many, LETTER]))
    assert columns.is_category == [True] + [False] * 32
    assert columns.for_trees(np.column_stack([many, LETTER])).shape == (ROWS, 33)
    empty = columns_of({"words": ("tokens", 2)}, np.zeros((5, 2), np.float32))
    assert empty.for_linear(np.ones((3, 2), np.float32)).toarray().tolist() == [[0.0]] * 3
