"""How answers are compared and kept."""

from pathlib import Path

import numpy as np

from serving.check.answers import differences, read_answers, unusable, write_answers
from serving.check.trial import LEAST_CALLS, measure

NAMES = ["row 1", "row 2", "row 3"]


def compared(values: list[float], expected: list[float]) -> list[str]:
    return list(differences("s", {"y": np.array(values)}, {"y": np.array(expected)}, NAMES, "the other"))


def test_rounding_is_no_difference() -> None:
    assert compared([1.000005, 2, 3], [1, 2, 3]) == []
    assert compared([1e-6, 0, 0], [0, 0, 0]) == []
    # What is near zero among thousands is the difference of thousands.
    assert compared([0.001, 5000, -7000], [0.002, 5000, -7000]) == []


def test_an_answer_is_compared_by_the_sizes_of_all_answers() -> None:
    small, whole = {"y": np.array([6.0])}, {"y": np.array([6.0] * 8 + [9000.0] * 4)}
    close, far = {"y": np.array([6.0005])}, {"y": np.array([6.5])}
    assert list(differences("s", close, small, NAMES[:1], "the other", whole)) == []
    assert len(list(differences("s", far, small, NAMES[:1], "the other", whole))) == 1
    assert len(list(differences("s", close, small, NAMES[:1], "the other"))) == 1


def test_more_than_rounding_is() -> None:
    assert compared([1.0001, 2, 3], [1, 2, 3])[0].startswith("s: output y of row 1 is 1.0001")
    assert compared([1, 2.001, 3.001], [1, 2, 3])[0].startswith("s: output y of row 2 and of 1 row more is 2.001")
    assert len(compared([np.nan, 2, 3], [1, 2, 3])) == 1
    assert compared([np.nan, np.inf, 3], [np.nan, np.inf, 3]) == []
    assert len(compared([1, -np.inf, 3], [1, np.inf, 3])) == 1
    assert len(compared([1, 2, 3], [1, np.inf, 3])) == 1


def test_other_outputs_shapes_and_texts() -> None:
    one, two = np.zeros([3, 1]), np.zeros([3, 2])
    assert list(differences("s", {"a": one, "b": one}, {"a": two, "c": one}, NAMES, "the other")) == [
        "s: output b is given, other than in the other",
        "s: output c is absent, other than in the other",
        "s: output a has the shape [3, 1], but [3, 2] in the other",
    ]
    texts = np.array([[b"on", b"off"]] * 3, object)
    others = texts.copy()
    assert list(differences("s", {"a": texts}, {"a": others}, NAMES, "the other")) == []
    others[2, 1] = b"out"
    assert list(differences("s", {"a": texts}, {"a": others}, NAMES, "the other")) == [
        "s: output a of row 3 is off, but out in the other"
    ]


def test_unusable_answers() -> None:
    assert (
        list(unusable("s", {"y": np.array([1, 2, 3], np.float32), "names": np.array([b"a"] * 3, object)}, NAMES)) == []
    )
    assert list(unusable("s", {"y": np.array([[1, 2], [3, np.nan], [np.inf, 6]], np.float32)}, NAMES)) == [
        "s: output y of row 2 and of 1 row more is nan"
    ]
    assert list(unusable("s", {"y": np.array(1, np.float32), "z": np.array([1, 2], np.float32)}, NAMES)) == [
        "s: output y has the shape [] for 3 rows",
        "s: output z has the shape [2] for 3 rows",
    ]


def test_answers_come_back(tmp_path: Path) -> None:
    numbers = np.array([[1.5], [np.nan]], np.float32)
    texts = np.array([["né".encode(), b""], [b"a longer one", b"x"]], object)
    write_answers(tmp_path / "answers.npz", {"s": {"a/classes": texts, "a": numbers}, "a": {"scores": numbers}})
    found = read_answers(tmp_path / "answers.npz")
    assert {signature: set(outputs) for signature, outputs in found.items()} == {
        "s": {"a", "a/classes"},
        "a": {"scores"},
    }
    np.testing.assert_array_equal(found["s"]["a"], numbers)
    assert found["s"]["a/classes"].tolist() == texts.tolist()


def test_a_slow_call_is_measured_less_often() -> None:
    calls: list[int] = []
    found = measure(calls.append, calls=50)
    assert len(calls) > 50
    assert 0 <= found.p50_ms <= found.p99_ms
    calls.clear()
    measure(calls.append, calls=50, budget_seconds=0)
    assert calls == [0, *range(LEAST_CALLS)]


def test_a_decision_may_differ_where_the_probability_does_in_its_last_digits() -> None:
    def found(probability: float, decision: bytes) -> dict[str, np.ndarray]:
        return {"a": np.array([[probability]], np.float32), "a/decision": np.array([[decision]], object)}

    assert list(differences("s", found(0.3000001, b"yes"), found(0.3, b"no"), ["row 1"], "the model")) == []
    (problem,) = differences("s", found(0.3, b"yes"), found(0.3, b"no"), ["row 1"], "the model")
    assert "output a/decision of row 1 is yes, but no" in problem
