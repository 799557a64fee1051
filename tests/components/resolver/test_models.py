"""Which model a training starts from."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.intact import record_files
from components.resolver.models import last_blessed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds the models' files."""
    for number in (1, 2, 3):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "weights").write_text("weights")
    return tmp_path


def model(folder: Path, number: int, withdrawn: int | None = None) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.id, artifact.uri = number, str(folder / str(number))
    if (folder / str(number)).exists():
        record_files(artifact.mlmd_artifact)
    if withdrawn is not None:
        artifact.set_int_custom_property("withdrawn", withdrawn)
    return artifact


def blessing(number: int, of: int, blessed: bool = True) -> standard_artifacts.ModelBlessing:
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = number
    artifact.set_int_custom_property("current_model_id", of)
    artifact.set_int_custom_property("blessed", int(blessed))
    return artifact


def last(
    folder: Path, blessings: list[standard_artifacts.ModelBlessing], withdrawn: dict[int, int] | None = None
) -> int | None:
    models = [model(folder, number, (withdrawn or {}).get(number)) for number in (1, 2)]
    found = last_blessed(models, blessings)
    assert len(found["model"]) == len(found["model_blessing"])
    return found["model"][0].id if found["model"] else None


def test_there_is_none_at_first(folder: Path) -> None:
    assert last(folder, []) is None


def test_only_blessed_models_count(folder: Path) -> None:
    assert last(folder, [blessing(10, of=1), blessing(11, of=2, blessed=False)]) == 1


def test_the_last_blessing_counts_not_the_newest_model(folder: Path) -> None:
    """A model that was taken up again is what a new one starts from."""
    assert last(folder, [blessing(12, of=1), blessing(11, of=2)]) == 1


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "is missing": Path.unlink,
    "has 4 bytes instead of 7": lambda file: file.write_text("weig"),
    "has different content": lambda file: file.write_text("Weights"),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_model_is_passed_over_with_a_warning(
    folder: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    models = [model(folder, number) for number in (1, 2, 3)]
    DAMAGES[how](folder / "2" / "weights")
    found = last_blessed(models, [blessing(10, of=1), blessing(11, of=2)])
    assert [artifact.id for artifact in found["model"]] == [1]
    assert "a model is left out" in caplog.text
    assert f"{folder}/2/weights {how}" in caplog.text


def test_a_model_of_an_older_janus_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It has no record of its files, but TensorFlow's own checksums."""
    module = tf.Module()
    module.variable = tf.Variable(tf.random.stateless_uniform([500], seed=(1, 2)))
    artifact = standard_artifacts.Model()
    artifact.id, artifact.uri = 1, str(tmp_path)
    saved = tmp_path / "Format-Serving"
    tf.saved_model.save(module, str(saved))
    assert last_blessed([artifact], [blessing(10, of=1)])["model"] == [artifact]
    (data,) = (saved / "variables").glob("variables.data*")
    content = bytearray(data.read_bytes())
    content[1000] ^= 1
    data.write_bytes(content)
    assert last_blessed([artifact], [blessing(10, of=1)])["model"] == []
    assert f"{saved} cannot be read" in caplog.text
    caplog.clear()
    shutil.rmtree(tmp_path)
    assert last_blessed([artifact], [blessing(10, of=1)])["model"] == []
    assert "cannot be read" in caplog.text


def test_a_withdrawn_model_is_passed_over(folder: Path) -> None:
    blessings = [blessing(10, of=1), blessing(11, of=2)]
    assert last(folder, blessings, withdrawn={2: 1}) == 1
    assert last(folder, blessings, withdrawn={1: 1, 2: 1}) is None


def test_a_model_that_was_brought_back_counts_again(folder: Path) -> None:
    assert last(folder, [blessing(10, of=1), blessing(11, of=2)], withdrawn={2: 0}) == 2
