"""TensorFlow Serving's base path: a folder with a folder per version, named by its number."""

from pathlib import Path

GREATEST = 2**63 - 1


def complete_versions(base: Path) -> dict[int, Path] | None:
    """The versions that can be loaded: numbered folders with a saved_model.pb.

    Returns:
        Version → folder; None where there is no base path, as while it is being replaced.
    """
    try:
        folders = list(base.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return None
    found: dict[int, Path] = {}
    for folder in sorted(folders):
        number = _number(folder.name)
        if number is not None and (folder / "saved_model.pb").is_file():
            found.setdefault(number, folder)
    return found


def fingerprint(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of all files in a folder: differs once anything in it was written."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        found.append((path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _number(name: str) -> int | None:
    if not (name.isascii() and name.isdigit()):
        return None
    return number if (number := int(name[:40])) <= GREATEST else None
