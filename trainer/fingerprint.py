"""A fingerprint of source code, so that TFX's cache sees an edit."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def source_fingerprint(*paths: Path | str) -> str:
    """The first 16 hex digits of a sha256 over Python sources.

    `paths` are files, or folders of which every *.py below counts. Names enter relative to the given path, so that
    the result is the same wherever the code is installed. Raises FileNotFoundError if a path does not exist.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_sources(paths)):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources(paths: Iterable[Path | str]) -> Iterable[tuple[str, Path]]:
    for path in map(Path, paths):
        if path.is_dir():
            yield from ((f"{path.name}/{file.relative_to(path).as_posix()}", file) for file in path.rglob("*.py"))
        elif path.is_file():
            yield path.name, path
        else:
            raise FileNotFoundError(path)
