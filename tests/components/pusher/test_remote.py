"""Versions behind a URL, on TensorFlow's filesystem in memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.pusher import remote
from components.pusher.layout import is_url, join
from components.pusher.lock import PREFIX, Claim, exclusive
from components.pusher.push import push
from components.pusher.rollback import roll_back
from components.pusher.state import JOURNAL, history, read_state
from components.pusher.storage import content_digest, storage_of
from components.pusher.versions import publish, versions
from janus_core.errors import JanusError, ServingError
from janus_core.manifest import manifest_of
from tests.components.pusher.models import write_model
from tests.components.pusher.poller import MODEL, VARIABLES, WARMUP, Poller

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


def test_a_version_is_uploaded_under_another_name_and_saved_model_pb_comes_last(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(remote, "_gfile", Store(lambda path: written.append(path.removeprefix(f"{base}/"))))
    assert publish(write_model(tmp_path, "one"), base, 17) == f"{base}/17"
    staged, moved = written[:4], written[4:]
    assert {path.partition("/")[0] for path in staged} == {written[0].partition("/")[0]}
    assert not written[0][0].isdigit()
    assert {path.partition("/")[2] for path in staged} == {path.partition("/")[2] for path in moved}
    assert moved == [f"17/{WARMUP}", "17/variables/variables.index", "17/PUSH_COMPLETE", "17/saved_model.pb"]
    assert gfile.listdir(base) == ["17"]
    assert versions(base) == [17]
    assert content_digest(f"{base}/17") == content_digest(tmp_path / "one")
    assert json.loads(read(f"{base}/17/PUSH_COMPLETE"))["digest"] == content_digest(tmp_path / "one")


def test_a_model_that_is_not_as_expected_is_not_uploaded(tmp_path: Path, base: str) -> None:
    model = write_model(tmp_path, "one")
    expected = manifest_of(model)
    (model / "saved_model.pb").write_text("two")
    with pytest.raises(ServingError, match=r"saved_model\.pb has different content"):
        push(model, base, keep=5, expected=expected)
    assert remote.numbers(base) == []
    assert push(model, base, keep=5, expected=manifest_of(model)).version


@pytest.mark.parametrize("writes", range(8))
@pytest.mark.parametrize("cleans", [True, False])
def test_a_failure_in_the_middle_leaves_nothing_that_counts(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch, writes: int, cleans: bool
) -> None:
    first = push(write_model(tmp_path, "one"), base, keep=5)
    model = write_model(tmp_path, "two")
    with monkeypatch.context() as broken:
        broken.setattr(remote, "_gfile", Store(fail_after(writes), cleans))
        with pytest.raises(tf.errors.UnavailableError):
            push(model, base, keep=5)
    assert versions(base) == [first.version]
    # Four files are uploaded under a name that is no number; then the version's folder is made for the first move.
    assert len(remote.numbers(base)) == (1 if cleans or writes < 4 else 2)
    second = push(model, base, keep=5)
    assert versions(base) == remote.numbers(base) == [first.version, second.version]
    assert sorted(gfile.listdir(base)) == [str(first.version), str(second.version)]
    assert read(f"{second.destination}/saved_model.pb") == "two"


UPLOAD_SECONDS, MOVE_SECONDS = 400.0, 2.0
"""How long a store takes: longer than TensorFlow Serving tries to load a version, and not."""


def takes_time(poller: Poller, then: Callable[[str], None] = lambda path: None) -> Callable[[str], None]:
    def change(path: str) -> None:
        staged = not any(part.isdigit() for part in path.removeprefix(poller.base).split("/"))
        poller.pass_time(UPLOAD_SECONDS if staged else MOVE_SECONDS)
        then(path)

    return change


@pytest.mark.parametrize("retry_seconds", [60, 10])
def test_tensorflow_serving_takes_up_each_push_and_rollback_whole(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch, retry_seconds: float
) -> None:
    poller = Poller(base, poll_seconds=1, retry_seconds=retry_seconds)
    monkeypatch.setattr(remote, "_gfile", Store(takes_time(poller)))
    for content in ("one", "two", "three"):
        pushed = push(write_model(tmp_path, content), base, keep=2)
        poller.pass_time(60)
        assert poller.served == {pushed.version: {MODEL: content, VARIABLES: content * 100, WARMUP: "warm up"}}
    done = roll_back(base, lambda path: None)
    poller.pass_time(60)
    assert {version: files[MODEL] for version, files in poller.served.items()} == {done.new_version: "two"}
    assert poller.failed == set()


def test_tensorflow_serving_gives_up_on_a_folder_that_is_written_in_place(tmp_path: Path, base: str) -> None:
    """Without which the test above would show nothing."""
    poller = Poller(base)
    for name in (VARIABLES, WARMUP, MODEL):
        gfile.makedirs(f"{base}/17/{name}".rpartition("/")[0])
        gfile.copy(str(write_model(tmp_path, "one") / name), f"{base}/17/{name}")
        poller.pass_time(UPLOAD_SECONDS)
    assert (poller.served, poller.failed) == ({}, {17})
    poller.restart()
    assert list(poller.served) == [17]


@pytest.mark.parametrize("moved", range(4))
def test_a_push_killed_among_the_moves_is_made_up_for_under_another_number(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    poller = Poller(base)
    first = push(write_model(tmp_path, "one"), base, keep=5)
    poller.pass_time(60)
    model, number = write_model(tmp_path, "two"), (first.version or 0) + 100
    with monkeypatch.context() as broken:
        broken.setattr(remote, "_gfile", Store(takes_time(poller, fail_after(4 + moved)), cleans=False))
        with pytest.raises(tf.errors.UnavailableError):
            push(model, base, keep=5, version=number)
    poller.pass_time(3600)
    # What was served stays so, and a number that TensorFlow Serving may have given up on is not used again.
    assert list(poller.served) == [first.version]
    assert poller.failed == {number}
    again = push(model, base, keep=5, version=number)
    poller.pass_time(60)
    assert again.version is not None
    assert again.version > number
    assert {version: files[MODEL] for version, files in poller.served.items()} == {again.version: "two"}
    assert len(poller.served[again.version]) == 3


def test_a_push_that_was_taken_for_dead_does_not_remove_another_s_version(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_machine(path: str) -> None:
        if path == f"{base}/17/{MODEL}":
            with monkeypatch.context() as elsewhere:
                elsewhere.setattr(remote, "_gfile", gfile)
                remote.remove_leftovers(base)
                publish(write_model(tmp_path, "two"), base, 17)

    monkeypatch.setattr(remote, "_gfile", Store(other_machine))
    with pytest.raises(tf.errors.NotFoundError):
        publish(write_model(tmp_path, "one"), base, 17)
    assert versions(base) == [17]
    assert read(f"{base}/17/{MODEL}") == "two"


def test_a_half_version_of_the_same_number_is_overwritten(tmp_path: Path, base: str) -> None:
    gfile.makedirs(f"{base}/17")
    with gfile.GFile(f"{base}/17/stale", "w") as file:
        file.write("from a killed push")
    publish(write_model(tmp_path, "one"), base, 17)
    assert sorted(remote.files(f"{base}/17")) == [WARMUP, "saved_model.pb", "variables/variables.index"]


def test_a_push_whose_bytes_did_not_arrive_fails(tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.copyfileobj", lambda read, written, size: written.write(b""))
    with pytest.raises(OSError, match="0 of 310 bytes"):
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
    # The four uploads, the record (written aside, then renamed), and two moves; not the marker, nor saved_model.pb.
    with monkeypatch.context() as broken:
        broken.setattr(remote, "_gfile", Store(fail_after(8), cleans=False))
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
        "tf_serving_warmup_requests",
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


class Store:
    """TensorFlow's file interface.

    Attributes:
        changes: called before a file is written or renamed, tickets excepted.
        cleans: whether folders may be removed.
    """

    def __init__(self, changes: Callable[[str], None], cleans: bool = True):
        self._changes = changes
        self._cleans = cleans

    def __getattr__(self, name: str) -> Any:
        return getattr(gfile, name)

    def GFile(self, path: str, mode: str = "r") -> Any:  # noqa: N802 - the name is TensorFlow's
        """Opens a file."""
        if "w" in mode and PREFIX not in path:
            self._changes(path)
        return gfile.GFile(path, mode)

    def rename(self, source: str, target: str, overwrite: bool = False) -> None:
        """Renames a file."""
        if PREFIX not in target:
            self._changes(target)
        gfile.rename(source, target, overwrite=overwrite)

    def rmtree(self, path: str) -> None:
        """Removes a folder."""
        if not self._cleans:
            raise tf.errors.UnavailableError(None, None, "the store is away")
        gfile.rmtree(path)
