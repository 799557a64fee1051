"""A folder of versions: whole, newest kept, nothing left behind."""

import os
import shutil
from pathlib import Path

import pytest

from components.pusher.push import push, retain
from components.pusher.storage import content_digest, storage_of
from components.pusher.versions import publish, remove_leftovers, version_for, versions
from janus_core.errors import ConfigError, JanusError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Something like a SavedModel."""
    return make_model(tmp_path / "model", "one")


def make_model(folder: Path, content: str) -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "saved_model.pb").write_text(content)
    (folder / "variables" / "variables.index").write_text(content * 1000)
    return folder


@pytest.mark.parametrize("private", [True, False])
def test_every_user_may_read_a_version_whatever_the_umask(tmp_path: Path, private: bool) -> None:
    model = make_model(tmp_path / "model", "one")
    if private:
        for path in (model, *model.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
    before = os.umask(0o077)
    try:
        pushed = push(model, tmp_path / "made" / "serving", keep=5)
        storage_of("serving").write_text(str(tmp_path / "made" / "serving"), "labels.json", "{}")
    finally:
        os.umask(before)
    assert pushed.version
    modes = {path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    found = {name: mode for name, mode in modes.items() if name.startswith("made") and not name.endswith(".lock")}
    version = f"made/serving/{pushed.version}"
    assert {"made", "made/serving", version, f"{version}/saved_model.pb", "made/serving/labels.json"} <= found.keys()
    assert {name: mode for name, mode in found.items() if mode not in (0o755, 0o644)} == {}


def test_a_published_version_is_the_model(model: Path, tmp_path: Path) -> None:
    target = Path(publish(model, tmp_path / "serving" / "flights", 17))
    assert target == tmp_path / "serving" / "flights" / "17"
    assert content_digest(target) == content_digest(model)
    assert (target / "assets").is_dir()
    assert [path.name for path in target.parent.iterdir()] == ["17"]


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_broken_push_leaves_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    copied = []

    def copy_some(source: Path, target: Path) -> None:
        copied.append(target)
        Path(target).mkdir()
        (Path(target) / "saved_model.pb").write_text("half")
        raise failure

    monkeypatch.setattr(shutil, "copytree", copy_some)
    with pytest.raises(type(failure)):
        publish(model, tmp_path / "serving", 17)
    assert copied
    assert list((tmp_path / "serving").iterdir()) == []


def test_nobody_sees_a_version_before_it_is_whole(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []
    sync = os.fsync

    def look(descriptor: int) -> None:
        seen.append(versions(tmp_path / "serving"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    publish(model, tmp_path / "serving", 17)
    *before, after = seen
    assert before
    assert all(found == [] for found in before)
    assert after == [17]


def test_every_file_and_folder_reaches_the_disk_before_the_version_appears(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "serving" / "flights"
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink()))
    publish(model, base, 17)
    parents, staging, last = synced[:2], synced[2:-1], synced[-1]
    assert parents == [tmp_path, tmp_path / "serving"], "the names of new folders stand in their parents"
    below = {path.relative_to(model) for path in model.rglob("*")}
    (root,) = {path for path in staging if path.parent == base}
    assert {path.relative_to(root) for path in staging} == {*below, Path()}
    assert last == base


def test_what_is_no_saved_model_is_not_pushed(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(JanusError, match="no SavedModel"):
        publish(tmp_path / "model", tmp_path / "serving", 17)
    assert not (tmp_path / "serving").exists()


def test_a_digest_is_of_content_and_names(tmp_path: Path) -> None:
    def digest(name: str, content: str, place: str) -> str:
        folder = tmp_path / place
        folder.mkdir()
        (folder / name).write_text(content)
        return content_digest(folder)

    one = digest("a", "1", "one")
    assert digest("a", "1", "two") == one
    assert digest("a", "2", "three") != one
    assert digest("b", "1", "four") != one


def test_a_folder_that_is_not_there_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        content_digest(tmp_path / "nowhere")


def test_a_number_without_a_model_is_no_version_but_is_not_used_again(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "serving"
    publish(model, base, 1)
    (base / "99999999999").mkdir()
    (base / "007").mkdir()
    assert versions(base) == [1]
    assert version_for(model, base) == 1
    assert version_for(make_model(tmp_path / "other", "two"), base) == 100_000_000_000


def test_a_number_beyond_64_bits_is_no_version(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "serving"
    for number in (2**63, 10**30):
        make_model(base / str(number), "other")
    assert versions(base) == []
    version = push(model, base, keep=1).version
    assert version is not None
    assert version < 2**32
    make_model(base / str(2**63 - 1), "other")
    with pytest.raises(ConfigError, match="the greatest number"):
        push(model, base, keep=1)


def test_the_same_model_keeps_its_version(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "serving"
    first = version_for(model, base)
    publish(model, base, first)
    assert version_for(model, base) == first


def test_another_model_gets_a_later_version(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "serving"
    far_ahead = 99_999_999_999
    publish(model, base, far_ahead)
    assert version_for(make_model(tmp_path / "other", "two"), base) == far_ahead + 1


def test_a_model_that_is_no_longer_the_newest_is_pushed_again(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "serving"
    publish(model, base, 1)
    publish(make_model(tmp_path / "other", "two"), base, 2)
    assert version_for(model, base) > 2


def test_a_deleted_or_damaged_version_is_pushed_again(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "serving"
    publish(model, base, 5)
    (base / "5" / "variables" / "variables.index").unlink()
    assert version_for(model, base) > 5
    shutil.rmtree(base / "5")
    assert version_for(model, base) > 5


def test_the_newest_versions_stay(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "serving"
    for version in (9, 10, 100):
        publish(model, base, version)
    (base / "not-a-version").mkdir()
    assert retain(base, keep=2) == [9]
    assert sorted(path.name for path in base.iterdir()) == ["10", "100", "not-a-version"]
    assert retain(base, keep=5) == []


def test_what_a_killed_push_left_behind_is_removed(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "serving"
    publish(model, base, 9)
    shutil.copytree(model, base / ".staging-10-4711")
    remove_leftovers(base)
    assert [path.name for path in base.iterdir()] == ["9"]
    remove_leftovers(tmp_path / "nowhere")
