"""`janus run` night by night on a split by span: what is trained on, what is skipped, and what is not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from janus_core.errors import GateError
from pipeline.home import Home
from pipeline.run.job import run_job
from tests.pipeline.run.spans.harness import spans_config, write_span

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(600)]


class Nights:
    """Runs in one home, in order."""

    def __init__(self, capfd: pytest.CaptureFixture[str]):
        self._capfd = capfd

    def run(self, span: int | None = None, **changed: Any) -> tuple[int, str, dict[str, Any]]:
        """The exit code, what was printed, and the newest report."""
        self._capfd.readouterr()
        code = run_job(spans_config(**changed), span=span)
        printed = self._capfd.readouterr()
        report = json.loads((Home("small").latest / "report.json").read_text(encoding="utf-8"))
        return code, printed.out + printed.err, report


def runs() -> list[str]:
    return sorted(path.name for path in Home("small").folder.glob("20*"))


def test_nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    # Whoever edits the sources while this runs should not see a run repeated.
    for function in ("pipeline.dag.source_fingerprint", "pipeline.run.spans.folder_fingerprint"):
        monkeypatch.setattr(function, lambda *_: "unedited")
    nights = Nights(capfd)
    write_span(1)
    code, printed, report = nights.run()
    assert (code, report["components"]) == (3, {})
    assert "has none before it: run again when there is a later span" in printed

    write_span(3, rows=50)
    code, printed, report = nights.run()
    assert (code, report["span"]) == (0, 3)
    assert report["window"] == [{"span": 1, "train": 60}]
    assert report["examples"] == {"train": 60, "eval": 50}
    assert report["tasks"]["delay"]["labelled"] == {"train": 60, "eval": 50}
    assert "training on 1 of 2 spans: 1 (version 1); evaluating on span 3 (version 1)" in printed
    first, pushed = runs()[-1], report["pushed"]

    before = runs()
    code, printed, _ = nights.run()
    assert code == 0
    assert printed == (f"no new span since run {first}, of span 3 (version 1): nothing to do; {pushed} is up to date\n")
    assert runs() == before, "nothing was run"
    assert nights.run(span=3)[1] == printed, "the same by its number"

    # A day that came late belongs to the window.
    write_span(2, rows=40)
    code, printed, report = nights.run()
    assert (code, report["span"]) == (0, 3)
    assert report["window"] == [{"span": 2, "train": 40}, {"span": 1, "train": 60}]
    assert not report["components"]["Trainer"]["cached"]
    assert report["tasks"]["delay"]["baseline"]["mae"] is not None, "the last pushed model on the same rows"

    code, printed, report = nights.run(span=9)
    assert (code, report["exit_code"]) == (3, 3)
    assert "there is no span 9 in 'data/{SPAN}/v{VERSION}/*.csv'; the existing ones are 1" in printed

    assert "no new span" in nights.run()[1], "a run that failed before it began changed nothing"

    code, _, report = nights.run(evaluation={"gates": {"delay": {"mae": {"max": 0.001}}}})
    assert code == GateError.exit_code
    assert report["components"]["Trainer"]["cached"], "another gate does not train again"

    # The last run pushed nothing, so TFX's cache has to say that nothing is new.
    code, printed, report = nights.run()
    assert code == 0
    assert report["components"]
    assert all(component["cached"] for component in report["components"].values())
    assert "nothing new to do" in printed
    assert "no new span" in nights.run()[1]

    # A version that is gone is pushed again.
    shutil.rmtree("serving")
    code, printed, report = nights.run()
    assert (code, Path(report["pushed"]).exists()) == (0, True)
    assert "no new span" not in printed

    # So is one that was damaged.
    damaged = Path(report["pushed"])
    (damaged / "saved_model.pb").write_bytes(b"damaged")
    code, printed, report = nights.run()
    assert (code, Path(report["pushed"]).exists()) == (0, True)
    assert Path(report["pushed"]) != damaged

    code, printed, _ = nights.run(span=2, training={"epochs": 1, "batch_size": 32, "warm_start": True})
    assert code == 2
    assert "span 2 (version 1) cannot evaluate a model that starts from the last one's weights" in printed
