"""Versions behind a URL, on TensorFlow's filesystem in memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.pusher import remote
from components.pusher.journal import JOURNAL, history
from components.pusher.lease import PREFIX
from components.pusher.lock import Claim, exclusive
from components.pusher.push import push
from components.pusher.rollback import roll_back
from components.pusher.state import read_state
from components.pusher.storage import content_digest, is_url, join, storage_of
from components.pusher.versions import publish, versions
from tests.components.pusher.models import write_model
from trainer.errors import JanusError

gfile = tf.io.gfile


@pytest.fixture
def base(tmp_path: Path) -> str:
    return f"ram://{tmp_path.name}/models/flights"


def read(path: str) -> str:
    with gfile.GFile(path) as file:
        return str(file.read())


def test_urls_stay_as_they_are() -> None:
    assert is_url("gs://bucket/models")
    assert not is_url(Path("serving/flights"))
    assert join("gs://bucket/models/", 17, "saved_model.pb") == "gs://bucket/models/17/saved_model.pb"
    assert storage_of("s3://bucket") is remote


def test_the_marker_comes_last_and_the_model_before_it(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(remote, "_gfile", Writing(lambda path: written.append(path.removeprefix(base))))
    assert publish(write_model(tmp_path, "one"), base, 17) == f"{base}/17"
    assert written == ["/17/variables/variables.index", "/17/saved_model.pb", "/17/PUSH_COMPLETE"]
    assert versions(base) == [17]
    assert content_digest(f"{base}/17") == content_digest(tmp_path / "one")
    assert json.loads(read(f"{base}/17/PUSH_COMPLETE"))["digest"] == content_digest(tmp_path / "one")


@pytest.mark.parametrize("writes", [0, 1, 2])
@pytest.mark.parametrize("cleans", [True, False])
def test_a_failure_in_the_middle_leaves_nothing_that_counts(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch, writes: int, cleans: bool
) -> None:
    first = push(write_model(tmp_path, "one"), base, keep=5)
    model = write_model(tmp_path, "two")
    with monkeypatch.context() as broken:
        broken.setattr(remote, "_gfile", Writing(fail_after(writes), cleans))
        with pytest.raises(tf.errors.UnavailableError):
            push(model, base, keep=5)
    assert versions(base) == [first.version]
    assert len(remote.numbers(base)) == (1 if cleans else 2)
    second = push(model, base, keep=5)
    assert versions(base) == remote.numbers(base) == [first.version, second.version]
    assert read(f"{second.destination}/saved_model.pb") == "two"


def test_a_half_version_of_the_same_number_is_overwritten(tmp_path: Path, base: str) -> None:
    gfile.makedirs(f"{base}/17")
    with gfile.GFile(f"{base}/17/stale", "w") as file:
        file.write("from a killed push")
    publish(write_model(tmp_path, "one"), base, 17)
    assert sorted(remote.files(f"{base}/17")) == ["saved_model.pb", "variables/variables.index"]


def test_a_push_whose_bytes_did_not_arrive_fails(tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.copyfileobj", lambda read, written, size: written.write(b""))
    with pytest.raises(OSError, match="0 of 303 bytes"):
        publish(write_model(tmp_path, "one"), base, 17)
    assert versions(base) == []


def test_the_same_model_keeps_its_version_and_old_ones_go(tmp_path: Path, base: str) -> None:
    models = [write_model(tmp_path, content) for content in ("one", "two", "three")]
    pushed = [push(model, base, keep=2).version for model in models]
    assert push(models[2], base, keep=2).version == pushed[2]
    assert versions(base) == remote.numbers(base) == pushed[1:]
    gfile.remove(f"{base}/{pushed[2]}/variables/variables.index")
    again = push(models[2], base, keep=2).version
    assert again
    assert again > (pushed[2] or 0)


def test_a_rollback_is_recorded_beside_the_versions(tmp_path: Path, base: str) -> None:
    one, two = (push(write_model(tmp_path, content), base, keep=5).version for content in ("one", "two"))
    checked: list[str] = []
    done = roll_back(base, checked.append)
    assert checked == [f"{base}/{one}"]
    assert (done.from_version, done.to_version) == (two, one)
    assert read(f"{base}/{done.new_version}/saved_model.pb") == "one"
    assert history(base) == [done]
    assert push(tmp_path / "two", base, keep=5).withdrawal == done
    assert sorted(name for name in gfile.listdir(base) if not name.rstrip("/").isdigit()) == [JOURNAL]


def test_a_rollback_that_fails_in_the_middle_did_not_happen(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in ("one", "two"):
        push(write_model(tmp_path, content), base, keep=5)
    # The first file of the copy, the record, saved_model.pb; not the marker.
    with monkeypatch.context() as broken:
        broken.setattr(remote, "_gfile", Writing(fail_after(3), cleans=False))
        with pytest.raises(tf.errors.UnavailableError):
            roll_back(base, lambda path: None)
    assert JOURNAL in gfile.listdir(base)
    assert history(base) == []
    assert push(tmp_path / "two", base, keep=5).withdrawal is None
    assert read_state(base).rollback_target == versions(base)[0]
    assert (gfile.exists(join(base, JOURNAL)), read(join(base, JOURNAL))) == (True, "")


def test_a_model_behind_a_url_comes_to_a_local_folder(tmp_path: Path, base: str) -> None:
    source = publish(write_model(tmp_path, "one"), base, 17)
    local = push(source, tmp_path / "serving", keep=5)
    assert local.destination
    assert sorted(path.name for path in Path(local.destination).rglob("*") if path.is_file()) == [
        "saved_model.pb",
        "variables.index",
    ]
    assert local.digest == content_digest(tmp_path / "one") == content_digest(local.destination)


def test_the_machine_s_pushes_keep_each_other_out(base: str) -> None:
    impatient = exclusive(base + "/", Claim("second", wait_seconds=0.1))
    with exclusive(base, Claim("first")), pytest.raises(JanusError, match="under way"):
        impatient.__enter__()


def test_a_store_that_cannot_be_written_is_told() -> None:
    remote.require_writable("ram://writable/models")
    assert gfile.listdir("ram://writable/models") == []
    with pytest.raises(OSError, match="'nope' not implemented"):
        remote.require_writable("nope://bucket/models")


def fail_after(writes: int) -> Callable[[str], None]:
    """Lets so many files be written, then fails."""
    left = [writes]

    def count(path: str) -> None:
        if left[0] == 0:
            raise tf.errors.UnavailableError(None, None, "the store is away")
        left[0] -= 1

    return count


class Writing:
    """TensorFlow's file interface, which tells of each file to be written, but of no ticket, and may remove nothing."""

    def __init__(self, told: Callable[[str], None], cleans: bool = True):
        self._told = told
        self._cleans = cleans

    def __getattr__(self, name: str) -> Any:
        return getattr(gfile, name)

    def GFile(self, path: str, mode: str = "r") -> Any:  # noqa: N802 - the name is TensorFlow's
        """Opens a file."""
        if "w" in mode and PREFIX not in path:
            self._told(path)
        return gfile.GFile(path, mode)

    def rmtree(self, path: str) -> None:
        """Removes a folder."""
        if not self._cleans:
            raise tf.errors.UnavailableError(None, None, "the store is away")
        gfile.rmtree(path)
