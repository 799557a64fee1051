"""Files of a folder, as they were and as they are."""

import hashlib
from pathlib import Path

import pytest

from janus_core.manifest import FileState, first_difference, from_json, manifest_of, to_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "data").write_bytes(b"0123456789")
    (tmp_path / "saved_model.pb").write_bytes(b"a graph")
    return tmp_path


def test_sizes_and_digests_by_relative_names(folder: Path) -> None:
    manifest = manifest_of(folder)
    assert manifest == {
        "saved_model.pb": FileState(7, hashlib.sha256(b"a graph").hexdigest()),
        "variables/data": FileState(10, hashlib.sha256(b"0123456789").hexdigest()),
    }
    assert from_json(to_json(manifest)) == manifest
    assert manifest_of(folder / "absent") == {}


def test_files_larger_than_a_block(folder: Path) -> None:
    content = bytes(range(256)) * 10_000
    (folder / "large").write_bytes(content)
    assert manifest_of(folder)["large"].sha256 == hashlib.sha256(content).hexdigest()


def test_the_first_difference(folder: Path) -> None:
    manifest, data = manifest_of(folder), folder / "variables" / "data"
    assert first_difference(manifest, manifest_of(folder)) is None
    (folder / "new").touch()
    assert first_difference(manifest, manifest_of(folder)) == ("new", "was added")
    (folder / "new").unlink()
    data.write_bytes(b"0123456\x009")
    assert first_difference(manifest, manifest_of(folder)) == ("variables/data", "has 9 bytes instead of 10")
    data.write_bytes(b"0123456889")
    assert first_difference(manifest, manifest_of(folder)) == ("variables/data", "has different content")
    data.unlink()
    assert first_difference(manifest, manifest_of(folder)) == ("variables/data", "is missing")
