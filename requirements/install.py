"""Installs one lock, and in a checkout this project, into the running interpreter's environment; checks all hashes.

Usage: `python requirements/install.py [modern|portable]`, by `make setup`. The wheel brings this file and the locks as
`<environment>/share/janus-mtl/`; without an argument the stack is chosen as `make setup` does. Standard library only.
The installers' own output goes to `setup.log` in the environment, and is summed up in one sentence on failure.
"""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
IN_CHECKOUT = (PROJECT / "pyproject.toml").exists()
"""Otherwise the wheel brought this file, and is installed already."""
LOG = Path(sys.prefix) / "setup.log"
UNBOUND_MARK = "# --- declared for older Pythons only"  # as lock.py writes it
# Settings of the caller that would send packages elsewhere.
MISLEADING = ("VIRTUAL_ENV", "UV_PYTHON", "UV_SYSTEM_PYTHON", "PYTHONPATH", "PIP_REQUIRE_VIRTUALENV", "PIP_USER")
COMPILED = ("crcmod", "pyfarmhash")  # these have no wheels
# What source packages are built with. The last three build seqeval, which the image does not have.
TOOLS = ("pip", "setuptools", "wheel", "setuptools-scm", "vcs-versioning", "packaging")
OWN_PACKAGES = ("janus_core", "serving", "trainer", "components", "pipeline")

# What the installers say, and what it means. The first match counts.
FAILURES = (
    (r"hash mismatch|do not match the hashes", "a download does not have the hash that the lock names: it was altered "
     "on its way or at its source. Nothing of it was installed"),
    (r"no space left on device|disk quota exceeded", "the disk is full (an environment takes about 4 GB)"),
    (r"no wheels? with a matching|no usable wheels|is not a supported wheel|not compatible with the current platform",
     "the {stack} stack has no build for this machine: leave STACK away, or choose another"),
    (r"error sending request|dns error|failed to lookup|name resolution|name or service not known|connection refused|"
     r"connection reset|network is unreachable|newconnectionerror|connecttimeout|timed out|failed to fetch|"
     r"could not connect|no route to host|certificate|from versions: none",
     "the package index cannot be reached: check the network, and the settings of proxy and index"),
    (r"failed to build|build backend returned an error|failed building wheel",
     "a package could not be built from source: check that g++ works"),
)  # fmt: skip


class SetupError(Exception):
    """One sentence for the user."""


def parse_lock(text: str) -> tuple[dict[str, str], str]:
    """Returns the lock's blocks by package name, and the section of packages that declare only older Pythons."""
    bound, _, unbound = text.partition(UNBOUND_MARK)
    blocks = {
        match["name"]: match[0]
        for match in re.finditer(r"^(?P<name>[A-Za-z0-9_.-]+)==(?:.*\\\n)*.*\n?", bound, re.MULTILINE)
    }
    return blocks, unbound.partition("\n")[2]


def explain(output: str, stack: str) -> str:
    """Says in a sentence why an installer failed."""
    for pattern, sentence in FAILURES:
        if re.search(pattern, output, re.IGNORECASE):
            return sentence.format(stack=stack)
    errors = re.findall(r"^error: *(.*)", output, re.IGNORECASE | re.MULTILINE)
    return "the installer failed" + (f": {errors[0].strip()[:200].rstrip('.')}" if errors else "")


def check_compiler(names: list[str]) -> None:
    """Says what is missing for building the packages that come as source only."""
    if not any(shutil.which(name.split()[0]) for name in (os.environ.get("CXX") or "g++", "g++", "c++")):
        raise SetupError(f"g++ is missing, which builds {' and '.join(names)} (Debian, Ubuntu: apt-get install g++)")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        raise SetupError(
            f"Python's headers are missing, which {' and '.join(names)} are built with "
            "(Debian, Ubuntu: apt-get install python3.11-dev)"
        )


class Installer:
    def __init__(self, stack: str):
        self.stack = stack
        self.lock = HERE / f"{stack}.txt"
        text = self.lock.read_text()
        self.blocks, self.unbound = parse_lock(text)
        self.bound = text.partition(UNBOUND_MARK)[0]
        self.uv = str(Path(sys.executable).parent / "uv")
        self.environment = {**os.environ, "UV_NO_PROGRESS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        self.environment.setdefault("UV_HTTP_TIMEOUT", "180")
        # Where Python may not write bytecode (PYTHONDONTWRITEBYTECODE, a read-only folder), each process would compile
        # TensorFlow, Keras, TFX and Beam again, which takes longer than all else that an import does.
        self.environment["UV_COMPILE_BYTECODE"] = "1"
        for name in MISLEADING:
            self.environment.pop(name, None)

    def run(self, command: list[str]) -> None:
        with LOG.open("a") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            start = log.tell()
            code = subprocess.run(
                command, cwd=PROJECT, env=self.environment, stdout=log, stderr=subprocess.STDOUT, check=False
            ).returncode
        if code:
            with LOG.open() as log:
                log.seek(start)
                sentence = explain(log.read(), self.stack)
            raise SetupError(f"{sentence} (details: {os.path.relpath(LOG)})")

    def install(self, text: str, command: list[str]) -> None:
        """Runs `command` with a requirements file that holds `text`."""
        with tempfile.TemporaryDirectory() as folder:
            requirements = Path(folder) / "requirements.txt"
            requirements.write_text(text)
            self.run([*command, "--require-hashes", *([] if "sync" in command else ["-r"]), str(requirements)])

    def pip(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pip", *arguments]

    def uv_pip(self, *arguments: str) -> list[str]:
        return [self.uv, "pip", *arguments, "--python", sys.executable]

    def bootstrap(self) -> None:
        """Brings uv, and what the source packages are built with, in the lock's versions."""
        if importlib.util.find_spec("pip"):
            self.install(self.blocks["uv"], self.pip("install", "--no-deps"))
        elif outer := shutil.which("uv"):
            self.install(self.blocks["uv"], [outer, "pip", "install", "--no-deps", "--python", sys.executable])
        else:
            raise SetupError("the environment has no pip; remove .venv and try again")
        tools = "".join(self.blocks[name] for name in TOOLS if name in self.blocks)
        self.install(tools, self.uv_pip("install", "--no-deps"))

    def packages(self) -> None:
        # Without isolation, source packages are built with the tools just installed, whose hashes were checked too.
        # The wheel is in no lock, and its environment may be shared: there, nothing is removed.
        self.install(self.bound, self.uv_pip("sync" if IN_CHECKOUT else "install", "--no-build-isolation"))
        if self.unbound.strip():
            self.install(self.unbound, self.pip("install", "--no-deps", "--ignore-requires-python"))

    def project(self) -> None:
        self.run(self.uv_pip("install", "--no-deps", "--no-build-isolation", "--editable", str(PROJECT)))
        # The image copies them later.
        if packages := [name for name in OWN_PACKAGES if (PROJECT / name).is_dir()]:
            self.run([sys.executable, "-m", "compileall", "-q", *packages])


def main() -> int:
    if sys.version_info[:2] != (3, 11):
        print(f"setup: Janus needs Python 3.11, this is {platform.python_version()}: {sys.executable}", file=sys.stderr)
        return 2
    if len(sys.argv) > 1:
        name = sys.argv[1]
    else:
        import stack  # beside this file, but not in the image, which names its lock

        try:
            name, reason = stack.choose_here()
        except stack.UnsupportedMachineError as error:
            print(f"setup: {error}", file=sys.stderr)
            return 2
        print(f"setup: {name} stack: {reason}")
    installer = Installer(name)
    LOG.write_text("")
    count = len(installer.blocks) + installer.unbound.count("==")
    steps = [
        ("installer and build tools", installer.bootstrap),
        (f"{count} packages of the {installer.stack} stack, hashes checked", installer.packages),
    ]
    if IN_CHECKOUT:
        steps.append(("janus itself, editable", installer.project))
    try:
        check_compiler([name for name in COMPILED if name in installer.blocks])
        for name, step in steps:
            print(f"setup: {name} ... ", end="", flush=True)
            start = time.monotonic()
            try:
                step()
            except SetupError:
                print("failed", flush=True)
                raise
            print(f"{time.monotonic() - start:.0f} s", flush=True)
    except SetupError as error:
        print(f"setup: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
