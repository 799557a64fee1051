"""Distances of served rows and predictions from those of training, and what `janus skew` refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.skew.features import FeatureSkew, feature_skews, statistics_of
from pipeline.skew.job import SkewOptions, run_skew_job
from pipeline.skew.predictions import jensen_shannon, prediction_drifts
from serving.request_log import RequestLog
from tests.pipeline.small import small_config
from tests.serving.test_request_log import predict_log
from tests.trainer.harness import example_of
from trainer.errors import ConfigError

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
    training = statistics_of(rows(1, late="yes"))
    found = feature_skews(training, statistics_of(served), schema(**thresholds), COLUMNS, threshold)
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
    found = feature_skews(statistics_of(before), statistics_of(after), schema(), COLUMNS, None)
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
