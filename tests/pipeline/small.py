"""A small table and its configuration."""

from pathlib import Path
from typing import Any

from pipeline.config import JanusConfig
from pipeline.config.file import parse_config


def small_raw(folder: Path, **changed: Any) -> dict[str, Any]:
    """The configuration of `write_table`'s table, as YAML gives it."""
    raw: dict[str, Any] = {
        "name": "small",
        "data": {"path": str(folder / "data")},
        "features": {"distance": {"kind": "numeric"}, "carrier": {"kind": "categorical", "embed": 2}},
        "tasks": {
            "late": {"kind": "binary", "label": "late", "classes": ["no", "yes"]},
            "delay": {"kind": "regression", "label": "delay", "unit": "minutes"},
        },
        "model": {"trunk": {"units": [8]}, "towers": {"default": [4]}},
        "training": {"epochs": 1, "batch_size": 32},
        "evaluation": {"slices": [["carrier"]], "gates": {"delay": {"mae": {"max": 1000.0}}}},
        "push": {"path": str(folder / "serving")},
    }
    return {**raw, **changed}


def small_config(folder: Path, **changed: Any) -> JanusConfig:
    """The validated configuration."""
    return parse_config(small_raw(folder, **changed))


def write_table(folder: Path, rows: int = 200) -> Path:
    """A CSV with two features and two labels, of which some are missing."""
    lines = ["distance,carrier,late,delay"]
    for row in range(rows):
        delay = (row * 37) % 60 - 20
        label = "" if row % 10 == 0 else str(delay)
        lines.append(f"{100 + row % 50},{'AB'[row % 2]},{'yes' if delay > 15 else 'no'},{label}")
    path = folder / "data" / "table.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
