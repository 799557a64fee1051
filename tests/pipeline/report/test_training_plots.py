"""Plots: what goes where, and that a file comes out."""

import re
from pathlib import Path

from matplotlib.image import imread

from pipeline.report.page.svg import draw
from pipeline.report.training_plots import Panel, draw_panel, draw_training, training_panels
from trainer.names import log_name

TASKS = ["a", "a_b"]
HISTORY: list[dict[str, float | None]] = [
    {
        "loss": 3.0 / (epoch + 1),
        "a_loss": 1.0 / (epoch + 1),
        "a_b_loss": 2.0,
        "a_weight": 1.0 + epoch,
        "a_b_weight": 0.01,
        "a_conflict": 0.5,
        "a_b_conflict": 0.25,
        "val_loss": 2.0,
        "val_a_loss": 1.5,
        "val_a_b_loss": None if epoch == 1 else 2.5,
        "val_a_auc": 0.7,
        "val_a_b_mae": 12.0,
        "val_balanced_loss": 0.9,
        "val_a_gate/shared_0": 0.25,
        "val_a_gate/shared_1": 0.75,
        "val_a_b_gate/level_0/shared_0": 0.5,
    }
    for epoch in range(3)
]


def test_each_value_has_its_panel() -> None:
    panels = {panel.title: panel.lines for panel in training_panels(HISTORY, TASKS)}
    assert list(panels) == [
        "a: loss",
        "a: auc",
        "a_b: loss",
        "a_b: mae",
        "weight of each task's loss",
        "share of steps with a conflict",
        "a: gate",
        "a_b: gate",
    ]
    assert panels["a: loss"] == {"training": [1.0, 0.5, 1 / 3], "validation": [1.5] * 3}
    assert panels["weight of each task's loss"] == {"a": [1.0, 2.0, 3.0], "a_b": [0.01] * 3}
    assert set(panels["a: gate"]) == {"shared_0", "shared_1"}
    assert set(panels["a_b: gate"]) == {"level_0/shared_0"}


def test_tasks_that_are_called_as_keras_calls_its_logs() -> None:
    names = ["val", "balanced", "weight"]
    epoch = {
        f"{prefix}{log_name(task)}_loss": float(place) for place, task in enumerate(names) for prefix in ("", "val_")
    }
    epoch |= {"val_loss": 9.0, "val_balanced_loss": 9.0, "task_val_weight": 0.5, "val_task_val_gate/shared_0": 0.25}
    panels = {panel.title: panel.lines for panel in training_panels([epoch], names)}
    assert panels["val: loss"] == {"training": [0.0], "validation": [0.0]}
    assert panels["weight: loss"] == {"training": [2.0], "validation": [2.0]}
    assert panels["weight of each task's loss"] == {"val": [0.5]}
    assert panels["val: gate"] == {"shared_0": [0.25]}


def test_a_single_task_shows_no_weights() -> None:
    history = [{"a_loss": 1.0, "a_weight": 1.0, "val_a_loss": 1.0}]
    assert [panel.title for panel in training_panels(history, ["a"])] == ["a: loss"]


def test_axes_have_plain_numbers() -> None:
    def labels(values: list[float]) -> list[str]:
        svg = draw("k", lambda axis: draw_panel(axis, Panel("a: x", {"x": values})))
        ticks = re.search(r'<g id="k-matplotlib.axis_2">.*', svg, re.DOTALL)
        assert ticks is not None
        return re.findall(r"<text[^>]*>([^<]*)</text>", ticks[0])

    assert [text for text in labels([0.05, 0.4, 2.0]) if "0.1" in text] == ["0.1"]
    assert not [text for text in labels([1e-5, 0.4]) if "$" in text]
    # An axis of 0.00001, 0.00002 and "+1" above it was read as if these were the values.
    near_one = [text for text in labels([0.99991, 0.99995, 0.99999]) if text not in ("a: x", "x")]
    assert near_one
    assert all(0.999 < float(text) < 1.001 for text in near_one)
    # What is rounding is drawn as a flat line.
    assert len({text[:6] for text in labels([0.75, 0.75 + 1e-9]) if text not in ("a: x", "x")}) <= 3


def test_the_file_is_a_picture(tmp_path: Path) -> None:
    draw_training(HISTORY, TASKS, tmp_path / "training.png")
    picture = imread(tmp_path / "training.png")
    assert picture.shape[0] > 600
    assert picture.shape[1] > 1000
    # Not blank.
    assert picture[..., :3].std() > 0.02
