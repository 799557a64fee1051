"""Label statistics against numpy, weighted and not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainer.label_statistics
from janus_core.errors import DataError
from trainer.label_statistics import label_statistics, weighted_quantiles


def test_a_number() -> None:
    found = label_statistics("t", "y", np.array([1.0, 2.0, 6.0, 99.0]), np.array([1.0, 1.0, 1.0, 0.0]), 0)
    assert found.count == 3
    assert (found.mean, found.median) == (3.0, 2.0)
    assert found.deviation == pytest.approx(np.std([1.0, 2.0, 6.0]))


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.integers(0, 4)), min_size=1, max_size=12).filter(
        lambda rows: any(weight for _, weight in rows)
    )
)
def test_a_weight_is_a_repetition(rows: list[tuple[float, int]]) -> None:
    values, weights = (np.array(part, np.float64) for part in zip(*rows, strict=True))
    repeated = np.repeat(values, weights.astype(int))
    found = label_statistics("t", "y", values, weights, 0)
    assert found.mean == pytest.approx(repeated.mean(), abs=1e-9)
    assert found.median == pytest.approx(np.median(repeated), abs=1e-9)
    deviation = repeated.std()
    assert found.deviation == pytest.approx(deviation if deviation > 1e-7 else 1.0, rel=1e-6) or deviation < 1e-6


def test_classes() -> None:
    found = label_statistics("t", "y", np.array([0, 2, 2, 1]), np.array([1.0, 0.5, 0.5, 0.0]), 4)
    assert found.count == 3
    np.testing.assert_allclose(found.frequencies, [0.5, 0.0, 0.5, 0.0])


def test_several_classes_per_row() -> None:
    labels = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    found = label_statistics("t", "y", labels, np.array([1.0, 3.0, 0.0]), 2)
    assert found.count == 2
    np.testing.assert_allclose(found.frequencies, [0.25, 1.0])
    assert found.labels.shape == (2, 2)


def test_a_large_sample_is_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer.label_statistics, "SAMPLE", 10)
    found = label_statistics("t", "y", np.arange(35.0), np.arange(1.0, 36.0), 0)
    np.testing.assert_array_equal(found.labels, np.arange(0.0, 35.0, 4))
    np.testing.assert_array_equal(found.weights, np.arange(1.0, 36.0, 4))
    assert found.mean == pytest.approx(np.average(np.arange(35.0), weights=np.arange(1.0, 36.0)))


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.lists(st.floats(0.01, 0.99), min_size=1, max_size=5))
def test_quantiles_minimise_the_pinball_loss(values: list[float], levels: list[float]) -> None:
    array = np.array(values)

    def pinball(prediction: float, level: float) -> float:
        error = array - prediction
        return float(np.maximum(level * error, (level - 1) * error).mean())

    found = weighted_quantiles(array, np.ones(len(array)), levels)
    for level, quantile in zip(levels, found, strict=True):
        assert pinball(quantile, level) <= min(pinball(value, level) for value in values) + 1e-9
    assert (np.diff(weighted_quantiles(array, np.ones(len(array)), sorted(levels))) >= 0).all()


def test_no_label_at_all_names_the_task() -> None:
    with pytest.raises(DataError, match="task 't'.*column 'y'\\)"):
        label_statistics("t", "y", np.zeros(2), np.zeros(2), 0)
    with pytest.raises(DataError, match="task 't'.*column 'y', or every weight in column 'w'"):
        label_statistics("t", "y", np.zeros((2, 3)), np.zeros(2), 3, "w")
