"""A Debian 13 root in which a Dockerfile's steps run without Docker: chroots in mount namespaces of their own."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.dockerfile import Stage, flags, ignored, read_patterns, substitute
from tests.tools import DEBIAN_ROOT, is_debian_13

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RELEASE = "trixie"
# What the official Python image has besides the interpreter, whose libraries are the first ones.
IMAGE_PACKAGES = (
    "libffi8",
    "libssl3t64",
    "libsqlite3-0",
    "libbz2-1.0",
    "liblzma5",
    "libreadline8t64",
    "ca-certificates",
)
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
SETTINGS = ("/etc/pip.conf", "/etc/xdg/pip", "/etc/uv", "/etc/resolv.conf", "/etc/hosts")
"""How this machine reaches the network: the build's secrets and Docker's own settings would bring them."""


class NoDebianError(Exception):
    """Why there is none here."""


@dataclass
class Container:
    """A stage being built.

    Attributes:
        base: the root that lies below.
        folder: receives what the steps change.
        python: prefix of the interpreter that stands for the image's.
        variables: of ENV and ARG.
    """

    base: Path
    folder: Path
    python: Path
    variables: dict[str, str] = field(default_factory=dict)
    directory: str = "/"
    user: str = "0:0"

    @property
    def changed(self) -> Path:
        return self.folder / "changed"

    def run(self, command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a shell command as RUN, or a container's start, does."""
        root = self.folder / "root"
        for path in (root, self.changed, self.folder / "work"):
            path.mkdir(parents=True, exist_ok=True)
        layers = f"lowerdir={self.base},upperdir={self.changed},workdir={self.folder / 'work'}"
        inside = ["env", "-i", *(f"{name}={value}" for name, value in self._environment(environment).items())]
        inside += ["/bin/sh", "-c", f"cd {shlex.quote(self.directory)} && {command}"]
        script = f"""
            set -e
            mount -t overlay overlay -o {shlex.quote(layers)} {root}
            mount -t proc proc {root}/proc
            mount --rbind /dev {root}/dev
            bind() {{ [ ! -d "$1" ] || {{ mkdir -p "{root}$2"; mount --bind "$1" "{root}$2"; }}; }}
            bind {self.python} /usr/local
            mount -o remount,bind,ro {root}/usr/local
            bind {Path.home() / ".cache/uv"} /var/cache/build/uv
            exec chroot --userspec={self.user} {root} {shlex.join(inside)}
        """
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        # As on a machine behind a proxy, whose certificates Docker's base image would bring.
        here = {name: os.environ[name] for name in os.environ if name.upper().endswith("_PROXY")}
        if "SSL_CERT_FILE" in os.environ:
            here["SSL_CERT_FILE"] = CERTIFICATES
        return {"HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", **here, **self.variables, **(more or {})}

    def put(self, source: Path, target: str, patterns: list[str] | None = None, context: Path | None = None) -> None:
        """Copies a file or the files of a folder, without those that .dockerignore names."""
        files = [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]
        for file in files:
            if context is not None and ignored(file.relative_to(context).as_posix(), patterns or []):
                continue
            into = Path(f"{self.changed}{target}")
            path = into / (file.name if source.is_file() else file.relative_to(source))
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, path)


def debian_root(folder: Path) -> Path:
    """A Debian 13 root: the one that is named, this machine's own, or a fresh one.

    Raises:
        NoDebianError: there can be none here.
    """
    if ready := os.environ.get(DEBIAN_ROOT):
        return Path(ready)
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        raise NoDebianError("may not mount here")
    if is_debian_13():
        return Path("/")
    root = folder / "debian"
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(IMAGE_PACKAGES)}", RELEASE, str(root)]
    command += [mirror] if (mirror := _mirror()) else []
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
    if made.returncode:
        # No mirror that answers, a folder mounted nodev, a full disk: debootstrap's own last words tell which.
        said = [line for text in (made.stdout, made.stderr) for line in text.strip().splitlines()[-1:]]
        raise NoDebianError(f"debootstrap failed: {'; '.join(said)}")
    return root


def _mirror() -> str | None:
    """The mirror that this machine's own packages come from, if it is a Debian."""
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]
    for file in filter(Path.exists, files):
        for line in file.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] in ("URIs:", "deb") and words[1].rstrip("/").endswith("/debian"):
                return words[1]
    return None


def base_image(root: Path, folder: Path) -> Container:
    """What `FROM python:3.11-slim-trixie` gives: Debian 13, with this interpreter in /usr/local.

    Raises:
        NoDebianError: this interpreter cannot run in it.
    """
    python = Path(sys.base_prefix)
    if python == Path("/usr"):
        raise NoDebianError("the tests' Python is the system's own, which cannot be lent to another root")
    container = Container(root, folder, python, {"PATH": PATH})
    for setting in map(Path, SETTINGS):
        if setting.exists():
            container.put(setting, str(setting.parent if setting.is_file() else setting))
    certificates = Path(os.environ.get("SSL_CERT_FILE", CERTIFICATES))
    if certificates.exists():
        path = Path(f"{container.changed}{CERTIFICATES}")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(certificates, path)
    imports = "import bz2, ctypes, lzma, sqlite3, ssl"
    # As in the official image, where the interpreter's own library lies in /usr/local/lib.
    tried = container.run(f"ldconfig && python -c '{imports}' && . /etc/os-release && echo $VERSION_ID")
    if tried.returncode or tried.stdout.strip() != "13":
        said = (tried.stderr or tried.stdout).strip()
        raise NoDebianError(f"this Python does not run in {root}: {said}")
    return container


def build(
    stage: Stage, container: Container, context: Path, arguments: Mapping[str, str], earlier: Mapping[str, Container]
) -> None:
    """Carries out a stage's instructions.

    Raises:
        RuntimeError: a step failed; with its output.
    """
    patterns = read_patterns(context / ".dockerignore")
    for instruction in stage.instructions:
        options, rest = flags(instruction.text)
        text = substitute(rest, container.variables)
        match instruction.name:
            case "ENV":
                pairs = (word.partition("=") for word in shlex.split(text))
                container.variables.update({name: value for name, _, value in pairs})
            case "ARG":
                name, _, default = text.partition("=")
                container.variables[name] = arguments.get(name, default)
            case "WORKDIR":
                container.directory = text
                Path(f"{container.changed}{text}").mkdir(parents=True, exist_ok=True)
            case "USER":
                container.user = text
            case "COPY":
                _copy(container, options, text.split(), context, patterns, earlier)
            case "RUN":
                done = container.run(rest)
                if done.returncode:
                    raise RuntimeError(f"RUN {rest}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def _copy(
    container: Container,
    options: list[str],
    words: list[str],
    context: Path,
    patterns: list[str],
    earlier: Mapping[str, Container],
) -> None:
    *sources, target = words
    target = target if target.startswith("/") else f"{container.directory.rstrip('/')}/{target}"
    target = os.path.normpath(target)
    for option in options:
        (source,) = sources
        path = Path(f"{container.changed}{target}")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Nothing more is built in the other stage.
        Path(f"{earlier[option.removeprefix('--from=')].changed}{source}").rename(path)
        return
    for source in sources:
        container.put(context / source, target, patterns, context)
