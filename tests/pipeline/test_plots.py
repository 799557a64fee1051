"""Plots: what goes where, and that a file comes out."""

from pathlib import Path

from matplotlib.image import imread

from pipeline.plots import draw_training, training_panels

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


def test_a_single_task_shows_no_weights() -> None:
    history = [{"a_loss": 1.0, "a_weight": 1.0, "val_a_loss": 1.0}]
    assert [panel.title for panel in training_panels(history, ["a"])] == ["a: loss"]


def test_the_file_is_a_picture(tmp_path: Path) -> None:
    draw_training(HISTORY, TASKS, tmp_path / "training.png")
    picture = imread(tmp_path / "training.png")
    assert picture.shape[0] > 600
    assert picture.shape[1] > 1000
    # Not blank.
    assert picture[..., :3].std() > 0.02
