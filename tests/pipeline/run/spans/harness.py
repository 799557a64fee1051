"""A small table in spans, and its configuration."""

from pathlib import Path
from typing import Any

from pipeline.config import JanusConfig
from tests.pipeline.small import small_config

PATH = "data/{SPAN}/v{VERSION}/*.csv"


def write_span(span: int, version: int = 1, rows: int = 60) -> Path:
    """Writes a span's table below the working folder."""
    lines = ["distance,carrier,late,delay"]
    for row in range(rows):
        delay = (row * 37 + span) % 60 - 20
        lines.append(f"{100 + row % 50},{'AB'[row % 2]},{'yes' if delay > 15 else 'no'},{delay}")
    path = Path(f"data/{span}/v{version}/table.csv")
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def spans_config(window: int = 2, **changed: Any) -> JanusConfig:
    """Trains on the spans before the newest, and evaluates on that."""
    return small_config(Path(), **{"data": {"path": PATH, "split": {"by": "span"}, "window": window}, **changed})
