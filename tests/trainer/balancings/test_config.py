"""The configuration of balancings."""

import pytest
from pydantic import ValidationError

from tests.trainer.balancings.toy import KINDS
from trainer.balancings import BALANCINGS
from trainer.config import FixedBalancing, ModelConfig


def test_without_a_kind_it_is_fixed() -> None:
    for raw in ({}, {"balancing": {}}, {"balancing": {"kind": "fixed"}}):
        assert ModelConfig.model_validate(raw).balancing == FixedBalancing()


def test_every_kind_survives_json() -> None:
    for raw in KINDS.values():
        config = ModelConfig.model_validate({"balancing": raw})
        assert config.balancing.kind in BALANCINGS
        assert ModelConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    "raw",
    [
        {"kind": "fixed", "alpha": 1},
        {"kind": "dwa", "temperature": 0},
        {"kind": "gradnorm", "alpha": -1},
        {"kind": "gradnorm", "learning_rate": 0},
        {"kind": "cagrad", "c": 1},
        {"kind": "famo", "gamma": -0.1},
        {"kind": "uncertainty", "learning_rate": True},
        {"kind": "nash"},
    ],
)
def test_mistakes(raw: dict) -> None:
    with pytest.raises(ValidationError):
        ModelConfig.model_validate({"balancing": raw})
