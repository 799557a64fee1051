"""From which model training starts."""

from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components.resolver.models import LastBlessedModelBefore
from tests.components.resolver.test_models import blessing, model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds the models' files."""
    for number in (1, 2, 30):
        (tmp_path / str(number)).mkdir()
    return tmp_path


def start(
    folder: Path,
    examples: list[int],
    blessings: list[standard_artifacts.ModelBlessing],
    withdrawn: dict[int, int] | None = None,
) -> int | None:
    artifacts = []
    for number in examples:
        artifact = standard_artifacts.Examples()
        artifact.id = number
        artifacts.append(artifact)
    resolved = LastBlessedModelBefore().resolve_artifacts(
        None,
        {
            "model": [model(folder, number, (withdrawn or {}).get(number)) for number in (1, 2, 30)],
            "model_blessing": blessings,
            "examples": artifacts,
        },
    )
    assert resolved["examples"] == artifacts
    return resolved["model"][0].id if resolved["model"] else None


def test_there_is_none_at_first(folder: Path) -> None:
    assert start(folder, [20], []) is None


def test_a_model_trained_on_these_examples_does_not_count(folder: Path) -> None:
    assert start(folder, [20], [blessing(40, of=30)]) is None
    assert start(folder, [20], [blessing(10, of=1), blessing(40, of=30)]) == 1
    assert start(folder, [50, 20], [blessing(10, of=1), blessing(40, of=30)]) == 1
    assert start(folder, [50], [blessing(10, of=1), blessing(40, of=30)]) == 30


def test_only_blessed_models_count(folder: Path) -> None:
    assert start(folder, [20], [blessing(10, of=1), blessing(11, of=2, blessed=False)]) == 1


def test_a_model_without_files_does_not_count(folder: Path) -> None:
    (folder / "2").rmdir()  # before its record is made: as of an older Janus
    assert start(folder, [20], [blessing(10, of=1), blessing(11, of=2)]) == 1


def test_a_withdrawn_model_does_not_count(folder: Path) -> None:
    blessings = [blessing(10, of=1), blessing(11, of=2)]
    assert start(folder, [20], blessings, withdrawn={2: 1}) == 1
    assert start(folder, [20], blessings, withdrawn={2: 0}) == 2
