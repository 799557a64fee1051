"""Chooses the stack for this machine: `modern` if its C and C++ libraries are new enough, else `portable`.

`STACK=modern` or `STACK=portable` in the environment overrides. Prints the name on standard output and the reason on
standard error. Standard library only.
"""

import ctypes
import os
import platform
import sys
from pathlib import Path

STACKS = ("modern", "portable")
# tensorflow-data-validation and ml-metadata 1.21 come as manylinux_2_39 wheels, and use that library's symbols.
MODERN_GLIBC = (2, 39)
MODERN_GLIBCXX = "GLIBCXX_3.4.32"


class UnsupportedMachineError(Exception):
    """Neither stack can run here."""


def glibc_version() -> tuple[int, ...] | None:
    """Returns the version of the C library, or None if it is not glibc."""
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        return tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else None
    except (OSError, ValueError):
        return None


def libstdcxx_has(symbol_version: str) -> bool:
    """Tells whether the C++ library that the loader finds knows `symbol_version`."""
    try:
        ctypes.CDLL("libstdc++.so.6")
        maps = Path("/proc/self/maps").read_text().splitlines()
        path = next(line.split(maxsplit=5)[5] for line in maps if "/libstdc++.so" in line)
        return symbol_version.encode() in Path(path).read_bytes()
    except (OSError, StopIteration):
        return False


def choose(
    override: str, system: str, machine: str, glibc: tuple[int, ...] | None, has_glibcxx: bool
) -> tuple[str, str]:
    """Returns the stack's name and the reason for it."""
    if override and override not in STACKS:
        raise UnsupportedMachineError(f"STACK must be one of {', '.join(STACKS)}, not {override!r}.")
    if system != "Linux" or machine != "x86_64" or glibc is None:
        raise UnsupportedMachineError(
            "Janus runs on Linux on x86_64 with the GNU C library, since TFX has wheels for nothing else; "
            f"this is {system} on {machine}{'' if glibc else ' without it'}."
        )
    version = "glibc " + ".".join(map(str, glibc))
    wanted = "glibc " + ".".join(map(str, MODERN_GLIBC))
    if override == "modern" and glibc < MODERN_GLIBC:
        raise UnsupportedMachineError(
            f"STACK=modern cannot work here, since its packages need {wanted} and this machine has {version}."
        )
    if override:
        return override, f"STACK={override}; this machine has {version}"
    if glibc < MODERN_GLIBC:
        return "portable", f"{version} is older than {wanted}"
    if not has_glibcxx:
        return "portable", f"{version} is new enough, but libstdc++ lacks {MODERN_GLIBCXX}"
    return "modern", f"{version} and libstdc++ with {MODERN_GLIBCXX}"


def choose_here() -> tuple[str, str]:
    """Returns this machine's stack and the reason for it."""
    return choose(
        os.environ.get("STACK", ""),
        platform.system(),
        platform.machine(),
        glibc_version(),
        libstdcxx_has(MODERN_GLIBCXX),
    )


def main() -> int:
    try:
        stack, reason = choose_here()
    except UnsupportedMachineError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 2
    print(stack)
    print(reason, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
