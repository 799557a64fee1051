"""The baselines themselves: fitted to arrays, without TensorFlow."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from components.baselines.bags import Bag, Topics
from components.baselines.config import BaselineName, BaselineTask
from trainer.config.features.base import InputKind
from trainer.label_statistics import weighted_quantiles

CATEGORIES = 254
"""At most so many values of a category, the most frequent; HistGradientBoosting takes no more."""
ROUNDS = 300
"""Most rounds of boosting; it stops early when 10 rounds bring nothing on a tenth of the rows."""
LINEAR_ITERATIONS = 100
_SEVERAL = ("classes", "box")
"""Forms of labels of several numbers."""

Predict = Callable[[np.ndarray], np.ndarray]
"""Inputs, float32 [n, columns] → predictions, [n, width]."""


class NothingToFitError(ValueError):
    """The labels leave nothing to learn."""


@dataclass(frozen=True)
class Columns:
    """How a matrix of transformed features becomes the inputs of the models, as the training rows have it.

    Attributes:
        trees, linear: from the matrix; see `for_trees` and `for_linear`.
        is_category: of each column of `for_trees`.
    """

    trees: ColumnTransformer
    linear: ColumnTransformer
    is_category: list[bool]

    def for_trees(self, matrix: np.ndarray) -> np.ndarray:
        """float32 [n, columns]: points on a circle are places in a turn, unknown ids are missing, texts are topics."""
        return self.trees.transform(matrix).astype(np.float32)

    def for_linear(self, matrix: np.ndarray) -> sp.csr_matrix:
        """float64 [n, columns], standardised numbers and a column per id, all 0 for an unknown one; TF-IDF of texts."""
        return sp.csr_matrix(self.linear.transform(matrix.astype(np.float64)))


def columns_of(inputs: Mapping[str, tuple[InputKind, int]], matrix: np.ndarray) -> Columns:
    """Learns the columns from training rows, float32 [n, columns], at least one.

    `inputs` says what a feature's numbers are, and how many there are, in the matrix's order.
    """
    places: dict[InputKind, list[list[int]]] = {"number": [], "circle": [], "category": [], "tokens": []}
    start = 0
    for kind, width in inputs.values():
        places[kind].append(list(range(start, start + width)))
        start += width
    numbers, points, ids = (sum(places[kind], []) for kind in ("number", "circle", "category"))
    known = [np.sort(_most_frequent(matrix[:, place])) for place in ids]
    codes = OrdinalEncoder(categories=known, handle_unknown="use_encoded_value", unknown_value=np.nan)
    turns = [(f"turn {point}", FunctionTransformer(_turn), point) for point in places["circle"]]
    bags = [(f"bag {place}", bag) for place, bag in enumerate(places["tokens"])]
    topics = [(name, make_pipeline(Bag(), Topics()), bag) for name, bag in bags]
    trees = ColumnTransformer([("numbers", "passthrough", numbers), *turns, ("codes", codes, ids), *topics])
    one_hot = OneHotEncoder(categories=known, handle_unknown="ignore")
    linear = ColumnTransformer(
        [
            ("numbers", StandardScaler(), [*numbers, *points]),
            ("one hot", one_hot, ids),
            *((name, Bag(), bag) for name, bag in bags),
        ]
    )
    trees.fit(matrix)
    before = len(numbers) + len(turns)
    after = trees.transform(matrix[:1]).shape[1] - before - len(ids)
    is_category = [False] * before + [True] * len(ids) + [False] * after
    return Columns(trees, linear.fit(matrix.astype(np.float64)), is_category)


def _most_frequent(ids: np.ndarray) -> np.ndarray:
    values, counts = np.unique(ids, return_counts=True)
    return values[np.argsort(-counts, kind="stable")][:CATEGORIES]


def _turn(points: np.ndarray) -> np.ndarray:
    """The place on the circle of sines and cosines [n, 2] in [0, 1); NaN at its centre, where the value is missing."""
    turns = np.arctan2(points[:, :1], points[:, 1:]) / (2 * np.pi) % 1
    return np.where((points == 0).all(axis=1, keepdims=True), np.nan, turns)


def fit(
    name: BaselineName,
    task: BaselineTask,
    columns: Columns,
    matrix: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    seed: int,
) -> Predict:
    """Fits a baseline to a task's training rows.

    Args:
        matrix, columns: float32 [n, columns], at least one row, and how the models read it.
        labels, weights: [n, width] as `trainer.names.label_name` says, and [n], above 0.
        seed: of the rows that are held out for early stopping.

    Raises:
        NothingToFitError: all labels are the same.
        ValueError: the model cannot be fitted to these rows.
    """
    if task.form == "tags":
        raise ValueError("there are no simple models of a tag per token (compare the sequence's encoders instead)")
    values = labels[:, 0] if task.form not in _SEVERAL else labels
    # The linear models' penalties are relative to the sum of the weights.
    weights = weights / weights.mean()
    if name == "constant":
        constant = _constant(task, values, weights)
        return lambda rows: np.tile(constant, (len(rows), 1))
    if task.form not in _SEVERAL and np.all(values == values[0]):
        label = f"'{task.classes[int(values[0])]}'" if task.classes else f"{values[0]:g}"
        raise NothingToFitError(f"every label in the training rows is {label}: a constant says it all")
    encode = columns.for_linear if name == "linear" else columns.for_trees
    one: _Model = _linear if name == "linear" else _boosting(columns.is_category, seed)
    encoded = encode(matrix)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if task.form == "classes":
            classes = [_class_or_constant(one, task, encoded, flags, weights) for flags in values.T]
            return lambda rows: _side_by_side(classes, encode(rows))
        if task.form == "box":
            edges = [one(task, encoded, edge, weights, 0.5) for edge in values.T]
            return lambda rows: _side_by_side(edges, encode(rows))
        if task.loss == "quantile":
            levels = [one(task, encoded, values, weights, level) for level in task.levels]
            return lambda rows: np.sort(_side_by_side(levels, encode(rows)), axis=1)
        model = one(task, encoded, values, weights, 0.5)
    return lambda rows: model(encode(rows))


_Model = Callable[[BaselineTask, np.ndarray | sp.csr_matrix, np.ndarray, np.ndarray, float], Predict]
"""(task, inputs, labels [n], weights [n], level of a quantile) → predictions of inputs like these."""


def _side_by_side(models: list[Predict], inputs: np.ndarray | sp.csr_matrix) -> np.ndarray:
    return np.concatenate([model(inputs) for model in models], axis=1)


def _class_or_constant(
    one: _Model, task: BaselineTask, inputs: np.ndarray | sp.csr_matrix, flags: np.ndarray, weights: np.ndarray
) -> Predict:
    """The probability of one of several classes that may apply, [n, 1]."""
    if np.all(flags == flags[0]):
        return lambda rows: np.full((rows.shape[0], 1), flags[0])
    model = one(task.model_copy(update={"classes": ["no", "yes"]}), inputs, flags, weights, 0.5)
    return lambda rows: model(rows)[:, 1:]


def _constant(task: BaselineTask, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The best constant by the task's loss, [width]."""
    if task.form in _SEVERAL:
        return np.average(labels, axis=0, weights=weights)
    if task.form == "class":
        return np.bincount(labels.astype(np.int64), weights, len(task.classes)) / weights.sum()
    if task.loss in ("absolute", "quantile"):
        return weighted_quantiles(labels, weights, task.levels or [0.5])
    return np.average(labels.astype(np.float64), weights=weights, keepdims=True)


def _linear(
    task: BaselineTask, inputs: sp.csr_matrix, labels: np.ndarray, weights: np.ndarray, level: float
) -> Predict:
    """A linear model with scikit-learn's default penalty."""
    if task.form in ("class", "classes"):
        model = LogisticRegression(max_iter=LINEAR_ITERATIONS).fit(inputs, labels, weights)
        return _probabilities(model, len(task.classes))
    if task.loss == "poisson":
        # Its penalty is that of a mean, the others' is that of a sum.
        model = PoissonRegressor(alpha=1 / len(labels), max_iter=LINEAR_ITERATIONS).fit(inputs, labels, weights)
        return lambda rows: model.predict(rows)[:, None]
    if task.loss == "squared":
        model = Ridge().fit(inputs, labels, weights)
        return lambda rows: model.predict(rows)[:, None]
    return _linear_quantile(inputs, labels, weights, level)


def _linear_quantile(inputs: sp.csr_matrix, labels: np.ndarray, weights: np.ndarray, level: float) -> Predict:
    """A linear model of a quantile: the pinball loss, smoothed less and less, by L-BFGS (He et al. 2023).

    scikit-learn's QuantileRegressor is a linear programme, which takes minutes for as many rows.
    """
    middle = float(weighted_quantiles(labels, weights, [level])[0])
    scale = float(np.average(np.abs(labels - middle), weights=weights)) or 1.0
    wanted, share = (labels - middle) / scale, weights / weights.sum()
    coefficients = np.zeros(inputs.shape[1] + 1)

    def loss(at: np.ndarray, width: float) -> tuple[float, np.ndarray]:
        residuals = (wanted - inputs @ at[:-1] - at[-1]) / width
        # softplus(-r) + level · r is the pinball loss of r as the width goes to 0.
        pinball = width * (np.logaddexp(0.0, -residuals) + level * residuals)
        slopes = share * (1 / (1 + np.exp(np.clip(residuals, -500, 500))) - level)
        gradient = np.append(inputs.T @ slopes + at[:-1] / len(labels), slopes.sum())
        return float(share @ pinball + at[:-1] @ at[:-1] / (2 * len(labels))), gradient

    for width in (1.0, 0.1, 0.02):
        options = {"maxiter": LINEAR_ITERATIONS // 2}
        coefficients = minimize(loss, coefficients, (width,), "L-BFGS-B", jac=True, options=options).x
    return lambda rows: ((rows @ coefficients[:-1] + coefficients[-1]) * scale + middle)[:, None]


def _boosting(is_category: list[bool], seed: int) -> _Model:
    """Gradient-boosted trees with scikit-learn's defaults, but for early stopping."""

    def one(task: BaselineTask, inputs: np.ndarray, labels: np.ndarray, weights: np.ndarray, level: float) -> Predict:
        settings = {"categorical_features": is_category, "max_iter": ROUNDS, "random_state": seed}
        if task.form in ("class", "classes"):
            counts = np.unique(labels, return_counts=True)[1]
            # Of a class with one row, none can be held out.
            early = counts.min() > 1 and len(labels) >= 10 * len(counts)
            classifier = HistGradientBoostingClassifier(early_stopping=bool(early), **settings)
            return _probabilities(classifier.fit(inputs, labels, weights), len(task.classes))
        losses = {"squared": "squared_error", "absolute": "absolute_error", "quantile": "quantile"}
        model = HistGradientBoostingRegressor(
            loss=losses.get(task.loss, task.loss),
            quantile=level if task.loss == "quantile" else None,
            early_stopping=len(labels) >= 20,
            **settings,
        ).fit(inputs, labels, weights)
        return lambda rows: model.predict(rows)[:, None]

    return one


def _probabilities(model: LogisticRegression | HistGradientBoostingClassifier, classes: int) -> Predict:
    """Of all classes, also of those that no training row has."""

    def predict(rows: np.ndarray | sp.csr_matrix) -> np.ndarray:
        probabilities = np.zeros((rows.shape[0], classes))
        probabilities[:, model.classes_.astype(np.int64)] = model.predict_proba(rows)
        return probabilities

    return predict
