"""What a `tune` section may try, and the words for what it may not."""

from pathlib import Path
from typing import Any

import pytest

from janus_core.errors import ConfigError
from pipeline.config import JanusConfig
from tests.pipeline.small import small_config

RATE = {"training.learning_rate": {"min": 0.0003, "max": 0.01, "scale": "log"}}


def config(space: Any, **tune: Any) -> JanusConfig:
    return small_config(Path(), tune={"space": space, **tune})


def test_a_space_of_every_kind_of_key() -> None:
    space = {
        **RATE,
        "training.batch_size": {"min": 16, "max": 64, "scale": "log"},
        "training.early_stopping.patience": {"min": 1, "max": 4},
        "training.early_stopping.min_delta": {"min": 0.0, "max": 0.1},
        "model.trunk.units": {"choices": [[128, 64], [256, 128]]},
        "model.tower_dropout": {"min": 0.0, "max": 0.3},
        "model.towers": {"choices": [[32], [64]]},
        "model.balancing": {"choices": [{"kind": "fixed"}, {"kind": "uncertainty"}]},
        "features.carrier.embed": {"choices": [2, 8]},
        "tasks.late.loss": {"choices": ["cross_entropy", "focal"]},
        "tasks.late.class_weights": {"choices": [None, "balanced"]},
        "tasks.delay.loss_weight": {"min": 0.1, "max": 3.0},
    }
    tune = config(space).tune
    assert tune is not None
    by_task = {"model.tower_dropout": "model.tower_dropout.default", "model.towers": "model.towers.default"}
    assert list(tune.space) == [by_task.get(key, key) for key in space], "one value for all tasks is their default"
    assert [key for key, range_ in tune.space.items() if range_.whole] == [
        "training.batch_size",
        "training.early_stopping.patience",
    ]


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({}, "tune.space: expected keys, such as {training.learning_rate:"),
        ({"training.ema": {}}, "tune.space.training.ema: expected a range, such as {min: 0.0, max: 0.3}, or {choices"),
        ({"training.ema": {"min": 0.1}}, "expected a range"),
        ({"training.ema": {"min": 0.1, "max": 0.2, "choices": [1]}}, "give `min` and `max`, or `choices`, not both"),
        ({"training.ema": {"choices": [0.5, 0.5]}}, "`choices` needs at least two different values"),
        ({"training.ema": {"min": 0.2, "max": 0.1}}, "tune.space.training.ema: min 0.2 must be below max 0.1"),
        ({"training.ema": {"min": 0, "max": 0.1, "scale": "log"}}, "scale: log needs a min above 0, got 0"),
        (
            {"training.learningrate": {"min": 0.1, "max": 0.2}},
            "tune.space.training.learningrate: unknown key. Did you mean 'training.learning_rate'?",
        ),
        ({"learning_rate": {"min": 0.1, "max": 0.2}}, "Did you mean 'training.learning_rate'?"),
        ({"data.split.eval_fraction": {"min": 0.1, "max": 0.2}}, "a tuning leaves the data, the split, the features'"),
        ({"schema": {"choices": ["a.pbtxt", "b.pbtxt"]}}, "tune.space.schema: a tuning leaves the data"),
        ({"features.distance.scale": {"choices": ["log", "z_score"]}}, "tune.space.features.distance.scale: a tuning"),
        ({"tasks.late.label": {"choices": ["late", "delay"]}}, "tune.space.tasks.late.label: a tuning leaves"),
        ({"push.keep": {"min": 1, "max": 5}}, "tune.space.push.keep: a tuning leaves"),
        ({"seed": {"min": 1, "max": 5}}, "tune.space.seed: a tuning leaves"),
        ({"training.validation_fraction": {"min": 0.1, "max": 0.2}}, "on which rows the trials are compared"),
        ({"training.warm_start": {"choices": [True, False]}}, "this key cannot be tuned: trials start from scratch"),
        ({"tasks.nothing.loss": {"choices": ["mse", "mae"]}}, "there is no 'nothing' in tasks; there are late, delay"),
        ({"model.trunk.kind": {"choices": ["mmoe", "ple"]}}, "give model.trunk whole as `choices`"),
        ({"model.trunk.units": {"min": 1, "max": 2}}, "this key is a list of whole number, which has no range"),
        ({"training.batch_size": {"min": 16.5, "max": 64}}, "expected whole numbers, got 16.5 and 64"),
        (
            {"training.learning_rate": {"min": -0.1, "max": 0.1}},
            "training.learning_rate: -0.1 is not valid: training.learning_rate: expected greater than 0",
        ),
        ({"model.trunk": {"choices": [{"kind": "mmoe"}, {"kind": "moe"}]}}, "'moe' is unknown. Did you mean 'mmoe'?"),
        (
            {
                "model.trunk": {"choices": [{"kind": "mmoe"}, {"kind": "ple"}]},
                "model.trunk.dropout": {"min": 0, "max": 1},
            },
            "model.trunk, which it is in, is tuned as well",
        ),
    ],
)
def test_what_is_refused_before_anything_runs(space: Any, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config(space)
    assert words in str(refused.value)
    assert refused.value.exit_code == 2


def test_two_values_that_do_not_go_together_are_refused() -> None:
    space = {
        "tasks.late.loss": {"choices": ["cross_entropy", "focal"]},
        "tasks.late.gamma": {"choices": [None, 3.0]},
    }
    with pytest.raises(ConfigError, match=r"tasks.late.gamma: 3.0 is not valid: tasks.late: `gamma` goes with"):
        config(space)
    tasks = {"late": {"kind": "binary", "label": "late", "classes": ["no", "yes"], "loss": "focal", "gamma": 1.0}}
    space["tasks.late.gamma"] = {"choices": [2.0, 3.0]}
    space["tasks.late.loss"] = {"choices": ["focal", "cross_entropy"]}
    with pytest.raises(ConfigError, match="tasks.late.loss: cross_entropy is not valid"):
        small_config(Path(), tasks=tasks, tune={"space": space}, evaluation={})


@pytest.mark.parametrize(
    ("tune", "words"),
    [
        ({"trials": 0}, "tune.trials: expected greater than 0, got 0"),
        ({"minutes": 0}, "tune.minutes: expected greater than 0, got 0"),
        ({"workers": 0}, "tune.workers: expected greater than 0, got 0"),
        ({"search": "grid"}, "tune.search: expected 'bayesian', 'hyperband' or 'random', got 'grid'"),
        ({"serch": "random"}, "tune.serch: unknown key. Did you mean 'search'?"),
    ],
)
def test_the_search_itself(tune: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config(RATE, **tune)
    assert words in str(refused.value)


def test_hyperband_decides_the_epochs_itself() -> None:
    space = {"training.epochs": {"min": 1, "max": 3}}
    assert config(space).tune is not None
    with pytest.raises(ConfigError, match="hyperband itself decides how many epochs"):
        config(space, search="hyperband")


def test_what_is_read_of_its_own_dump_is_the_same() -> None:
    tune = config({**RATE, "model.towers": {"choices": [[4], [8]]}}).tune
    assert tune is not None
    assert type(tune).model_validate_json(tune.model_dump_json()) == tune
