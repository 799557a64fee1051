"""`janus clean`: what it keeps, what it removes, and that nothing finds what was removed."""

import shutil
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from janus_core.errors import ConfigError, JanusError
from pipeline.commands.clean.job import ORPHANS, RUN_FOLDERS, clean_home, clean_view
from pipeline.config import JanusConfig
from pipeline.home import Home
from tests.pipeline.commands.harness import Runs

RUN_IDS = ("2026-01-01T00-00-00", "2026-01-02T00-00-00", "2026-01-03T00-00-00")


@pytest.fixture
def models(runs: Runs) -> list[int]:
    """Three runs of three spans, each of which pushed a version; the models."""
    made = []
    for number, run_id in enumerate(RUN_IDS, start=1):
        data = runs.data(run_id, span=number, fingerprint=f"total_bytes:{number}")
        made.append(runs.model(run_id, data))
        runs.push(run_id, data, made[-1], number)
        runs.report(run_id, pushed=f"serving/{number}")
    for artifact in runs.store.get_artifacts():
        artifact.uri = str(runs.home.root / artifact.type / str(artifact.id))
        Path(artifact.uri).mkdir(parents=True)
        (Path(artifact.uri) / "file").write_bytes(b"x" * 100)
        runs.store.put_artifacts([artifact])
    return made


def _present(home: Home, kind: str) -> list[int]:
    return sorted(int(folder.name) for folder in (home.root / kind).iterdir())


def test_nothing_is_changed_unless_asked_for(runs: Runs, config: JanusConfig, models: list[int]) -> None:
    before = sorted(runs.home.root.rglob("*"))
    found = clean_home(config, 1, remove=False)
    assert not found.removed
    assert found.kept_runs == [RUN_IDS[-1]]
    assert sum(item.size for item in found.unneeded) > 0
    assert sorted(runs.home.root.rglob("*")) == before
    assert len(runs.home.run_ids()) == 3
    assert all(artifact.state != pb.Artifact.DELETED for artifact in runs.store.get_artifacts())


def test_models_of_versions_and_spans_of_the_window_stay(runs: Runs, config: JanusConfig, models: list[int]) -> None:
    shutil.rmtree("serving/1")
    found = clean_home(config, 1, remove=True)
    assert found.removed
    # Version 1 is gone, and the newest run read and made nothing of it.
    assert _present(runs.home, "Model") == models[1:]
    kept = {artifact.id: artifact for artifact in runs.store.get_artifacts()}
    assert kept[models[0]].state == pb.Artifact.DELETED
    assert kept[models[1]].state != pb.Artifact.DELETED
    spans = [kept[number].custom_properties["span"].int_value for number in _present(runs.home, "Examples")]
    assert {span for span in spans if span} == {2, 3}
    # The reports of pushed versions are what the best version served is known by.
    assert len(list(runs.home.folder.glob("2026-*"))) == 3
    assert clean_home(config, 1, remove=False).unneeded == []


def test_the_reference_stays(runs: Runs, config: JanusConfig, models: list[int]) -> None:
    shutil.rmtree("serving/1")
    evaluation = config.evaluation.model_copy(update={"reference": 1})
    clean_home(config.model_copy(update={"evaluation": evaluation}), 1, remove=True)
    assert _present(runs.home, "Model") == models


def test_folders_of_runs_that_pushed_nothing_and_of_lost_databases(
    runs: Runs, config: JanusConfig, models: list[int]
) -> None:
    runs.report("2025-01-01T00-00-00", exit_code=4, pushed=None)
    runs.home.run_folder("2024-01-01T00-00-00").mkdir()
    orphans = runs.home.folder / "root-without-metadata-2026-01-01T00-00-00"
    orphans.mkdir()
    (orphans / "file").write_bytes(b"x" * 1000)
    found = {item.kind: item for item in clean_home(config, 3, remove=True).unneeded}
    assert found[RUN_FOLDERS].folders == 2
    assert (found[ORPHANS].folders, found[ORPHANS].size) == (1, 1000)
    assert runs.home.run_ids() == sorted(RUN_IDS, reverse=True)
    assert not orphans.exists()


def test_nothing_outside_of_the_home_is_removed(
    runs: Runs, config: JanusConfig, models: list[int], tmp_path: Path
) -> None:
    (artifact,) = runs.store.get_artifacts_by_id([models[0]])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    artifact.uri = str(elsewhere)
    runs.store.put_artifacts([artifact])
    shutil.rmtree("serving/1")
    clean_home(config, 1, remove=True)
    assert elsewhere.exists()


def test_a_run_that_is_under_way_is_not_disturbed(runs: Runs, config: JanusConfig, models: list[int]) -> None:
    with runs.home.lock(), pytest.raises(JanusError, match="is under way"):
        clean_home(config, 1, remove=True)


def test_a_pipeline_without_runs(config: JanusConfig) -> None:
    with pytest.raises(ConfigError, match="has no runs in runs/"):
        clean_home(config, 1, remove=False)


def test_what_is_printed(runs: Runs, config: JanusConfig, models: list[int]) -> None:
    from rich.console import Console

    console = Console(width=120)
    with console.capture() as capture:
        console.print(clean_view(clean_home(config, 1, remove=False)))
        console.print(clean_view(clean_home(config, 9, remove=False)))
    text = capture.get()
    assert "not needed; --remove removes them" in text
    assert "is needed" in text
