"""A rolling window of spans through the whole pipeline: three spans, one after the other."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from janus_core.progress import listening
from pipeline.dag import Places, create_pipeline
from pipeline.home import Home
from pipeline.lineage.store import executions_of_run, open_store
from pipeline.report.outcome import add_outcome
from pipeline.report.report_json import RunReport
from pipeline.run.interruption import Interruption
from pipeline.run.record import RunRecord
from pipeline.run.runner import run_on_beam
from tests.pipeline.small import small_config

pytestmark = [pytest.mark.slow, pytest.mark.very_slow]

SETTINGS: dict[str, Any] = {
    "data": {"path": "data/span-{SPAN}", "window": 2},
    "features": {"distance": {"kind": "numeric", "missing": "median"}, "carrier": {"kind": "categorical", "embed": 2}},
    # A class that no label has in the last span is no reason to reject it.
    "evaluation": {"gates": {"delay": {"mae": {"max": 1000.0}}}},
}
AFTER_THE_GATE = {
    "WindowResolver",
    "Transform",
    "Baselines",
    "Trainer",
    "Resolver",
    "Evaluator",
    "ServingCheck",
    "Pusher",
}


def write_span(number: int, rows: int) -> None:
    """A span with a carrier of its own."""
    lines = ["distance,carrier,late,delay"]
    for row in range(rows):
        delay = (row * 37) % 60 - 20
        carrier = f"only-{number}" if row % 5 == 0 else "AB"[row % 2]
        lines.append(f"{100 * number + row % 50},{carrier},{'yes' if delay > 15 else 'no'},{delay}.5")
    path = Path(f"data/span-{number}/table.csv")
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Run:
    """What a run did, and what it left."""

    worked: set[str]
    logged: list[str]
    train: int
    window: list[dict[str, int]]
    vocabulary: list[str]
    cache: set[str]

    @property
    def trained_on(self) -> int:
        """The rows that the Trainer says it read."""
        (line,) = [line for line in self.logged if line.startswith("training on") and "validating" in line]
        words = line.replace(",", " ").split()
        return int(words[2]) + int(words[6])


def run(run_id: str) -> Run:
    """One run on what there is."""
    config, home, record = small_config(Path(), **SETTINGS), Home("small"), RunRecord()
    places = Places(
        root=str(home.root),
        metadata=str(home.metadata),
        schemas=home.schemas,
        checkpoints=None,
        analyzer_cache=str(home.analyzer_cache),
    )
    lines = _Lines()
    logger = logging.getLogger("janus.progress")
    logger.addHandler(lines)
    try:
        with listening(Interruption(), record):
            run_on_beam(create_pipeline(config, places), run_id)
    finally:
        logger.removeHandler(lines)
    executions = executions_of_run(open_store(home.metadata), run_id)
    report = RunReport(janus="0", pipeline="small", run_id=run_id, seconds=0.0, stack={})
    add_outcome(report, config, executions)
    graph = executions["Transform"].output("transform_graph")
    assert graph is not None
    vocabulary = Path(graph.uri, "transform_fn/assets/carrier_vocabulary").read_text()
    return Run(
        worked={name for name, event in record.components.items() if not event.cached},
        logged=lines.logged,
        train=report.examples["train"],
        window=report.window,
        vocabulary=sorted(vocabulary.split()),
        cache={path.name for path in home.analyzer_cache.rglob("*") if path.is_file()},
    )


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.logged: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.logged.append(record.getMessage())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """After the first span, after the second, the same again, after the third."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        # Whoever edits the trainer while this runs should not see it trained again.
        patch.setattr("pipeline.dag.source_fingerprint", lambda *paths: "unedited")
        (Path("runs") / "small").mkdir(parents=True)
        found = []
        for number, rows in ((1, 200), (2, 300), (2, 300), (3, 400)):
            if not Path(f"data/span-{number}").exists():
                write_span(number, rows)
            found.append(run(f"run-{len(found)}"))
    return found


def test_one_span_is_trained_on_alone_and_that_is_logged(runs: list[Run]) -> None:
    assert "training on 1 of 2 spans: 1; earlier runs of this pipeline ingested no others" in runs[0].logged
    assert runs[0].window == [{"span": 1, "train": runs[0].train}]
    assert runs[0].trained_on == runs[0].train
    assert runs[0].vocabulary == ["A", "B", "only-1"]


def test_the_second_span_is_joined_with_the_first(runs: list[Run]) -> None:
    assert "training on spans 2, 1" in runs[1].logged
    assert runs[1].window == [{"span": 2, "train": runs[1].train}, {"span": 1, "train": runs[0].train}]
    assert runs[1].trained_on == runs[0].train + runs[1].train
    assert runs[1].vocabulary == ["A", "B", "only-1", "only-2"]
    assert runs[1].cache > runs[0].cache


def test_the_same_again_is_all_cached(runs: list[Run]) -> None:
    assert runs[2].worked == set()
    assert runs[2].window == runs[1].window


def test_the_third_span_takes_the_place_of_the_first(runs: list[Run]) -> None:
    assert runs[3].worked >= AFTER_THE_GATE
    assert [span["span"] for span in runs[3].window] == [3, 2]
    assert runs[3].trained_on == runs[1].train + runs[3].train
    assert runs[3].vocabulary == ["A", "B", "only-2", "only-3"]
    assert len(runs[3].cache) == 2
    assert runs[3].cache & runs[1].cache == runs[1].cache - runs[0].cache, "what is known of span 2 is kept"
