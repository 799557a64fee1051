"""What a run leaves, and what `janus report` does with it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from janus_core.errors import ConfigError, DataError, JanusError
from pipeline.cli import app
from pipeline.commands.report import open_page, page_of_latest
from pipeline.home import Home
from pipeline.report.analysis.analysis_json import Analysis
from pipeline.run import job
from tests.pipeline.small import small_config, small_raw


def end(monkeypatch: pytest.MonkeyPatch, folder: Path, error: Exception) -> int:
    """Carries out a run that fails."""

    def fail(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(job, "_run_pipeline", fail)
    return job.run_job(small_config(folder))


def test_a_failed_run_has_its_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert end(monkeypatch, folder, DataError("no rows", ["column 'x': <b>nothing</b>"])) == 3
    page = page_of_latest(Home("small")).read_text()
    assert "column &#39;x&#39;: &lt;b&gt;nothing&lt;/b&gt;" in page
    assert (Home("small").latest / "model_card.md").exists()
    assert not list(Home("small").latest.glob(".*"))


def test_a_page_that_cannot_be_written_does_not_fail_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "runs/small/notes.md").mkdir(parents=True)
    assert end(monkeypatch, folder, DataError("no rows", ["no rows"])) == 3
    assert "report.html cannot be written" in capfd.readouterr().err
    assert json.loads((Home("small").latest / "report.json").read_text())["exit_code"] == 3
    assert not page_of_latest(Home("small")).exists()


def test_the_page_is_named_and_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end(monkeypatch, folder, DataError("no rows", ["no rows"]))
    (folder / "small.yaml").write_text(json.dumps(small_raw(folder)))
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    page = page_of_latest(Home("small"))
    found = CliRunner().invoke(app, ["report", "small.yaml"])
    assert (found.exit_code, opened) == (0, [])
    assert f"report: {page}" in found.stdout
    assert CliRunner().invoke(app, ["report", "small.yaml", "--html"]).exit_code == 0
    assert opened == [page.resolve().as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    with pytest.raises(JanusError, match="by hand"):
        open_page(page)
    page.unlink()
    with pytest.raises(ConfigError, match="make it with `janus run CONFIG`"):
        open_page(page)


@pytest.mark.very_slow
@pytest.mark.slow
def test_a_whole_run_is_examined_and_the_next_takes_it_over(folder: Path) -> None:
    config = small_config(folder, report={"importance_rows": 20})
    assert job.run_job(config) == 0
    analysis = Analysis.model_validate_json((Home("small").latest / "analysis.json").read_text())
    report = json.loads((Home("small").latest / "report.json").read_text())
    assert analysis.notes == []
    assert analysis.sampled == report["examples"]["eval"]
    assert {name: task.rows for name, task in analysis.tasks.items()} == {
        name: task["labelled"]["eval"] for name, task in report["tasks"].items()
    }
    assert analysis.tasks["delay"].slice_rows == report["tasks"]["delay"]["slice_sizes"]
    assert {one.column for one in analysis.tasks["late"].importance} == {"distance", "carrier"}
    assert {column.name for column in analysis.columns} == {"distance", "carrier", "late", "delay"}
    assert [found.node for found in analysis.lineage] == list(report["components"])
    page = page_of_latest(Home("small")).read_text()
    assert 'class="verdict pushed"' in page
    assert page.count("<figure") > 12

    assert job.run_job(config) == 0
    again = Analysis.model_validate_json((Home("small").latest / "analysis.json").read_text())
    assert again.key == analysis.key
    assert again.tasks == analysis.tasks
    assert all(found.cached for found in again.lineage if found.node not in ("Resolver",))
