"""Distances of served rows and predictions from those of training, and what `janus skew` refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2

from janus_core.errors import ConfigError
from pipeline.commands.skew.job import Result, run_skew_job
from pipeline.commands.skew.options import SkewOptions
from pipeline.commands.skew.predictions import prediction_drifts
from pipeline.drift import FeatureSkew, bins_of, distance, feature_skews, jensen_shannon, sample_of
from serving.request_log import RequestLog
from tests.pipeline.small import small_config
from tests.serving.test_request_log import predict_log
from tests.trainer.harness import example_of

COLUMNS = ["distance", "carrier"]


def schema(**thresholds: float) -> schema_pb2.Schema:
    made = schema_pb2.Schema()
    for name, kind in (("distance", schema_pb2.FLOAT), ("carrier", schema_pb2.BYTES), ("late", schema_pb2.BYTES)):
        feature = made.feature.add(name=name, type=kind)
        if name in thresholds:
            measure = "infinity_norm" if kind == schema_pb2.BYTES else "jensen_shannon_divergence"
            getattr(feature.skew_comparator, measure).threshold = thresholds[name]
    return made


def rows(seed: int, scale: float = 1.0, shares: tuple[float, ...] = (0.6, 0.3, 0.1), **changed: Any) -> list[bytes]:
    rng = np.random.default_rng(seed)
    carriers = rng.choice(["A", "B", "C"], size=4000, p=shares)
    distances = rng.normal(1000 * scale, 200 * scale, 4000)
    return [
        example_of({"distance": float(x), "carrier": c, **changed}) for x, c in zip(distances, carriers, strict=True)
    ]


def skews(served: list[bytes], threshold: float | None = None, **thresholds: float) -> dict[str, FeatureSkew]:
    training = sample_of(rows(1, late="yes"))
    found = feature_skews(training, sample_of(served), schema(**thresholds), COLUMNS, threshold)
    return {one.column: one for one in found}


def test_rows_of_the_same_distribution_are_not_skewed() -> None:
    found = skews(rows(2), distance=0.05, carrier=0.05)
    assert not any(one.skewed for one in found.values())
    assert all(one.distance is not None and one.distance < 0.05 for one in found.values())


def test_a_changed_unit_and_swapped_categories_are_found() -> None:
    found = skews(rows(2, scale=1.609, shares=(0.3, 0.6, 0.1)), distance=0.05, carrier=0.05)
    assert found["distance"].skewed
    assert found["carrier"].skewed


def test_the_distance_of_categories_is_the_largest_difference_of_shares() -> None:
    training, served = ["A"] * 60 + ["B"] * 40, ["A"] * 25 + ["B"] * 50 + ["C"] * 25
    before, after = ([example_of({"distance": 1.0, "carrier": c}) for c in given] for given in (training, served))
    found = feature_skews(sample_of(before), sample_of(after), schema(), COLUMNS, None)
    carrier = next(one for one in found if one.column == "carrier")
    assert carrier.distance == pytest.approx(0.35, abs=1e-6)
    assert carrier.unseen == pytest.approx(0.25)
    assert (carrier.threshold, carrier.skewed) == (None, False)


def test_a_column_that_no_request_has_is_skewed_where_it_has_a_threshold() -> None:
    served = [example_of({"carrier": "A"}) for _ in range(500)]
    found = skews(served, threshold=0.3)
    assert found["distance"].missing_serving == 1.0
    assert found["distance"].skewed
    assert not skews(served)["distance"].skewed


def compared(training: np.ndarray, served: np.ndarray) -> tuple[FeatureSkew, float]:
    """Our figure of a column, and TFDV's, which unites the bins of each side's own range (TFDV's anomalies/metrics.cc,
    AlignHistograms)."""
    made = schema_pb2.Schema()
    made.feature.add(name="n", type=schema_pb2.INT).skew_comparator.jensen_shannon_divergence.threshold = 0.1
    before, after = (sample_of([example_of({"n": int(n)}) for n in side]) for side in (training, served))
    (ours,) = feature_skews(before, after, made, ["n"], None)
    info = tfdv.validate_statistics(before.statistics, made, serving_statistics=after.statistics).drift_skew_info
    return ours, info[0].skew_measurements[0].value


def test_one_outlier_is_no_skew_but_is_named() -> None:
    weekdays = np.arange(16_014) % 7
    ours, theirs = compared(weekdays, np.append(weekdays, 99))
    assert theirs > 0.3
    assert ours.distance == pytest.approx(0.5 / 16_015, rel=0.01)
    assert not ours.skewed
    assert (ours.outside_count, ours.outside_values, ours.training_range) == (1, (99.0,), (0.0, 6.0))
    assert Result(16_015, [ours], []).outliers() == [
        "column 'n': 1 of 16,015 served values is outside the training split's range 0 to 6: 99"
    ]
    assert Result(16_015, [ours], []).problems() == []
    assert Result(16_015, [ours.without_values()], []).outliers() == [
        "column 'n': 1 of 16,015 served values is outside the training split's range"
    ]
    assert "99" not in json.dumps(ours.without_values().as_dict())


def test_whole_numbers_of_one_distribution_are_near_whatever_their_maxima() -> None:
    rng = np.random.default_rng(0)
    loans, others = np.minimum(rng.poisson(1.22, 8000), 6), np.minimum(rng.poisson(1.22, 2000), 6)
    ours, theirs = compared(np.append(loans, 7), others)
    assert theirs > 0.2
    assert ours.distance is not None
    assert ours.distance < 0.002
    assert ours.outside_count == 0


def test_a_bin_is_as_wide_as_the_training_split_says() -> None:
    few = bins_of(np.array([1.0, 2.0, 2.0, 5.0]), 0.0, 9.0)
    # 1, 2 and 5 themselves, any other, below 0, above 9.
    assert few.shares(np.array([1, 2, 3, 9, -1, np.inf, 5, 5])).tolist() == [0.125, 0.125, 0.25, 0.25, 0.125, 0.125]
    assert few.outside(np.array([-1.0, 0.0, 9.0, 10.0])).tolist() == [-1.0, 10.0]
    rng = np.random.default_rng(1)
    rain = np.where(rng.random(5000) < 0.9, 0.0, rng.exponential(1.0, 5000))
    bins = bins_of(rain)
    assert bins.single.tolist() == [0.0]
    assert bins.shares(rain)[1:-2] == pytest.approx(np.full(10, 0.01), abs=0.002)
    assert bins.shares(rain).sum() == pytest.approx(1)
    # A number in another unit is as far as can be.
    assert distance("Jensen-Shannon", bins.shares(rain), bins.shares(rain + 1000)) == 1
    assert bins.shares(np.empty(0)).tolist() == [0.0] * 13


def test_the_schema_may_choose_the_measure() -> None:
    training, served = ([example_of({"n": n, "t": t}) for n, t in side] for side in ([(1, "a"), (2, "b")], [(2, "b")]))
    made = schema_pb2.Schema()
    made.feature.add(name="n", type=schema_pb2.INT).skew_comparator.infinity_norm.threshold = 0.2
    made.feature.add(name="t", type=schema_pb2.BYTES).skew_comparator.jensen_shannon_divergence.threshold = 0.5
    sides = sample_of(training), sample_of(served)
    number, text = feature_skews(*sides, made, ["n", "t"], None)
    assert (number.measure, number.distance, number.skewed) == ("L-infinity", 0.5, True)
    by_hand = jensen_shannon(np.array([0.5, 0.5]), np.array([0.0, 1.0]))
    assert (text.measure, text.distance, text.skewed) == ("Jensen-Shannon", pytest.approx(by_hand), False)
    made.feature[0].skew_comparator.Clear()
    made.feature[0].skew_comparator.normalized_abs_difference.threshold = 0.2
    with pytest.raises(ConfigError, match="column 'n' is normalized_abs_difference, which"):
        feature_skews(*sides, made, ["n"], None)


def test_values_that_tfdv_does_not_list_are_not_called_unseen() -> None:
    training = [example_of({"carrier": f"c{i}"}) for i in range(1200)]
    (found,) = feature_skews(sample_of(training), sample_of(training[600:]), schema(), ["carrier"], None)
    assert found.unseen is None


def test_the_order_of_the_log_does_not_matter() -> None:
    served = rows(3)
    first, second = skews(served), skews(served[::-1])
    for name in COLUMNS:
        assert first[name].distance == pytest.approx(second[name].distance, abs=1e-6)


def test_divergences_against_their_formula() -> None:
    first, second = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])
    middle = (first + second) / 2
    by_hand = sum(p * np.log2(p / m) for p, m in zip(first, middle, strict=True) if p) / 2
    by_hand += sum(p * np.log2(p / m) for p, m in zip(second, middle, strict=True) if p) / 2
    assert jensen_shannon(first, second) == pytest.approx(by_hand, abs=1e-12)
    assert jensen_shannon(first, first) == 0
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1


def test_predictions_that_moved_are_found_and_others_not() -> None:
    rng = np.random.default_rng(4)
    tasks = {"late": True, "delay": False, "other": False}

    def answers(yes: float, mean: float) -> dict[str, np.ndarray]:
        share = np.clip(rng.normal(yes, 0.05, 3000), 0, 1)
        delay = rng.normal(mean, 10, (3000, 1)).astype(np.float32)
        return {"late/probabilities": np.stack([1 - share, share], axis=1), "delay": delay}

    expected = answers(0.3, 5.0)
    late, delay = prediction_drifts(expected, answers(0.3, 5.0), tasks, 0.1)
    assert not late.drifted
    assert not delay.drifted
    late, delay = prediction_drifts(expected, answers(0.5, 25.0), tasks, 0.1)
    assert late.drifted
    assert late.distance == pytest.approx(0.2, abs=0.01)
    assert delay.drifted
    assert delay.shift == pytest.approx(20, abs=1)


def test_predictions_of_boxes_are_compared_by_their_worst_edge_and_tags_by_their_shares() -> None:
    rng = np.random.default_rng(4)
    tasks = {"place": False, "names": True}

    def answers(bottom: float, tag: bytes) -> dict[str, np.ndarray]:
        place = rng.normal([0.1, 0.1, bottom, 0.5], 0.02, (500, 4))
        # A row that was answered by an error.
        place[7] = np.nan
        return {"place": place, "names/tags": np.array([[b"O", tag], [b"O", b""]] * 250, object)}

    place, names = prediction_drifts(answers(0.5, b"B-A"), answers(0.7, b"B-B"), tasks, 0.1)
    assert place.shift == pytest.approx(0.2, abs=0.01)
    assert place.drifted
    assert names.distance == pytest.approx(1 / 3)
    place, names = prediction_drifts(answers(0.5, b"B-A"), answers(0.5, b"B-A"), tasks, 0.1)
    assert not place.drifted
    assert names.distance == 0


def test_logs_that_cannot_be_judged_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = small_config(tmp_path)
    log = RequestLog(tmp_path / "log", 1.0)
    log.record(predict_log(1))
    log.close()
    (tmp_path / "text").write_text("a, b\n" * 10)
    for logged, words in (("nothing", "nothing"), ("text", "is not a TFRecord file"), ("log", "2 rows are too few")):
        with pytest.raises(ConfigError, match=words):
            run_skew_job(config, SkewOptions(str(tmp_path / logged)))
    with pytest.raises(ConfigError, match="has no report yet"):
        run_skew_job(config, SkewOptions(str(tmp_path / "log"), min_rows=1))
