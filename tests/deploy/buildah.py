"""Buildah with a storage of its own, and a base for the image where the official one cannot be pulled."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RELEASE = "trixie"
PYTHON = "python3.11"
# What the official Python image has besides the interpreter.
PACKAGES = (
    "ca-certificates",
    "libbz2-1.0",
    "libexpat1",
    "libffi8",
    "liblzma5",
    "libreadline8t64",
    "libsqlite3-0",
    "libssl3t64",
)
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# As in the official image, which has neither caches nor documentation nor the tests of Python.
DOCUMENTATION = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man")
NOT_OF_PYTHON = ("test", "config-*", "site-packages", "__pycache__")


@dataclass(frozen=True)
class Buildah:
    """Buildah as a user calls it, with images, containers and temporary files below `folder`."""

    folder: Path
    driver: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "STORAGE_DRIVER": self.driver,
            "TMPDIR": str(self.folder / "tmp"),
        }

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(["buildah", *arguments], self.environment)

    def must(self, *arguments: str) -> str:
        """Returns what the command prints."""
        done = self(*arguments)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout.strip()


def run(command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, with its output."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1800)


@contextmanager
def own_buildah(folder: Path) -> Iterator[Buildah]:
    """Removes all that was stored, which are gigabytes, in the end."""
    (folder / "tmp").mkdir(parents=True)
    roots = "".join(f'{name} = "{folder / name}"\n' for name in ("graphroot", "runroot"))
    (folder / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\n{roots}')
    # Which one a machine can have depends on its kernel and file system; vfs always works, but copies whole roots.
    found = next(driver for driver in ("overlay", "vfs") if Buildah(folder, driver)("info").returncode == 0)
    buildah = Buildah(folder, found)
    try:
        yield buildah
    finally:
        # The driver mounts its folder onto itself, and the containers below.
        run(["umount", "--recursive", str(folder / "graphroot" / found)])
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def base_image(buildah: Buildah, official: str) -> str:
    """The name of the image to build on: the official one, or one as like it as can be made."""
    if buildah("pull", "--quiet", official).returncode == 0:
        return official
    root = buildah.folder / "root"
    _debian(root)
    _lend_python(root)
    # This machine's way to the package index.
    certificates = Path(os.environ.get("SSL_CERT_FILE", CERTIFICATES))
    if certificates.exists():
        shutil.copyfile(certificates, f"{root}{CERTIFICATES}")
    environment = ["PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
    environment += [f"{name}={CERTIFICATES}" for name in ("SSL_CERT_FILE", "PIP_CERT") if name in os.environ]
    # With what a missing library would fail.
    tried = 'ldconfig && python -c "import bz2, ctypes, lzma, sqlite3, ssl, venv"'
    dockerfile = buildah.folder / "Dockerfile.base"
    dockerfile.write_text(f'FROM scratch\nCOPY . /\nENV {" ".join(environment)}\nRUN {tried}\nCMD ["python3"]\n')
    buildah.must("build", "--file", str(dockerfile), "--tag", "localhost/base", str(root))
    shutil.rmtree(root)
    return "localhost/base"


def _debian(root: Path) -> None:
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", RELEASE, str(root)]
    made = run([*command, *_mirror()])
    if made.returncode:
        # No mirror that answers, a folder mounted nodev, a full disk: debootstrap's own last words tell which.
        said = [line for text in (made.stdout, made.stderr) for line in text.strip().splitlines()[-1:]]
        raise RuntimeError(f"debootstrap failed: {'; '.join(said)}")
    for name in DOCUMENTATION:
        for path in (root / name).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _mirror() -> list[str]:
    """The mirror that this machine's own packages come from, if it is a Debian."""
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files if file.exists())
    return re.findall(r"^(?:URIs:|deb) (\S+/debian/?)(?:\s|$)", text, re.MULTILINE)[:1]


def _lend_python(root: Path) -> None:
    """Copies the interpreter of these tests to /usr/local, without the packages that were installed into it."""
    folders = {
        sysconfig.get_path("stdlib"): f"usr/local/lib/{PYTHON}",
        sysconfig.get_path("include"): f"usr/local/include/{PYTHON}",
        # What a Debian's own has elsewhere.
        f"/usr/include/x86_64-linux-gnu/{PYTHON}": f"usr/local/include/x86_64-linux-gnu/{PYTHON}",
        "/usr/share/python-wheels": "usr/share/python-wheels",
    }
    ignore = shutil.ignore_patterns(*NOT_OF_PYTHON)
    for source, target in folders.items():
        if Path(source).exists():
            shutil.copytree(source, root / target, symlinks=True, ignore=ignore)
    for library in Path(sys.base_prefix, "lib").glob("libpython3*.so*"):
        shutil.copy(library, root / "usr/local/lib", follow_symlinks=False)
    programs = root / "usr/local/bin"
    shutil.copy(Path(sys.executable).resolve(), programs / PYTHON)
    for name in ("python", "python3"):
        (programs / name).symlink_to(PYTHON)
