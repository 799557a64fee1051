"""How trials are chosen, kept and taken up again; nothing is trained here (see pipeline/commands/tune)."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from janus_core.errors import ConfigError, JanusError
from tests.pipeline.small import small_config
from trainer.config import TrainerConfig
from trainer.config.tune import TuneConfig, config_values, with_hyperparameters
from trainer.trial_record import TrialRecord
from trainer.tune import SCORE, ConfigTuner

SPACE = {
    "training.learning_rate": {"min": 0.0003, "max": 0.01, "scale": "log"},
    "training.batch_size": {"min": 16, "max": 64},
    "model.trunk.units": {"choices": [[16], [32, 16]]},
    "model.tower_dropout": {"min": 0.1, "max": 0.3},
}


class _Killed(BaseException):
    pass


class Untrained(ConfigTuner):
    """Scores a trial by its values alone; `ends` happens in the trial with that number instead."""

    def __init__(self, base: TrainerConfig, tune: TuneConfig, folder: Path, ends: dict[int, BaseException]):
        self.ends = ends
        self.trained: list[int] = []
        super().__init__(base, tune, SimpleNamespace(), folder)  # type: ignore[arg-type]

    def run_trial(self, trial: Any, *arguments: Any, **options: Any) -> dict[str, float]:
        number = int(trial.trial_id) + 1
        if number in self.ends:
            raise self.ends[number]
        self.trained.append(number)
        values = config_values(trial.hyperparameters.values)
        score = abs(values["training.learning_rate"] - 0.002) * 100 + values["training.batch_size"] / 1000
        taken = {
            "epochs": trial.hyperparameters.values.get("tuner/epochs", 4),
            "best_epoch": 1,
            "parameters": 10,
            "seconds": 0.1,
        }
        return {SCORE: score, "late_loss": score, "delay_loss": score, **taken}


def search(
    folder: Path, ends: dict[int, BaseException] | None = None, space: Any = None, **tune: Any
) -> list[TrialRecord]:
    config = small_config(Path(), tune={"space": space or SPACE, "trials": 12, **tune}, training={"epochs": 9})
    assert config.tune is not None
    tuner = Untrained(config.trainer_config(), config.tune, folder / "state", ends or {})
    tuner.search()
    return tuner.records()


@pytest.mark.parametrize("kind", ["bayesian", "hyperband", "random"])
def test_the_first_trial_is_the_configuration_and_the_others_are_within_the_space(tmp_path: Path, kind: str) -> None:
    first, *others = search(tmp_path, search=kind)
    assert [trial.number for trial in [first, *others]] == list(range(1, 13))
    assert first.values == {
        "training.learning_rate": 0.001,
        "training.batch_size": 512,
        "model.trunk.units": [8],
        "model.tower_dropout.default": None,
    }
    for trial in others:
        assert 0.0003 <= trial.values["training.learning_rate"] <= 0.01
        assert float(f"{trial.values['training.learning_rate']:.3g}") == trial.values["training.learning_rate"]
        assert trial.values["training.batch_size"] in range(16, 65)
        assert trial.values["model.trunk.units"] in ([8], [16], [32, 16]), "its own value is among the choices"
        assert 0.1 <= trial.values["model.tower_dropout.default"] <= 0.3
    assert first.epochs == (4 if kind != "hyperband" else first.epochs)


def test_hyperband_trains_many_for_few_epochs_and_the_best_for_more(tmp_path: Path) -> None:
    trials = search(tmp_path, search="hyperband", trials=30)
    by_epochs: dict[int, list[TrialRecord]] = {}
    for trial in trials[1:]:
        by_epochs.setdefault(trial.epochs, []).append(trial)
    assert list(by_epochs) == [1, 3, 9]
    assert len(by_epochs[1]) > len(by_epochs[3])
    worst = max(trial.score for trial in by_epochs[3] if trial.score is not None)
    assert worst <= max(trial.score for trial in by_epochs[1] if trial.score is not None)


@pytest.mark.parametrize("kind", ["bayesian", "hyperband", "random"])
def test_a_killed_search_continues_as_if_it_had_not_been(tmp_path: Path, kind: str) -> None:
    whole = search(tmp_path / "whole", search=kind)
    for number in (1, 5, 10):
        with pytest.raises(_Killed):
            search(tmp_path / "killed", {number: _Killed()}, search=kind)
    assert search(tmp_path / "killed", search=kind) == whole


def test_a_process_that_is_killed_while_it_writes_leaves_the_state_before(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole")
    with pytest.raises(_Killed):
        search(tmp_path / "killed", {5: _Killed()})
    # The trial's own file is written before the oracle knows of it.
    trial = tmp_path / "killed/state/trial_05"
    trial.mkdir()
    (trial / "trial.json").write_text(
        (tmp_path / "killed/state/trial_04/trial.json").read_text().replace('"04"', '"05"')
    )
    assert search(tmp_path / "killed") == whole


def test_more_trials_continue_and_as_many_do_nothing(tmp_path: Path) -> None:
    few = search(tmp_path, trials=4)
    assert search(tmp_path, {5: _Killed()}, trials=4) == few
    assert search(tmp_path, trials=12)[:4] == few


def test_a_diverged_trial_failed_and_a_diverged_configuration_is_an_error(tmp_path: Path) -> None:
    trials = search(tmp_path / "a", {3: JanusError("the loss is no number"), 4: JanusError("again")})
    assert [(trial.number, trial.failure) for trial in trials if trial.score is None] == [
        (3, "the loss is no number"),
        (4, "again"),
    ]
    with pytest.raises(JanusError, match="the loss is no number"):
        search(tmp_path / "b", {1: JanusError("the loss is no number")})
    with pytest.raises(ZeroDivisionError):
        search(tmp_path / "c", {2: ZeroDivisionError()})


def test_an_exhausted_space_ends_the_search(tmp_path: Path) -> None:
    space = {"model.trunk.units": {"choices": [[16], [32]]}, "training.learning_rate": {"choices": [0.001, 0.01]}}
    space["training.batch_size"] = {"choices": [16, 512]}
    trials = search(tmp_path, space=space, search="random", trials=100)
    assert len({json.dumps(trial.values) for trial in trials}) == len(trials) <= 12


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda state: state.write_text(state.read_text()[:100]), "cannot be read"),
        (lambda state: state.write_text("{}"), "cannot be read"),
        (lambda state: state.unlink(), "cannot be read"),
        (lambda state: state.write_text(state.read_text().replace("0.0003", "0.0004")), "is of another space"),
    ],
)
def test_a_state_that_is_damaged_or_of_another_space(
    tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    search(tmp_path, trials=2)
    spoil(tmp_path / "state/oracle.json")
    with pytest.raises(ConfigError, match=f"{words}.*--restart` discards it"):
        search(tmp_path, trials=3)


def test_minutes_are_counted_over_all_resumptions(tmp_path: Path) -> None:
    few = search(tmp_path, trials=2)
    state = tmp_path / "state/tuner0.json"
    state.write_text(json.dumps({"seconds": 100.0}))
    assert search(tmp_path, minutes=1, trials=4) == few
    assert len(search(tmp_path, minutes=3, trials=4)) == 4


def test_checkpoints_are_kept_for_a_search_that_continues(tmp_path: Path) -> None:
    config = small_config(Path(), tune={"space": SPACE, "trials": 1, "minutes": 1}, training={"epochs": 9})
    assert config.tune is not None
    search(tmp_path, trials=1)
    checkpoints = tmp_path / "state/checkpoints"
    checkpoints.mkdir(parents=True)
    for seconds, kept in ((100.0, True), (0.0, False)):
        (tmp_path / "state/tuner0.json").write_text(json.dumps({"seconds": seconds}))
        tuner = Untrained(config.trainer_config(), config.tune, tmp_path / "state", {})
        tuner.search()
        tuner.finish()
        assert checkpoints.exists() == kept


def test_the_trainer_gets_the_best_values(tmp_path: Path) -> None:
    config = small_config(Path(), tune={"space": SPACE, "trials": 12, "search": "hyperband"}, training={"epochs": 9})
    assert config.tune is not None
    base = config.trainer_config()
    tuner = Untrained(base, config.tune, tmp_path / "state", {})
    tuner.search()
    best = min(tuner.records(), key=lambda trial: trial.score or 0.0)
    (hyperparameters,) = tuner.get_best_hyperparameters()
    tuned = with_hyperparameters(base, json.loads(json.dumps(hyperparameters.get_config())))
    assert tuned.training.learning_rate == best.values["training.learning_rate"]
    assert tuned.training.batch_size == best.values["training.batch_size"]
    assert tuned.model.trunk.units == best.values["model.trunk.units"]
    assert tuned.model.tower_dropout == {"default": best.values["model.tower_dropout.default"]}
    assert tuned.training.epochs == 9
    assert with_hyperparameters(base, None) == base


def test_a_configuration_that_is_the_best_stays_as_it_is(tmp_path: Path) -> None:
    config = small_config(Path(), tune={"space": SPACE, "trials": 1})
    assert config.tune is not None
    tuner = Untrained(config.trainer_config(), config.tune, tmp_path / "state", {})
    tuner.search()
    (hyperparameters,) = tuner.get_best_hyperparameters()
    assert with_hyperparameters(config.trainer_config(), hyperparameters.get_config()) == config.trainer_config()
