"""The numbers behind the plots, beside what is known of them."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow.core.example import example_pb2
from tensorflow_metadata.proto.v0 import anomalies_pb2

from janus_core.metrics import ACCURACY, AUC, BIAS, MAE
from pipeline.baselines import gated_metric
from pipeline.report.analysis.analysis_json import Bar, Importance, NodeLineage, TaskAnalysis
from pipeline.report.analysis.columns import anomalies_of, columns_of
from pipeline.report.analysis.curves import OTHERS, curves_of
from pipeline.report.analysis.importance import importances, mark_chance
from pipeline.report.analysis.sample import Predicted, part_of, slices_of
from pipeline.report.analysis.slices import interval, slice_values, split_name, worst_slices
from pipeline.report.analysis.standard_errors import TaskMetric, metrics_by_task, standard_error
from pipeline.report.page.graph import graph_of
from pipeline.report.page.plots import importance_plot
from pipeline.report.page.svg import draw, shown
from pipeline.report.report_json import ComponentReport
from tests.pipeline.kinds_harness import kinds_config
from tests.pipeline.report.sample_run import HOSTILE, config, predicted_of, small_table
from trainer.config import MulticlassTask


def predicted(labels: Any, output: Any, weights: Any = None) -> Predicted:
    labels, output = np.array(labels), np.array(output, float)
    return Predicted(
        rows=np.arange(len(labels)),
        labels=labels.reshape(len(labels), -1),
        weights=np.ones(len(labels)) if weights is None else np.array(weights, float),
        output=output.reshape(len(labels), -1),
    )


def example(**columns: Any) -> example_pb2.Example:
    made = example_pb2.Example()
    for name, value in columns.items():
        values = value if isinstance(value, list) else [value]
        feature = made.features.feature[name]
        if isinstance(values[0], str):
            feature.bytes_list.value.extend(text.encode() for text in values)
        elif isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return made


# --- the sample -------------------------------------------------------------------------------------------------


def test_slices_are_named_as_in_the_report() -> None:
    rows = [example(b="x", a=1.5), example(b=["x", "y", "x"], a=1.5), example(a=2.0), example(b=HOSTILE)]
    found = slices_of(rows, [["b"], ["b", "a"]])
    assert {name: list(places) for name, places in found.items()} == {
        "b=x": [0, 1],
        "b=y": [1],
        f"b={HOSTILE}": [3],
        "a=1.5,b=x": [0, 1],
        "a=1.5,b=y": [1],
    }


# --- curves -----------------------------------------------------------------------------------------------------


def test_curves_of_a_known_ranking() -> None:
    task = kinds_config(tasks=["click"]).tasks["click"]
    found = curves_of(task, predicted([0, 0, 1, 1], [0.1, 0.6, 0.6, 0.9]))
    (positive,) = found.classes
    assert (positive.name, positive.share) == ("1", 0.5)
    area = np.sum(
        np.diff(positive.false_positive_rate)[0] * np.convolve(positive.true_positive_rate, [0.5, 0.5], "valid")
    )
    # Of four pairs three are ranked right, and one is a tie.
    assert area == pytest.approx(3.5 / 4, abs=1e-3)
    assert positive.precision[0] == 1.0
    assert positive.precision[-1] == pytest.approx(2 / 3, abs=1e-5)
    assert [(b.predicted, b.observed, b.weight) for b in positive.calibration] == [
        (pytest.approx(0.1), 0.0, 1.0),
        (pytest.approx(0.6), 0.5, 2.0),
        (pytest.approx(0.9), 1.0, 1.0),
    ]
    assert found.confusion is not None
    assert found.confusion.counts == [[1.0, 1.0], [0.0, 2.0]]


def test_less_frequent_classes_are_put_together() -> None:
    classes = [f"c{i}" for i in range(20)]
    task = MulticlassTask(kind="multiclass", label="x", classes=classes)
    labels = np.repeat(np.arange(20), np.arange(20, 0, -1))
    found = curves_of(task, predicted(labels, np.eye(20)[labels]))
    assert found.confusion is not None
    assert found.confusion.classes == [*classes[:11], OTHERS]
    assert np.array(found.confusion.counts).tolist() == np.diag([*range(20, 9, -1), sum(range(1, 10))]).tolist()
    assert [one.name for one in found.classes] == classes[:6]


def test_every_row_is_in_the_plots_of_numbers() -> None:
    task = config().tasks["delay"]
    labels = np.linspace(-10, 10, 1000)
    found = curves_of(task, predicted(labels, labels + 1, np.full(1000, 2.0)))
    assert found.residuals is not None
    assert found.predicted_true is not None
    assert sum(found.residuals.counts) == 2000
    assert np.sum(found.predicted_true.counts) == 2000
    middle = np.average(
        (np.array(found.residuals.edges)[1:] + found.residuals.edges[:-1]) / 2, weights=found.residuals.counts
    )
    assert middle == pytest.approx(1.0, abs=0.05)


def test_coverage_of_quantiles() -> None:
    table = small_table()
    found = curves_of(config().tasks["delay"], predicted_of(table, "delay"))
    rows = predicted_of(table, "delay")
    assert rows.quantiles is not None
    expected = np.average(rows.labels[:, 0] <= rows.quantiles[:, 0], weights=rows.weights)
    assert [one.level for one in found.coverage] == [0.1, 0.5, 0.9]
    assert found.coverage[0].share == pytest.approx(expected)


# --- intervals --------------------------------------------------------------------------------------------------


def test_the_standard_error_of_a_mean_is_the_known_one() -> None:
    random = np.random.default_rng(1)
    errors = random.exponential(size=6000)
    rows = predicted(np.zeros(6000), errors)
    found = [
        standard_error(metrics_by_task(config())["wait"]["mae"], rows, random.integers(0, 30, 6000)) for _ in range(20)
    ]
    assert np.mean([one for one in found if one is not None]) == pytest.approx(errors.std() / math.sqrt(6000), rel=0.1)


def test_too_few_rows_have_no_interval() -> None:
    metric = metrics_by_task(config())["wait"]["mae"]
    assert standard_error(metric, predicted([1.0, 2.0], [1.0, 1.0]), np.array([3, 9])) is None


def test_every_metric_of_every_kind_has_an_error() -> None:
    table, of = small_table(), config()
    groups = np.random.default_rng(0).integers(0, 30, 600)
    for name, metrics in metrics_by_task(of).items():
        rows = predicted_of(table, name)
        for metric in metrics.values():
            error = standard_error(metric, rows, groups[rows.rows])
            assert error is not None, (name, metric.facts.name)
            assert 0 < error < 10


def test_intervals_shrink_to_all_rows_and_stay_shares() -> None:
    assert interval(MAE, 10.0, 1.0, 100, 400) == pytest.approx((9.02, 10.98))
    assert interval(AUC, 0.99, 0.1, 100, 100) == (pytest.approx(0.794), 1.0)
    assert interval(MAE, None, 1.0, 10, 10) == (None, None)


def test_slices_are_in_the_order_of_how_sure_it_is_that_they_are_worse() -> None:
    task = {
        "kind": "regression",
        "metrics": {"mae": 10.0},
        "slices": {"a=1": {"mae": 20.0}, "a=2": {"mae": 21.0}, "a=3": {"mae": None}, "a=4": {"mae": 5.0}},
        "slice_sizes": {"a=1": 100, "a=2": 100, "a=3": 5, "a=4": 100},
    }
    analysis = TaskAnalysis(
        rows=100,
        slice_errors={"a=1": {"mae": 1.0}, "a=2": {"mae": 9.0}, "a=4": {"mae": 0.1}},
        slice_rows={"a=1": 100, "a=2": 100, "a=4": 100},
    )
    found = slice_values("mae", task, analysis, [["a"]])["a"]
    assert [(one.label, one.worse) for one in found] == [("1", True), ("4", False), ("2", False), ("3", False)]
    assert found[0].excess == pytest.approx(20 - 1.96 - 10)
    without = slice_values("mae", task, None, [["a"]])["a"]
    assert [(one.label, one.interval) for one in without] == [("2", "–"), ("1", "–"), ("4", "–"), ("3", "–")]


def test_the_worst_of_all_columns_lead_and_a_small_slice_does_not() -> None:
    values = {"origin=JFK": 0.7386, "carrier=HA": 0.3493, "carrier=OO": 0.3, "carrier=VX": 0.68}
    sizes = {"origin=JFK": 17856, "carrier=HA": 1500, "carrier=OO": 53, "carrier=VX": 927}
    errors = {"origin=JFK": 0.005, "carrier=HA": 0.05, "carrier=OO": 0.2, "carrier=VX": 0.033}
    task = {
        "kind": "multiclass",
        "metrics": {"auc": 0.7693},
        "slices": {name: {"auc": value} for name, value in values.items()},
        "slice_sizes": sizes,
    }
    analysis = TaskAnalysis(
        rows=20000, slice_rows=sizes, slice_errors={name: {"auc": error} for name, error in errors.items()}
    )
    by_columns = slice_values("auc", task, analysis, [["origin"], ["carrier"]])
    assert [one.name for one in worst_slices(by_columns, 5)] == [
        "carrier=HA", "carrier=OO", "carrier=VX", "origin=JFK"
    ]  # fmt: skip
    assert [one.name for one in worst_slices(by_columns, 2)] == ["carrier=HA", "carrier=OO"]


def test_a_bias_is_worse_the_farther_it_is_from_zero() -> None:
    task = {
        "kind": "regression",
        "metrics": {"bias": -2.0},
        "slices": {"a=1": {"bias": 9.0}, "a=2": {"bias": -9.5}, "a=3": {"bias": 0.1}, "a=4": {"bias": 3.0}},
        "slice_sizes": dict.fromkeys(("a=1", "a=2", "a=3", "a=4"), 100),
    }
    analysis = TaskAnalysis(
        rows=100,
        slice_errors={**{f"a={i}": {"bias": 0.5} for i in (1, 2, 3)}, "a=4": {"bias": 2.0}},
        slice_rows=dict.fromkeys(("a=1", "a=2", "a=3", "a=4"), 100),
    )
    found = slice_values("bias", task, analysis, [["a"]])["a"]
    assert [(one.label, one.worse) for one in found] == [("2", True), ("1", True), ("4", False), ("3", False)]


def test_a_coverage_is_worse_the_farther_it_is_from_the_nominal_one() -> None:
    names = ("a=1", "a=2", "a=3", "a=4")
    task = {
        "kind": "regression",
        "quantiles": [0.1, 0.5, 0.9],
        "metrics": {"coverage": 0.78},
        "slices": dict(zip(names, ({"coverage": share} for share in (0.99, 0.8, 0.5, 0.85)), strict=True)),
        "slice_sizes": dict.fromkeys(names, 100),
    }
    analysis = TaskAnalysis(
        rows=100,
        slice_errors=dict.fromkeys(names, {"coverage": 0.02}),
        slice_rows=dict.fromkeys(names, 100),
    )
    found = slice_values("coverage", task, analysis, [["a"]])["a"]
    assert [(one.label, one.worse) for one in found] == [("3", True), ("1", True), ("4", False), ("2", False)]


def test_rows_that_are_all_wrong_give_no_interval_of_width_zero() -> None:
    assert interval(ACCURACY, 0.0, 0.0, 6, 6) == (None, None)


def test_a_slices_name_may_hold_anything() -> None:
    slices = [["carrier"], ["b", "a"]]
    assert split_name("carrier=x,y=z", slices) == ("carrier", "x,y=z")
    assert split_name("a=1,b=2,3", slices) == ("a, b", "1, 2,3")
    assert split_name("unknown", slices) == ("slice", "unknown")


# --- importance -------------------------------------------------------------------------------------------------


class TextModel:
    """Predicts a column's number, 0 where it is missing."""

    def run(self, signature: str, inputs: dict[str, Any], outputs: list[str]) -> dict[str, np.ndarray]:
        assert signature == "serving_default"
        rows = [example_pb2.Example.FromString(record).features.feature for record in inputs["examples"]]
        values = [row["used"].float_list.value[0] if "used" in row else 0.0 for row in rows]
        return {"wait": np.array(values, np.float32)[:, None]}


def test_the_column_that_is_used_is_important_and_rows_stay_as_they_were() -> None:
    values = np.random.default_rng(2).normal(size=200)
    examples = [
        example(used=float(value), other=float(i)) if i % 10 else example(other=1.0) for i, value in enumerate(values)
    ]
    before = [one.SerializeToString(deterministic=True) for one in examples]
    labels = np.where(np.arange(200) % 10, values, 0.0)
    rows, metrics = predicted(labels, labels), {"wait": metrics_by_task(config())["wait"]["mae"]}
    model: Any = TextModel()

    def measured(until: float) -> Any:
        return importances(model, examples, {"wait": rows}, metrics, ["other", "used"], 5, until, lambda doing: None)

    found, skipped = measured(time.monotonic() + 60)
    assert skipped == []
    assert [one.column for one in found["wait"]] == ["used", "other"]
    # The mean distance of two draws of a normal distribution is 2 / sqrt(pi).
    assert found["wait"][0].worse == pytest.approx(1.1, abs=0.15)
    assert found["wait"][1].worse == pytest.approx(0.0, abs=1e-6)
    assert [one.beyond_chance for one in found["wait"]] == [True, False]
    assert measured(time.monotonic() + 60) == (found, [])
    assert [one.SerializeToString(deterministic=True) for one in examples] == before
    assert measured(0.0) == ({"wait": []}, ["other", "used"])


def test_importance_is_measured_in_a_gated_metric_that_has_a_direction() -> None:
    gates = {
        "delay": {"bias": {"max": 1.0}, "coverage": {"min": 0.7}, "rmse": {"max": 9.0}},
        "wait": {"bias": {"max": 1}},
    }
    with_gates = kinds_config(gates=gates)
    assert gated_metric(with_gates, "delay", decided=True).name == "rmse"
    assert gated_metric(with_gates, "wait", decided=True).name == "mae"


def test_a_bias_becomes_worse_on_either_side_of_zero() -> None:
    bias = TaskMetric(BIAS, metrics_by_task(config())["wait"]["bias"].metric)
    assert bias.worse(-3.0, 1.0) == bias.worse(3.0, -1.0) == 2.0
    assert math.isnan(bias.worse(math.nan, 1.0))


def test_columns_within_chance_are_named_as_such() -> None:
    measured = {"used": (0.2, 0.01), "noisy": (0.005, 0.015), "unused": (1e-17, 1e-18), "harmful": (-0.2, 0.01)}
    items = mark_chance([Importance(column=name, worse=w, spread=s) for name, (w, s) in measured.items()], 0.7)
    assert [one.beyond_chance for one in items] == [True, False, False, False]
    plot = importance_plot("k", "auc", 0.7, items)
    assert "Most: used (0.2). No difference beyond chance: noisy, unused, harmful." in plot.text
    assert [row[:2] for row in plot.rows] == [
        ("used", "0.2"),
        *((n, "within chance") for n in ("noisy", "unused", "harmful")),
    ]
    assert draw("k", plot.paint).count("unused") == 0
    assert "No column makes a difference beyond chance." in importance_plot("k", "auc", 0.7, items[1:]).text
    assert "<svg" in draw("k", importance_plot("k", "auc", 0.7, items[1:]).paint)


def test_a_part_keeps_its_places() -> None:
    rows = predicted(np.arange(6), np.arange(6))
    inside = part_of(rows, np.array([1, 4, 9]))
    assert list(inside.rows) == [1, 4]
    assert inside.labels[:, 0].tolist() == [1, 4]


# --- data and pipeline ------------------------------------------------------------------------------------------


def write_statistics(folder: Path, split: str, rows: list[example_pb2.Example]) -> Any:
    """The rows' batches, after their statistics have been written."""
    from pipeline.drift import sample_of

    path = folder / f"Split-{split}" / "FeatureStats.pb"
    path.parent.mkdir(parents=True)
    sample = sample_of([row.SerializeToString() for row in rows])
    path.write_bytes(sample.statistics.SerializeToString())
    return sample.batches


def test_both_splits_are_beside_each_other(tmp_path: Path) -> None:
    import tensorflow_data_validation as tfdv

    def row(i: int, **values: Any) -> example_pb2.Example:
        return example(number=float(i % 10), whole=i % 3, **values)

    train = [row(i, text="a" if i % 4 else "b") for i in range(100)]
    evaluated = [row(i + 5, text="a" if i % 2 else "c") for i in range(39)] + [row(5, text="c")]
    evaluated[0].features.feature["number"].float_list.value[0] = 99.0
    batches = {
        split: write_statistics(tmp_path, split, rows) for split, rows in (("train", train), ("eval", evaluated))
    }
    schema = tfdv.infer_schema(tfdv.load_stats_binary(f"{tmp_path}/Split-train/FeatureStats.pb"))
    columns = {column.name: column for column in columns_of(str(tmp_path), schema, batches)}
    number, whole, text = columns["number"], columns["whole"], columns["text"]
    assert number.train is not None
    assert (number.train.mean, number.train.greatest) == (4.5, 9.0)
    assert [sum(getattr(bar, side) for bar in number.bars) for side in ("train", "eval")] == [pytest.approx(1)] * 2
    assert number.bars[-1] == Bar(label="above 9", train=0.0, eval=0.025)
    assert number.bars[0] == Bar(label="0 – 1.125", train=0.2, eval=0.2)
    assert number.outside == 0.025
    assert number.distance is not None
    assert number.distance < 0.02
    assert {bar.label: (bar.train, bar.eval) for bar in whole.bars} == {
        "0": (0.34, pytest.approx(13 / 40)), "1": (0.33, pytest.approx(13 / 40)), "2": (0.33, pytest.approx(14 / 40))
    }  # fmt: skip
    assert whole.distance is not None
    assert whole.distance < 0.001
    assert {bar.label: (bar.train, bar.eval) for bar in text.bars} == {
        "a": (0.75, 0.475), "b": (0.25, 0), "c": (0, 0.525)
    }  # fmt: skip
    assert text.distance == pytest.approx(0.525)
    assert text.unseen == pytest.approx(0.525)
    assert text.train is not None
    assert text.train.distinct == 2
    without = {column.name: column for column in columns_of(str(tmp_path), schema)}
    assert (without["number"].distance, without["number"].bars) == (None, [])
    assert without["text"].bars == text.bars


def test_anomalies_are_read(tmp_path: Path) -> None:
    assert anomalies_of(str(tmp_path)) == []
    found = anomalies_pb2.Anomalies()
    found.anomaly_info["x"].description = "new values"
    found.anomaly_info["x"].severity = anomalies_pb2.AnomalyInfo.ERROR
    path = tmp_path / "Split-eval" / "SchemaDiff.pb"
    path.parent.mkdir()
    path.write_bytes(found.SerializeToString())
    (line,) = anomalies_of(str(tmp_path))
    assert (line.split, line.column, line.severity, line.text) == ("eval", "x", "error", "new values")


def test_the_graph_has_each_component_below_what_it_reads() -> None:
    takes = {"A": [], "B": ["A"], "C": ["A", "B"], "D": []}
    components = {name: ComponentReport(seconds=1, cached=name == "A", state="complete") for name in takes}
    lineage = [
        NodeLineage(node=name, execution=1, cached=False, takes=found, inputs=[], outputs=[])
        for name, found in takes.items()
    ]
    graph = graph_of(components, lineage)
    heights = {node.name: node.y for node in graph.nodes}
    assert heights["A"] == heights["D"] < heights["B"] < heights["C"]
    # C comes after A through B.
    assert len(graph.paths) == 2
    assert graph.nodes[0].note == "cached"


def test_a_drawing_takes_the_pages_colours_and_any_name() -> None:
    svg = draw("k", lambda axis: axis.plot([0, 1], label=shown(HOSTILE)) and axis.legend())
    assert "var(--c1)" in svg
    assert "#0000" not in svg
    assert "<script" not in svg
    assert 'id="k-figure_1"' in svg
    assert shown("_x") == "\u200b_x"
    assert len(shown("long " * 20)) == 22
