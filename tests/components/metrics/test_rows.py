import numpy as np
import pytest

from components.metrics.metric import LabelledRows
from components.metrics.rows import Membership, labelled, make_rows, one_group
from tests.components.metrics.values import metric_value


def test_rows_take_columns_and_vectors_alike():
    rows = make_rows(np.array([[1], [0]]), np.array([0.25, 0.5], np.float32), np.array([[1.0], [0.0]]))
    assert rows.labels.tolist() == [1, 0]
    assert rows.predictions.tolist() == [[0.25], [0.5]]
    assert rows.weights.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("labels", "predictions", "weights"),
    [([[1, 2]], [[0.5]], [1.0, 1.0]), ([1], [[0.5], [0.5]], [1.0]), ([1], [[0.5]], [1.0, 1.0])],
)
def test_shapes_that_do_not_go_together_are_rejected(labels, predictions, weights):
    with pytest.raises(ValueError, match="as many rows, and one weight per row"):
        make_rows(np.array(labels), np.array(predictions), np.array(weights))


def test_rows_may_have_several_labels_each():
    rows = make_rows(np.array([[1, 0, 1], [0, 0, 1]]), np.zeros((2, 3)), np.array([[0.0], [2.0]]))
    assert rows.labels.tolist() == [[1, 0, 1], [0, 0, 1]]
    kept, _ = labelled(rows, one_group(2))
    assert kept.labels.tolist() == [[0, 0, 1]]


def test_masked_rows_leave_their_groups():
    rows = make_rows(np.array([5, 6, 7]), np.zeros(3), np.array([1.0, 0.0, 2.0]))
    kept, membership = labelled(rows, Membership(np.array([0, 1, 2, 1]), np.array([0, 0, 1, 2]), 3))
    assert kept.labels.tolist() == [5, 7]
    assert kept.labels[membership.rows].tolist() == [5, 7]
    assert membership.groups.tolist() == [0, 1]
    assert membership.count == 3


def test_without_masked_rows_nothing_is_copied():
    rows, membership = make_rows(np.zeros(2), np.zeros(2), np.ones(2)), one_group(2)
    assert labelled(rows, membership) == (rows, membership)


@pytest.mark.parametrize("pieces", [1, 2, 4])
def test_labelled_rows_are_counted_whatever_they_weigh(pieces):
    weights = np.array([0.25, 0.0, 7.0, 1.0])
    predictions = np.array([[1.0], [1.0], [np.nan], [2.0]])
    assert metric_value(LabelledRows(), np.zeros(4), predictions, weights, pieces=pieces) == 3


def test_labelled_rows_may_have_several_labels_each():
    assert metric_value(LabelledRows(), np.zeros((4, 3)), np.zeros((4, 3)), np.array([0.5, 0.5, 0, 2])) == 3
