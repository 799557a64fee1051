"""Whole comparisons on a small table: beside a run of the pipeline, interrupted, repeated, refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from janus_core.errors import ConfigError, DataError, JanusError
from pipeline.cli import app
from pipeline.commands.compare import job
from pipeline.commands.compare.comparison import Comparison
from pipeline.commands.compare.job import run_compare_job
from pipeline.commands.compare.options import CompareOptions
from pipeline.commands.compare.result_files import write_comparison
from pipeline.config import JanusConfig
from tests.pipeline.commands.compare.test_summary import comparison
from tests.pipeline.small import small_config, small_raw, write_table

DETERMINED_BY = job._determined_by


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a table, the same for all tests of this module."""
    folder = tmp_path_factory.mktemp("compare")
    write_table(folder, rows=400)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # Nothing here depends on the sources, which may be edited while the tests run.
        patch.setattr("pipeline.dag.source_fingerprint", lambda *paths: str(len(paths)))
        patch.setattr(job, "_determined_by", lambda: {"code": "as it is"})
        yield folder


@pytest.fixture(scope="module")
def config(folder: Path) -> JanusConfig:
    """Two epochs of two tasks; paths are relative, as in a project."""
    return small_config(Path(), training={"epochs": 2, "batch_size": 32}, seed=3)


def report() -> dict[str, Any]:
    return json.loads(Path("runs/small/latest/report.json").read_text())


def result() -> Comparison:
    return Comparison.model_validate_json(Path("runs/small/compare/latest/compare.json").read_text())


def trainings() -> int:
    return len(Path("runs/small/compare/journal.jsonl").read_text().splitlines())


@pytest.fixture(scope="module")
def ran(config: JanusConfig) -> dict[str, Any]:
    """The report of a run before the comparison."""
    from pipeline.run.job import run_job

    assert run_job(config) == 0
    return report()


@pytest.fixture(scope="module")
def compared(config: JanusConfig, ran: dict[str, Any]) -> Comparison:
    """The comparison, with one seed."""
    assert run_compare_job(config, CompareOptions(seeds=1)) == 0
    return result()


@pytest.mark.slow
def test_the_first_seed_is_the_runs_own_model_with_the_evaluators_figures(
    ran: dict[str, Any], compared: Comparison
) -> None:
    for task, reported in ran["tasks"].items():
        found = compared.own.tasks[task].metrics
        assert reported["metrics"]
        for metric, value in reported["metrics"].items():
            assert found[metric].mean == pytest.approx(value, abs=1e-6), (task, metric)
        assert compared.tasks[task].labelled == reported["labelled"]["eval"]
    assert compared.examples == ran["examples"]


@pytest.mark.slow
def test_one_seed_has_figures_and_no_verdict(compared: Comparison) -> None:
    assert compared.own.delta_m is not None
    assert compared.own.delta_m.verdict is None
    assert any("one seed" in note for note in compared.notes)
    assert compared.single.cost.parameters > compared.own.cost.parameters


@pytest.mark.slow
def test_equal_size_is_near(compared: Comparison) -> None:
    own = compared.own.cost.parameters
    for task, parameters in compared.equal.parameters.items():
        assert abs(parameters - own) <= abs(compared.single.parameters[task] - own)
        assert abs(parameters - own) < 0.25 * own


@pytest.mark.slow
def test_examples_are_those_of_the_run_and_the_next_run_finds_all_done(
    config: JanusConfig, compared: Comparison
) -> None:
    from pipeline.run.job import run_job

    folders = sorted(path.name for path in Path("runs/small", "root", "Transform", "transform_graph").iterdir())
    assert len(folders) == 1
    assert run_job(config) == 0
    assert all(component["cached"] for component in report()["components"].values())


@pytest.mark.very_slow
@pytest.mark.slow
def test_more_seeds_train_only_what_is_missing(
    config: JanusConfig, compared: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after an interruption: the third of the second seed's trainings fails."""
    from pipeline.commands.compare import training

    before, original, calls = trainings(), training.train_trial, []

    def failing(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 3:
            raise ZeroDivisionError("power cut")
        return original(*arguments)

    monkeypatch.setattr(training, "train_trial", failing)
    with pytest.raises(ZeroDivisionError):
        run_compare_job(config, CompareOptions(seeds=2))
    assert trainings() == before + 2
    assert run_compare_job(config, CompareOptions(seeds=2)) == 0
    assert len(calls) == 3 + 3
    assert trainings() == 2 * before
    found = result()
    assert found.seeds == [3, 4]
    assert found.own.tasks["delay"].metrics["mae"].values[0] == compared.own.tasks["delay"].metrics["mae"].mean
    first, second = found.own.tasks["delay"].metrics["mae"].values
    assert first != second
    assert found.own.delta_m is not None
    assert found.own.delta_m.verdict is not None


@pytest.mark.very_slow
@pytest.mark.slow
def test_a_sweep_ranks_the_product(config: JanusConfig, compared: Comparison) -> None:
    options = CompareOptions(seeds=1, trunks="none,mmoe", balancings="fixed,uncertainty", epochs=1)
    assert run_compare_job(config, options) == 0
    found = result()
    assert found.epochs == 1
    names = {candidate.name for candidate in found.candidates}
    assert names == {"shared_bottom × fixed", "none × fixed", "mmoe × fixed", "mmoe × uncertainty"}
    assert any(note.startswith("none × uncertainty: there is nothing") for note in found.notes)
    means = [candidate.delta_m.mean for candidate in found.candidates if candidate.delta_m]
    assert means == sorted(means, reverse=True)
    assert len(means) == 4
    assert (Path("runs/small/compare/latest") / "ranking.png").exists()


@pytest.mark.slow
def test_json_is_all_that_stdout_gets(config: JanusConfig, compared: Comparison, capfd: Any) -> None:
    options = CompareOptions(seeds=1, as_json=True, output=Path("elsewhere"))
    latest = Path("runs/small/compare/latest").resolve()
    assert run_compare_job(config, options) == 0
    out, err = capfd.readouterr()
    assert Comparison.model_validate_json(out).own.cost.parameters == compared.own.cost.parameters
    assert "5 of 5 trainings were done before" in err
    assert {path.name for path in Path("elsewhere").iterdir()} == {"compare.json", "compare.png"}
    assert Path("runs/small/compare/latest").resolve() == latest


def test_trainings_depend_on_code_and_libraries() -> None:
    found = DETERMINED_BY()
    assert set(found) == {"code", "python", "tensorflow", "keras"}
    assert len(found["code"]) == 16


def test_the_command_has_help() -> None:
    found = CliRunner().invoke(app, ["compare", "--help"])
    assert found.exit_code == 0
    assert "--balancings" in found.output


def test_the_command_refuses_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small_raw(tmp_path)))

    def refused(*arguments: str) -> str:
        found = CliRunner().invoke(app, ["compare", str(path), *arguments])
        assert found.exit_code == 2, found.output
        return found.output

    assert "Did you mean 'mmoe'?" in refused("--trunks", "mmo")
    assert "Did you mean 'uncertainty'?" in refused("--balancings", "fixed,uncertanty")
    assert "between 0 and 1" in refused("--confidence", "95")
    assert "--seeds" in refused("--seeds", "0")
    raw = small_raw(tmp_path)
    del raw["tasks"]["late"]
    path.write_text(yaml.safe_dump(raw))
    assert "nothing to compare" in refused()
    assert not (tmp_path / "runs").exists()


def test_what_the_data_lack_is_reported_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="nowhere"):
        run_compare_job(small_config(tmp_path, data={"path": "nowhere"}), CompareOptions())


def test_two_comparisons_at_once_are_one_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def again(*arguments: Any) -> int:
        return run_compare_job(small_config(tmp_path), CompareOptions())

    monkeypatch.setattr(job, "attend", again)
    with pytest.raises(JanusError, match="another comparison of pipeline 'small' is under way"):
        run_compare_job(small_config(tmp_path), CompareOptions())


def test_an_earlier_result_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    found, output = comparison(), tmp_path / "result"
    output.mkdir()
    (output / "compare.json").write_text("{}")
    (output / "old.png").write_text("")
    write_comparison(found, tmp_path, output)
    assert {path.name for path in output.iterdir()} == {"compare.json", "compare.png", "ranking.png"}
    assert [path.name for path in tmp_path.iterdir()] == ["result"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(ConfigError, match="holds other files"):
        run_compare_job(small_config(tmp_path), CompareOptions(output=tmp_path / "mine"))


def test_results_of_one_second_do_not_meet(tmp_path: Path) -> None:
    folders = [write_comparison(comparison(), tmp_path, None) for _ in range(2)]
    assert [folder.name for folder in folders] == ["2026-11-24T15-04-05", "2026-11-24T15-04-05-2"]
    assert (tmp_path / "latest").resolve() == folders[1]
