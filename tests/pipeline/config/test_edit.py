"""Values change in a configuration's text; all else stays as it is."""

from pathlib import Path
from typing import Any

import pytest

from janus_core.errors import ConfigError
from pipeline.config.edit import with_values_in

TEXT = """\
# top
name: x   # n
training: {epochs: 3, batch_size: 32}  # t
model:
  # about the trunk
  trunk:
    units:   # sizes
    - 8
    - 4
    dropout: 0.1  # d
  towers: {}
tasks:
  late:
    loss: mse # l
"""


@pytest.mark.parametrize(
    ("key", "value", "before", "after"),
    [
        ("training.epochs", 4, "epochs: 3", "epochs: 4"),
        ("training.learning_rate", 1e-05, "{epochs", "{learning_rate: 1.0e-05, epochs"),
        ("training.early_stopping.patience", 3, "{epochs", "{early_stopping: {patience: 3}, epochs"),
        ("model.trunk.units", [16, 8], "units:   # sizes\n    - 8\n    - 4", "units: [16, 8]"),
        ("model.trunk.dropout", 0.25, "dropout: 0.1  # d", "dropout: 0.25  # d"),
        ("model.trunk.activation", "gelu", "    units:", "    activation: gelu\n    units:"),
        ("model.towers.default", [4], "towers: {}", "towers: {default: [4]}"),
        ("model.balancing", {"kind": "dwa"}, "  trunk:", "  balancing: {kind: dwa}\n  trunk:"),
        ("tasks.late.loss", "mae", "loss: mse # l", "loss: mae # l"),
        ("tasks.late.class_weights", None, "    loss", "    class_weights: null\n    loss"),
    ],
)
def test_a_value(tmp_path: Path, key: str, value: Any, before: str, after: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(TEXT)
    assert with_values_in(path, {key: value}) == TEXT.replace(before, after)


def test_what_has_a_form_of_its_own_is_left_to_a_person(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: &one {epochs: 3}\ntraining: *one\n")
    with pytest.raises(ConfigError, match="cannot be changed without losing its form: set training.epochs by hand"):
        with_values_in(path, {"training.epochs": 4})
