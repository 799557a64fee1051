"""Metrics of tags by hand-computed values, and entities as seqeval finds them."""

import math

import numpy as np
import pytest
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

from components.metrics.rows import labelled, make_rows, one_group
from components.metrics.tags import EntityF1, TagF1, TokenAccuracy, entities, is_bio

TAGS = ["O", "B-A", "I-A", "B-B", "I-B"]


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("O B-A I-A O", [("A", 1, 2)]),
        ("I-A I-A O I-B", [("A", 0, 1), ("B", 3, 3)]),
        ("B-A B-A I-A", [("A", 0, 0), ("A", 1, 2)]),
        ("B-A I-B I-B", [("A", 0, 0), ("B", 1, 2)]),
        ("I-B B-B O B-A", [("B", 0, 0), ("B", 1, 1), ("A", 3, 3)]),
        ("O O", []),
    ],
)
def test_entities_are_those_of_seqeval(tags: str, wanted: list[tuple[str, int, int]]) -> None:
    assert entities(tags.split()) == wanted
    assert get_entities(tags.split()) == wanted


@pytest.mark.parametrize("seed", range(5))
def test_entities_and_their_f1_are_those_of_seqeval_on_any_tags(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels, predicted = random.integers(0, len(TAGS), size=(2, 40, 9))
    predicted = np.where(random.uniform(size=labels.shape) < 0.6, labels, predicted)
    labels[:, 6:][random.uniform(size=(40, 3)) < 0.3] = -1
    labels = np.where(np.cumsum(labels < 0, axis=1) > 0, -1, labels)  # padding is at the end
    texts = [
        [[TAGS[tag] for tag, label in zip(row, of_label, strict=True) if label >= 0] for row, of_label in rows]
        for rows in (zip(labels, labels, strict=True), zip(predicted, labels, strict=True))
    ]
    assert [entities(tags) for side in texts for tags in side] == [
        get_entities(tags) for side in texts for tags in side
    ]
    found = measured(labels.tolist(), predicted.tolist(), [1.0] * len(labels))
    assert found["EntityF1"] == pytest.approx(f1_score(*texts))


def test_only_tags_of_entities_mark_entities() -> None:
    assert is_bio(TAGS)
    assert not is_bio(["NOUN", "VERB"])
    assert not is_bio(["O", "B-A", "S-A"])


def measured(labels: list[list[int]], predicted: list[list[int]], weights: list[float]) -> dict[str, float]:
    rows = make_rows(np.array(labels), np.eye(len(TAGS))[np.array(predicted)], np.array(weights))
    found = {}
    for metric in (TokenAccuracy(tags=TAGS), TagF1(tags=TAGS), EntityF1(tags=TAGS)):
        (state,) = metric.statistic().of_groups(*labelled(rows, one_group(len(weights))))
        found[type(metric).__name__] = metric.value_of(state)
    return found


def test_padding_and_masked_rows_do_not_count_and_rows_count_by_weight() -> None:
    labels = [[1, 2, 0, -1], [0, 3, -1, -1], [4, 4, 4, 4]]
    predicted = [[1, 2, 0, 4], [0, 0, 4, 4], [0, 0, 0, 0]]
    found = measured(labels, predicted, [1.0, 3.0, 0.0])
    # 3 of 3 tokens, and thrice 1 of 2.
    assert found["TokenAccuracy"] == pytest.approx((3 + 3 * 1) / (3 + 3 * 2))
    # O: right 1 + 3, labelled 4, predicted 1 + 6; B-A and I-A are right; B-B is never predicted.
    assert found["TagF1"] == pytest.approx((2 * 4 / (4 + 7) + 1 + 1 + 0) / 4)
    # One of A, right; three of B, not found.
    assert found["EntityF1"] == pytest.approx(2 * 1 / ((1 + 3) + 1))


def test_a_row_of_one_token_is_a_row_of_tags_too() -> None:
    assert measured([[1], [3]], [[1], [1]], [1.0, 1.0])["TokenAccuracy"] == 0.5


def test_without_rows_or_with_nan_there_is_no_value() -> None:
    assert all(map(math.isnan, measured([[1]], [[1]], [0.0]).values()))
    rows = make_rows(np.array([[1, 0]]), np.full((1, 2, 5), math.nan), np.ones(1))
    (state,) = TokenAccuracy(tags=TAGS).statistic().of_groups(rows, one_group(1))
    assert math.isnan(TokenAccuracy(tags=TAGS).value_of(state))


def test_tags_of_another_task_are_refused() -> None:
    rows = make_rows(np.zeros((2, 3)), np.zeros((2, 3, 4)), np.ones(2))
    with pytest.raises(ValueError, match="3 labels and 12 predictions, of 5 tags"):
        TokenAccuracy(tags=TAGS).statistic().of_groups(rows, one_group(2))
