"""A fingerprint of the code that a node runs, so that TFX's cache sees an edit."""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from janus_core.packages import PACKAGES, ROOT


def source_fingerprint(*modules: str) -> str:
    """The first 16 hex digits of a sha256 over the sources of modules and of all of Janus that they import.

    Imports are found in the text, those inside functions included, so that no list of sources can be out
    of date. What only a type checker imports does not count. Names enter relative to the packages' folder: the result
    is the same wherever the code is installed.

    Args:
        modules: full names of modules of Janus, such as `trainer.run`.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    return _digest((path.relative_to(ROOT).as_posix(), path) for path in import_closure(*modules))


def node_fingerprint(node: type, *others: str) -> str:
    """The fingerprint of what a class of TFX components runs, and of `others`, which it starts by name.

    TFX's cache compares parameters: a component that has this among them runs again when its code was edited.
    """
    return source_fingerprint(*node_modules(node), *others)


def node_modules(node: Any) -> list[str]:
    """The modules of a component class' executor and driver, as far as they are Janus' own."""
    names = (node.EXECUTOR_SPEC.executor_class.__module__, node.DRIVER_CLASS.__module__)
    return [name for name in names if name.partition(".")[0] in PACKAGES]


def modules_in(package: str) -> list[str]:
    """The full names of a package's modules, for code that is imported by names in a configuration."""
    (*_, file) = _files_of(package, required=True)
    return [f"{package}.{path.stem}" for path in sorted(file.parent.glob("*.py")) if path != file]


def folder_fingerprint(*folders: Path) -> str:
    """As `source_fingerprint`, of all *.py files in folders, by their names relative to the folder's parent."""
    return _digest(
        (path.relative_to(folder.parent).as_posix(), path) for folder in folders for path in folder.rglob("*.py")
    )


def digest_of_json(content: Any) -> str:
    """A sha256, in hexadecimal digits, of what JSON can hold; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def import_closure(*modules: str) -> set[Path]:
    """The files of modules and of all that they import of Janus, and so on.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    found: set[Path] = set()
    waiting = [path for module in modules for path in _files_of(module, required=True)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            status = path.stat()
            names = _imported_names(path, status.st_mtime_ns, status.st_size)
            waiting += [file for name in names for file in _files_of(name)]
    return found


def _digest(sources: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(sources):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _files_of(name: str, required: bool = False) -> list[Path]:
    """A module's file, after those of the packages that it is in; nothing for what is not a module of Janus."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return []
    packages = [ROOT.joinpath(*parts[:length], "__init__.py") for length in range(1, len(parts) + 1)]
    module = ROOT.joinpath(*parts).with_suffix(".py")
    files = [path for path in [*packages, module] if path.exists()]
    if required and not (packages[-1].exists() or module.exists()):
        raise ModuleNotFoundError(f"there is no module {name} in {ROOT}", name=name)
    return files


@cache
def _imported_names(path: Path, _mtime_ns: int, _size: int) -> tuple[str, ...]:
    """All names that may be modules; those of `from a import b` twice, since b may be one."""
    package = path.parent.relative_to(ROOT).parts
    return tuple(_names(ast.parse(path.read_bytes()), package))


def _names(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        else:
            yield from _names(node, package)
