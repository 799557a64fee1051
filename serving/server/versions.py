"""TensorFlow Serving's base path: a folder with a folder per version, named by its number."""

import re
from pathlib import Path

from serving.signatures import SAVED_MODEL

GREATEST = 2**63 - 1
_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,40}\s*", re.ASCII)


def complete_versions(base: Path) -> dict[int, Path] | None:
    """The versions that can be loaded: numbered folders with a saved_model.pb.

    Returns:
        Version → folder; None if there is no base path, as while it is being replaced.
    """
    try:
        folders = list(base.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return None
    versions: dict[int, Path] = {}
    for folder in sorted(folders):
        number = _number(folder.name)
        if number is not None and (folder / SAVED_MODEL).is_file():
            versions.setdefault(number, folder)
    return versions


def newest_number(base: Path) -> tuple[int, str] | None:
    """The number and name of TensorFlow Serving's newest version, whether it can be loaded or not.

    That is any file or folder whose name absl::SimpleAtoi reads (sources/storage_path/
    file_system_storage_path_source.cc).
    """
    try:
        names = [path.name for path in base.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return None
    numbers = [(int(name), name) for name in names if _NUMBER.fullmatch(name)]
    return max((one for one in numbers if -GREATEST <= one[0] <= GREATEST), default=None)


def fingerprint(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """The names, sizes and times of all files in a folder, which change whenever a file is written."""
    files = []
    for path in sorted(folder.rglob("*")):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        files.append((path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns))
    return tuple(files)


def _number(name: str) -> int | None:
    if not (name.isascii() and name.isdigit()):
        return None
    return number if (number := int(name[:40])) <= GREATEST else None
