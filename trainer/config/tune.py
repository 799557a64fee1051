"""`tune`: which values of other keys are tried, and how."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from janus_core.strict import Count, Positive, StrictModel, reject_bool
from trainer.config.component import TrainerConfig

Bound = Annotated[int | float, BeforeValidator(reject_bool)]

BY_TASK = ("model.towers", "model.tower_dropout")
"""Keys that hold a value per task. One value for them is that of their `default`."""


HYPERBAND = "tuner/"
"""How the names of keras-tuner's own values begin."""


class RangeConfig(StrictModel):
    """The values of one key that are tried: those from `min` to `max`, or `choices`."""

    min: Bound | None = Field(
        None,
        description="The least value. Between two whole numbers, only whole numbers are tried: write 1.0 for others.",
    )
    max: Bound | None = Field(None, description="The greatest value.")
    scale: Literal["linear", "log"] = Field(
        "linear", description="How values are spread between `min` and `max`. log: evenly by their logarithms."
    )
    choices: list[Any] | None = Field(
        None, description="The values, where they are no range. The configuration's own is always one of them."
    )

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.min, int) and isinstance(self.max, int)

    @model_validator(mode="after")
    def _check(self) -> "RangeConfig":
        if self.choices is not None:
            if self.min is not None or self.max is not None or self.scale == "log":
                raise ValueError("give `min` and `max`, or `choices`, not both")
            if len({json.dumps(choice, sort_keys=True, default=str) for choice in self.choices}) < 2:
                raise ValueError("`choices` needs at least two different values")
        elif self.min is None or self.max is None:
            raise ValueError("expected a range, such as {min: 0.0, max: 0.3}, or {choices: [...]}")
        elif self.min >= self.max:
            raise ValueError(f"min {self.min} must be below max {self.max}")
        elif self.scale == "log" and self.min <= 0:
            raise ValueError(f"scale: log needs a min above 0, got {self.min}")
        return self

    def ends(self) -> list[Any]:
        """The choices, or the ends of the range."""
        return [self.min, self.max] if self.choices is None else self.choices


def _by_task(space: dict[str, RangeConfig]) -> dict[str, RangeConfig]:
    if not space:
        raise ValueError("expected keys, such as {training.learning_rate: {min: 0.0003, max: 0.01, scale: log}}")
    return {
        f"{path}.default"
        if path in BY_TASK and not any(isinstance(value, dict) for value in range_.ends())
        else path: (range_)
        for path, range_ in space.items()
    }


class TuneConfig(StrictModel):
    """What `janus tune` tries: values of other keys, by the keys' full paths."""

    space: Annotated[dict[str, RangeConfig], AfterValidator(_by_task)] = Field(
        description="The keys, such as training.learning_rate, and the values of each that are tried."
    )
    search: Literal["bayesian", "hyperband", "random"] = Field(
        "bayesian",
        description="How the next values are chosen. bayesian: by a Gaussian process of the scores so far; hyperband: "
        "at random, with few epochs, of which the best are trained for more (Li et al. 2018); random: at random.",
    )
    trials: Count = Field(30, description="The greatest number of trials. The first is the configuration as it stands.")
    minutes: Positive | None = Field(
        None, description="Minutes after which the search ends, resumptions counted in. By default, it has no limit."
    )
    workers: Count = Field(1, description="The number of processes that train at the same time.")
    use: bool = Field(
        False,
        description="Whether each run tunes, and trains with the best values. Like other nodes, the tuning of earlier "
        "runs is reused as long as data, configuration and code are the same.",
    )


def value_at(raw: Mapping[str, Any], path: str) -> Any:
    """The value of a key with a dotted path; None where there is none."""
    node: Any = raw
    for part in path.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def set_value(raw: dict[str, Any], path: str, value: Any) -> None:
    """Sets the key with a dotted path; sections that are missing are made."""
    *sections, last = path.split(".")
    for section in sections:
        # Copied, since YAML's aliases of a section are one object.
        raw[section] = dict(raw[section]) if isinstance(raw.get(section), dict) else {}
        raw = raw[section]
    raw[last] = value


def with_values(config: TrainerConfig, values: Mapping[str, Any]) -> TrainerConfig:
    """A configuration with other values of some keys, by their dotted paths."""
    raw = config.model_dump()
    for path, value in values.items():
        set_value(raw, path, value)
    return TrainerConfig.model_validate(raw)


def config_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the configuration's keys, from keras-tuner's, in which choices are JSON."""
    return {
        path: json.loads(value) if isinstance(value, str) else _without_noise(value)
        for path, value in values.items()
        if not path.startswith(HYPERBAND)
    }


def with_hyperparameters(config: TrainerConfig, best: Mapping[str, Any] | None) -> TrainerConfig:
    """A configuration with the best values of a tuning, as keras-tuner's `HyperParameters.get_config` gives them."""
    return with_values(config, config_values(best["values"])) if best else config


def _without_noise(value: Any) -> Any:
    # keras-tuner's workers send numbers as float32.
    return float(f"{value:.6g}") if isinstance(value, float) else value
