"""Janus' packages have common names: this module makes sure that they are imported rather than others."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
"""Holds all packages of Janus: the source tree, or the site-packages that the wheel was installed into."""
PACKAGES = ("janus_core", "serving", "trainer", "components", "pipeline")


class _OwnPackagesFinder:
    """Finds the packages of Janus beside this one, whatever the working folder and PYTHONPATH hold."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(ROOT)], target) if name in PACKAGES else None


def import_own_packages() -> None:
    """Makes `import` prefer Janus' own packages to others of the same name; idempotent.

    Raises:
        ImportError: a foreign package was imported before under one of the names.
    """
    for name in PACKAGES:
        foreign = _folder_of(sys.modules[name]) if name in sys.modules else None
        if foreign and foreign.resolve() != ROOT / name:
            raise ImportError(
                f"'{name}' was imported from {foreign} before Janus, whose own package of that name is "
                f"{ROOT / name}: rename the former, or use Janus in a process that does not import it"
            )
    if _OwnPackagesFinder not in sys.meta_path:
        sys.meta_path.insert(0, _OwnPackagesFinder)


def _folder_of(module: ModuleType) -> Path | None:
    if module.__file__ is None:
        return next((Path(folder) for folder in module.__path__), None)
    file = Path(module.__file__)
    return file.parent if file.name == "__init__.py" else file
