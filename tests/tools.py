"""Programs that only some tests need. A test that is marked `needs("kubectl")`, or that uses a tool's fixture, is left
out where the tool is missing.

What was left out, and how to get it, is one line of pytest's summary. With `CI=true` in the environment a program that
`.ci/run` installs must be there: its tests fail instead.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
IMAGE = ("buildah", "debootstrap")
MARIADB = ("mariadbd", "mariadb-install-db", "mariadb")


@dataclass(frozen=True)
class Tool:
    """What a mark names.

    Attributes:
        tests: what is left out without it.
        present: whether it is here.
        fixtures: whose tests need it.
        remedy: how to get it.
        in_ci: `.ci/run` installs it.
    """

    tests: str
    present: Callable[[], bool]
    remedy: str
    in_ci: bool
    fixtures: frozenset[str] = frozenset()


def may_mount() -> bool:
    """Whether mounts can be made here, which takes root, and more than an unprivileged container's."""
    unshare = shutil.which("unshare")
    return unshare is not None and not subprocess.run([unshare, "--mount", "true"], capture_output=True).returncode


TOOLS = {
    "chromium": Tool(
        tests="the tests of pages in a browser",
        present=lambda: any(map(shutil.which, BROWSERS)),
        remedy="apt-get install --no-install-recommends chromium",
        in_ci=True,
        fixtures=frozenset({"browser"}),
    ),
    "mariadb": Tool(
        tests="the Kubeflow runs with metadata in MySQL, and its TLS",
        present=lambda: all(map(shutil.which, MARIADB)),
        remedy="apt-get install mariadb-server-core mariadb-client-core, with /usr/sbin on the PATH",
        in_ci=True,
        fixtures=frozenset({"mysql"}),
    ),
    "buildah": Tool(
        tests="the container image's build and the steps in it",
        present=lambda: all(map(shutil.which, IMAGE)) and may_mount(),
        remedy="apt-get install --no-install-recommends buildah debootstrap, as root, with /usr/sbin on the PATH",
        in_ci=may_mount(),
        fixtures=frozenset({"built_image"}),
    ),
    "kubectl": Tool(
        tests="the Kustomize builds of deploy/kubeflow",
        present=lambda: shutil.which("kubectl") is not None,
        remedy="kubernetes.io/docs/tasks/tools",
        in_ci=False,
    ),
    "docker-registry": Tool(
        tests="the digests that a real registry gives",
        present=lambda: shutil.which("docker-registry") is not None,
        remedy="apt-get install --no-install-recommends docker-registry",
        in_ci=False,
    ),
    "node": Tool(
        tests="the JavaScript of docs/serving.md",
        present=lambda: shutil.which("node") is not None,
        remedy="apt-get install --no-install-recommends nodejs",
        in_ci=False,
    ),
}


def needed_by(fixtures: Iterable[str]) -> list[str]:
    """The tools that a test with these fixtures needs."""
    return [name for name, tool in TOOLS.items() if tool.fixtures.intersection(fixtures)]


def left_out(name: str) -> str | None:
    """Why a tool's tests are left out here, with the remedy; None if they can run."""
    tool = TOOLS[name]
    return None if tool.present() else f"{name} was not found, so {tool.tests} are left out (to get it: {tool.remedy})"


def is_error(name: str) -> bool:
    """Whether a missing tool fails its tests."""
    return os.environ.get("CI") == "true" and TOOLS[name].in_ci
