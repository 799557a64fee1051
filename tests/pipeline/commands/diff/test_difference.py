"""`janus diff`."""

import json
from pathlib import Path
from typing import Any

import pytest

from janus_core.errors import ConfigError, JanusError
from pipeline.commands.diff.difference import Difference, compare_runs, find_runs
from pipeline.commands.diff.view import difference_view
from pipeline.commands.output import print_result
from pipeline.config import JanusConfig
from pipeline.lineage.run_config import CONFIG_FILE, read_config, write_config
from pipeline.report.analysis.analysis_json import ANALYSIS_FILE, Analysis, Bar, ColumnAnalysis, ColumnSide
from tests.pipeline.commands.harness import Runs
from tests.pipeline.small import small_config

FIRST, SECOND, THIRD = (f"2026-01-0{day}T10-00-00" for day in (1, 2, 3))


def difference(runs: Runs, a: str | None = None, b: str | None = None) -> Difference:
    return compare_runs(*find_runs(runs.home, a, b))


def keep_config(runs: Runs, run_id: str, learning_rate: float = 0.1, least: float = 0.6, **changed: Any) -> Path:
    """Writes a run's configuration; returns its path."""
    gates = {"late": {"auc": {"min": least}}}
    settings = {"training": {"learning_rate": learning_rate}, "evaluation": {"gates": gates}, **changed}
    return write_config(small_config(Path(), **settings), runs.home.run_folder(run_id))


def two_runs(runs: Runs) -> None:
    """The second of other data, with another learning rate."""
    one = runs.data(FIRST)
    runs.push(FIRST, one, runs.model(FIRST, one, 0.1), version=100)
    runs.report(FIRST, auc=0.7, mae=10.0)
    keep_config(runs, FIRST, learning_rate=0.1)
    two = runs.data(SECOND, span=1, fingerprint="total_bytes:11")
    runs.push(SECOND, two, runs.model(SECOND, two, 0.2), version=200)
    runs.report(SECOND, auc=0.8, mae=11.0, stack={"tensorflow": "2.21.0"}, examples={"train": 90, "eval": 20})
    keep_config(runs, SECOND, learning_rate=0.2)


def analysed(runs: Runs, run_id: str, mean: float, missing: float, share: float, extra: bool = False) -> None:
    def side(**values: float) -> ColumnSide:
        return ColumnSide(present=80, missing_share=missing, **values)

    bars = [Bar(label="A", train=share, eval=0.5), Bar(label="B", train=1 - share, eval=0.5)]
    number = side(mean=mean, deviation=2.0)
    columns = [
        ColumnAnalysis(name="distance", type="float", train=number, eval=number),
        ColumnAnalysis(name="carrier", type="string", train=side(distinct=2), eval=None, bars=bars),
    ]
    columns += [ColumnAnalysis(name="wind", type="int")] if extra else []
    (runs.home.run_folder(run_id) / ANALYSIS_FILE).write_text(Analysis(columns=columns).model_dump_json())


def test_configuration_data_libraries_and_metrics_are_compared(config: JanusConfig, runs: Runs) -> None:
    two_runs(runs)
    found = difference(runs)
    assert (found.a, found.b) == (FIRST, SECOND)
    assert [(c.key, c.kind, c.a, c.b) for c in found.config] == [("training.learning_rate", "changed", 0.1, 0.2)]
    assert found.code == []
    assert [(c.key, c.a, c.b) for c in found.stack] == [("tensorflow", "2.16.2", "2.21.0")]
    assert [(c.key, c.a, c.b) for c in found.data] == [
        ("fingerprint", "total_bytes:10", "total_bytes:11"),
        ("rows.train", 80, 90),
    ]
    metrics = {(m.task, m.metric): m for m in found.metrics}
    auc, mae, bias = (metrics[key] for key in (("late", "auc"), ("delay", "mae"), ("delay", "bias")))
    assert (auc.change, auc.better) == (pytest.approx(0.1), True)
    assert (mae.change, mae.better, mae.unit) == (pytest.approx(1.0), False, "minutes")
    assert (bias.change, bias.better) == (0.0, None)


@pytest.mark.parametrize(
    ("metric", "a", "b", "better"),
    [
        ("bias", -3.0, 1.0, True),
        ("bias", 1.0, -3.0, False),
        ("bias", -1.0, 1.0, None),
        ("coverage", 0.99, 0.82, True),
        ("coverage", 0.82, 0.99, False),
        ("r2", 0.1, 0.2, True),
        ("pinball", 2.0, 1.0, True),
        ("of_a_later_version", 1.0, 2.0, None),
    ],
)
def test_what_is_better_is_the_metrics_own(
    config: JanusConfig, runs: Runs, metric: str, a: float, b: float, better: bool | None
) -> None:
    two_runs(runs)
    for run_id, value in ((FIRST, a), (SECOND, b)):
        task = {"kind": "regression", "unit": "minutes", "quantiles": [0.1, 0.5, 0.9], "metrics": {metric: value}}
        runs.report(run_id, tasks={"delay": task})
    (found,) = difference(runs).metrics
    assert found.better is better
    assert found.unit == ("minutes" if metric in ("bias", "pinball") else None)


def test_gates_are_compared_one_by_one(config: JanusConfig, runs: Runs) -> None:
    two_runs(runs)
    keep_config(runs, SECOND, learning_rate=0.2, least=0.65)
    assert [(c.key, c.a, c.b) for c in difference(runs).config] == [
        ("training.learning_rate", 0.1, 0.2),
        ("evaluation.gates.late.auc.min", 0.6, 0.65),
    ]


def test_data_statistics_are_compared_the_largest_change_first(config: JanusConfig, runs: Runs) -> None:
    two_runs(runs)
    analysed(runs, FIRST, mean=10.0, missing=0.0, share=0.5)
    analysed(runs, SECOND, mean=13.0, missing=0.1, share=0.75, extra=True)
    found = difference(runs)
    assert [(c.key, c.kind) for c in found.columns] == [("wind", "added")]
    changed = [(s.column, s.split, s.statistic, s.size) for s in found.statistics]
    assert changed[:3] == [
        ("distance", "train", "mean", 1.5),
        ("distance", "eval", "mean", 1.5),
        ("carrier", "train", "share of A", 0.25),
    ]
    assert {entry[:3] for entry in changed[3:]} == {
        ("distance", "train", "missing_share"),
        ("distance", "eval", "missing_share"),
        ("carrier", "train", "missing_share"),
    }


def test_configurations_are_compared_with_their_defaults(config: JanusConfig, runs: Runs) -> None:
    two_runs(runs)
    path = keep_config(runs, SECOND, learning_rate=0.1, push={"path": "serving", "keep": 9}, seed=5)
    found = difference(runs)
    assert [(c.key, c.a, c.b) for c in found.config] == [("seed", 0, 5), ("push.keep", 5, 9)]
    assert read_config(path.parent)["push"]["keep"] == 9
    assert sorted(entry.name for entry in path.parent.iterdir()) == [CONFIG_FILE, "report.json"]
    path.write_text("a: [")
    with pytest.raises(JanusError, match=r"2026-01-02T10-00-00/config\.yaml cannot be read"):
        difference(runs)
    path.unlink()
    found = difference(runs)
    assert (found.config, len(found.metrics)) == ([], 3)
    assert "the configurations cannot be compared: a run has no config.yaml" in found.notes[0]


def test_an_edited_schema_is_a_difference(config: JanusConfig, runs: Runs) -> None:
    two_runs(runs)
    (execution,) = runs.store.get_executions_by_type("some.package.ImportSchemaGen")[1:]
    execution.custom_properties["schema_file"].string_value = "schemas/0b/schema.pbtxt"
    runs.store.put_executions([execution])
    changed = [(c.key, c.a, c.b) for c in difference(runs).config if "schema" in c.key]
    assert changed == [("schema (its copy, by content)", "schemas/0a/schema.pbtxt", "schemas/0b/schema.pbtxt")]


def test_a_run_that_failed_early_is_compared_as_far_as_it_came(config: JanusConfig, runs: Runs) -> None:
    two_runs(runs)
    runs.data(THIRD)
    runs.report(THIRD, exit_code=3, tasks={}, examples={})
    keep_config(runs, THIRD, learning_rate=0.2)
    found = difference(runs)
    assert (found.a, found.b, found.config) == (SECOND, THIRD, [])
    assert {(m.metric, m.b, m.change, m.better) for m in found.metrics} == {
        ("auc", None, None, None),
        ("mae", None, None, None),
        ("bias", None, None, None),
    }


def test_runs_are_named_by_id_or_path(config: JanusConfig, runs: Runs) -> None:
    two_runs(runs)
    runs.home.link_latest(SECOND)
    first, second = find_runs(runs.home, "latest", f"runs/small/{FIRST}/report.json")
    assert (first.report.run_id, second.report.run_id) == (SECOND, FIRST)
    assert first.folder.name == SECOND
    assert [run.report.run_id for run in find_runs(runs.home, SECOND, None)] == [SECOND, FIRST]
    with pytest.raises(ConfigError, match=r"there is no runs/small/never/report\.json: `janus runs CONFIG` lists"):
        find_runs(runs.home, "never", None)


def test_one_run_alone_cannot_be_compared(config: JanusConfig, runs: Runs) -> None:
    runs.report(FIRST)
    with pytest.raises(ConfigError, match="has 1 run\\(s\\) with a report, and two are needed"):
        find_runs(runs.home, None, None)
    with pytest.raises(ConfigError, match=f"no other run to compare {FIRST} with"):
        find_runs(runs.home, FIRST, None)


def test_it_is_printed_as_tables_and_as_json(
    config: JanusConfig, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    two_runs(runs)
    analysed(runs, FIRST, mean=10.0, missing=0.0, share=0.5)
    analysed(runs, SECOND, mean=13.0, missing=0.1, share=0.75)
    assert print_result(difference(runs), False, difference_view) == 0
    out = capsys.readouterr().out
    for text in ("mae [minutes]", "+1.0000", "worse", "training.learning_rate", "share of A", "code: no difference"):
        assert text in out
    assert print_result(difference(runs, SECOND, FIRST), True, difference_view) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["a"], found["b"]) == (SECOND, FIRST)
    assert found["metrics"][0]["better"] is False
