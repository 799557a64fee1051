"""A copy of the sources, so that a test may edit them, and nobody else does while it runs."""

import shutil
from pathlib import Path

SOURCES = Path(__file__).parents[1]


def copy_sources(folder: Path, *names: str) -> None:
    """Copies these folders of the project, without the models that may have been pushed into one."""
    for name in names:
        shutil.copytree(SOURCES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "[0-9]*", ".lock"))
