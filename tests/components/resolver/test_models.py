"""Which model a candidate is compared with."""

from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components.resolver.models import LastOtherBlessedModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds the models' files."""
    for number in (1, 2, 3):
        (tmp_path / str(number)).mkdir()
    return tmp_path


def model(folder: Path, number: int, withdrawn: int | None = None) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.id, artifact.uri = number, str(folder / str(number))
    if withdrawn is not None:
        artifact.set_int_custom_property("withdrawn", withdrawn)
    return artifact


def blessing(number: int, of: int, blessed: bool = True) -> standard_artifacts.ModelBlessing:
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = number
    artifact.set_int_custom_property("current_model_id", of)
    artifact.set_int_custom_property("blessed", int(blessed))
    return artifact


def baseline(
    folder: Path,
    candidate: int,
    blessings: list[standard_artifacts.ModelBlessing],
    withdrawn: dict[int, int] | None = None,
) -> int | None:
    resolved = LastOtherBlessedModel().resolve_artifacts(
        None,
        {
            "model": [model(folder, number, (withdrawn or {}).get(number)) for number in (1, 2, 3)],
            "model_blessing": blessings,
            "candidate": [model(folder, candidate)],
        },
    )
    assert [artifact.id for artifact in resolved["candidate"]] == [candidate]
    assert len(resolved["model"]) == len(resolved["model_blessing"])
    return resolved["model"][0].id if resolved["model"] else None


def test_there_is_none_at_first(folder: Path) -> None:
    assert baseline(folder, 1, []) is None


def test_a_candidate_is_not_its_own_baseline(folder: Path) -> None:
    assert baseline(folder, 1, [blessing(10, of=1)]) is None
    assert baseline(folder, 2, [blessing(10, of=1), blessing(11, of=2)]) == 1


def test_only_blessed_models_count(folder: Path) -> None:
    assert baseline(folder, 3, [blessing(10, of=1), blessing(11, of=2, blessed=False)]) == 1


def test_the_last_blessing_counts_not_the_newest_model(folder: Path) -> None:
    """A model that was taken up again is what a new one has to beat."""
    assert baseline(folder, 3, [blessing(12, of=1), blessing(11, of=2)]) == 1


def test_a_model_whose_files_are_gone_is_passed_over(folder: Path) -> None:
    (folder / "2").rmdir()
    assert baseline(folder, 3, [blessing(10, of=1), blessing(11, of=2)]) == 1


def test_a_withdrawn_model_is_passed_over(folder: Path) -> None:
    """The next candidate is compared with the model that is served after a rollback."""
    blessings = [blessing(10, of=1), blessing(11, of=2)]
    assert baseline(folder, 3, blessings, withdrawn={2: 1}) == 1
    assert baseline(folder, 3, blessings, withdrawn={1: 1, 2: 1}) is None


def test_a_model_that_was_brought_back_counts_again(folder: Path) -> None:
    assert baseline(folder, 3, [blessing(10, of=1), blessing(11, of=2)], withdrawn={2: 0}) == 2
