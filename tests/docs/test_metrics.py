"""What the documentation says of kinds of tasks and their metrics is what the catalogue says."""

import re
from pathlib import Path

from janus_core.kinds import KINDS
from pipeline.commands.explain.markdown import metrics_chapter

CONFIGURATION = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_table_of_kinds_names_each_kinds_metrics() -> None:
    table = CONFIGURATION.read_text(encoding="utf-8").partition("| task `kind` |")[2].partition("\n\n")[0]
    every = {metric.name for kind in KINDS.values() for metric in kind.metrics}
    told: dict[str, set[str]] = {}
    for row in table.splitlines()[2:]:
        first, _, last = row.strip("|").split(" | ")
        for kind in KINDS.keys() & set(re.findall(r"`(\w+)`", first)):
            told.setdefault(kind, set()).update(every & set(re.findall(r"`(\w+)`", last)))
    assert told == {name: {metric.name for metric in kind.metrics} for name, kind in KINDS.items()}


def test_the_reference_has_every_metric_of_every_kind() -> None:
    rows = [line for line in metrics_chapter().splitlines() if line.startswith("| `")]
    for kind in KINDS.values():
        for metric in kind.metrics:
            (row,) = (row for row in rows if row.startswith(f"| `{metric.name}`") and f"`{kind.name}`" in row)
            assert (f"**`{kind.name}`**" in row) == (metric.name == kind.headline)
    (bias,) = (row for row in rows if row.startswith("| `bias`"))
    assert bias.endswith("| nearer to 0 | the label's |  |")
