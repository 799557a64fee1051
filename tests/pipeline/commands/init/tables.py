"""Tables for these tests, written as CSV."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from janus_core.tables.config import DataConfig
from pipeline.commands.init.proposal import Proposal, propose
from pipeline.commands.init.sample import Sample, read_sample


def write_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    """A file with these columns; None is an empty cell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def sample_of(path: Path, **options: Any) -> Sample:
    """A sample of a CSV file."""
    return read_sample(DataConfig(path=str(path), format="csv"), **options)


def plan_of(folder: Path, columns: Mapping[str, Sequence[Any]], *targets: str) -> Proposal:
    """The plan for a table."""
    return propose("t", sample_of(write_csv(folder / "t.csv", columns)), targets)


def shop(rows: int = 400) -> dict[str, list[Any]]:
    """A table of every kind of column; `bought` and `spent` depend on `price` and `colour`."""
    random = np.random.RandomState(5)
    price = random.gamma(2.0, 20.0, rows).round(2)
    colour = random.choice(["red", "green", "blue"], rows)
    bought = price + 30 * (colour == "red") + random.normal(0, 10, rows) > 45
    days = np.arange(rows) // 20
    return {
        "order_id": [f"A{number:05d}" for number in range(rows)],
        "price": price.tolist(),
        "colour": colour.tolist(),
        "hour": random.randint(0, 24, rows).tolist(),
        "customer_id": random.randint(1000, 1150, rows).tolist(),
        "note": [" ".join(random.choice(["good", "bad", "fast", "late", "box", "gift"], 8)) for _ in range(rows)],
        "shop": ["main"] * rows,
        "ordered at": [f"2024-01-{day + 1:02d}T{row % 24:02d}:00:00" for row, day in enumerate(days)],
        "size/cm": [None if row % 10 == 0 else float(row % 37) for row in range(rows)],
        "size cm": random.normal(size=rows).round(3).tolist(),
        "class": random.choice(["a", "b"], rows).tolist(),
        "bought": np.where(bought, "yes", "no").tolist(),
        "spent": (price * 1.1 + random.normal(0, 3, rows)).round(2).tolist(),
    }
