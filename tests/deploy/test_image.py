"""The container image: what its lock has, how it is built, and that the steps work in it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from janus_core.packages import PACKAGES
from tests.deploy.buildah import Buildah, base_image, own_buildah, run
from tests.pipeline.kubeflow.harness import kubeflow_raw
from tests.pipeline.small import small_raw, write_table
from tests.project import SOURCES, copy_sources

DOCKERFILE = SOURCES / "deploy/Dockerfile"
DEVELOPMENT = ("kfp", "kfp-kubernetes", "pytest", "ruff", "mypy", "playwright", "schemathesis", "mkdocs-material")
FOLDERS = (*PACKAGES, "schema")
UNWANTED = (
    "models/flights/1795602333/saved_model.pb",
    "serving/flights/1795602333/saved_model.pb",
    "serving/flights/.lock",
    "serving/flights/.staging-1/saved_model.pb",
    "trainer/__pycache__/other.cpython-311.pyc",
    "deploy/kubeflow/base/metadata.env",
    "data/flights/a.csv",
)
"""What may lie in a working tree."""
ALSO_LOADED = (
    "apache_beam.io.gcp.gcsfilesystem",
    "apache_beam.runners.dataflow.dataflow_runner",
    "apache_beam.runners.portability.flink_runner",
    "apache_beam.runners.portability.spark_runner",
    "apache_beam.runners.worker.sdk_worker_main",
    "tfx.components.infra_validator.executor",
)
"""What a configuration may have the steps load, of other packages."""


def locked(stack: str) -> dict[str, str]:
    """Normalized name → the lock's lines of it."""
    text = (SOURCES / f"requirements/{stack}.txt").read_text(encoding="utf-8")
    found = re.finditer(r"^(?P<name>[A-Za-z0-9_.-]+)==(?:.*\\\n)*.*\n?", text, re.MULTILINE)
    return {normal(match["name"]): match[0].rstrip() for match in found}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_images_lock_is_a_part_of_the_modern_one() -> None:
    image, modern = locked("image"), locked("modern")
    assert {name: modern.get(name) for name in image} == image
    assert all("--hash=sha256:" in lines for lines in image.values())


def test_the_images_lock_has_what_the_code_imports_and_no_tools() -> None:
    image = locked("image")
    project = tomllib.loads((SOURCES / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {normal(re.match(r"[A-Za-z0-9_.-]+", wanted)[0]) for wanted in project["dependencies"]}  # type: ignore[index]
    assert needed <= set(image)
    lines = (SOURCES / "requirements/image-without.in").read_text(encoding="utf-8").splitlines()
    unwanted = {*DEVELOPMENT, *(line.split()[0] for line in lines if line and not line.startswith("#"))}
    assert not unwanted & set(image)
    assert unwanted <= set(locked("modern"))


def test_no_address_of_an_index_is_written_down() -> None:
    files = [DOCKERFILE, SOURCES / "deploy/image.sh", *(SOURCES / "requirements").glob("image.*")]
    for file in files:
        assert not re.search(r"https?://|index-url|pypi\.org", file.read_text(encoding="utf-8")), file.name


def test_every_source_that_is_copied_exists() -> None:
    """And is given to the build; so is every package of the project's."""
    copied = re.findall(r"^COPY (?!--|\$)(.+) \S+$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    names = {name for words in copied for name in words.split()}
    given = (SOURCES / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in names} <= set(given)
    assert all((SOURCES / name).exists() for name in names)
    assert set(PACKAGES) <= names


def _image_script(folder: Path, **engines: str) -> subprocess.CompletedProcess[str]:
    """Runs deploy/image.sh where docker, podman or buildah are these scripts, or missing."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for tool in ("bash", "dirname", "cat"):
        (bin_folder / tool).symlink_to(shutil.which(tool) or "")
    for name, script in engines.items():
        (bin_folder / name).write_text(f"#!{shutil.which('bash')}\n{script}\n")
        (bin_folder / name).chmod(0o755)
    (folder / "deploy").mkdir()
    shutil.copy(SOURCES / "deploy/image.sh", folder / "deploy")
    environment = folder / ".venv/bin"
    environment.mkdir(parents=True)
    (environment / "janus").write_text(f'#!{shutil.which("bash")}\necho "janus $*"\n')
    (environment / "janus").chmod(0o755)
    (environment / "python").write_text(
        f'#!{shutil.which("bash")}\ncd {SOURCES}\n{shutil.which("env")} PYTHONPATH={SOURCES} {sys.executable} "$@"\n'
    )
    (environment / "python").chmod(0o755)
    config = folder / "small.yaml"
    return subprocess.run(
        [str(folder / "deploy/image.sh"), str(config), "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(bin_folder), "PIP_CONFIG_FILE": "/etc/my pip.conf"},
    )


def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "missing").mkdir()
    missing = _image_script(tmp_path / "missing")
    assert missing.returncode == 1
    wanted = "image: an image is built by Docker, Podman or Buildah. "
    assert missing.stderr == f"{wanted}Installed is none of them (looked for: docker podman buildah).\n"
    (tmp_path / "silent").mkdir()
    silent = _image_script(tmp_path / "silent", docker="echo 'no daemon' >&2; exit 1")
    assert silent.returncode == 1
    assert silent.stderr == f"{wanted}docker does not answer: no daemon.\n"


@pytest.mark.parametrize(("driver", "layers"), [("overlay", "<--layers>"), ("vfs", "")])
def test_buildah_builds_where_docker_does_not_answer(tmp_path: Path, driver: str, layers: str) -> None:
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small_raw(tmp_path, kubeflow=kubeflow_raw(tmp_path))))
    prints = f"case $1 in version) ;; info) echo {driver} ;; *) printf '<%s>' \"$@\" ;; esac"
    done = _image_script(tmp_path, docker="exit 1", buildah=prints)
    assert done.returncode == 0, done.stderr
    assert f"<build><--isolation><chroot>{layers}<--file><deploy/Dockerfile>" in done.stdout
    assert "(`buildah push registry.example/janus:1`)" in done.stdout


def test_the_configuration_says_the_images_name_and_where_the_bundle_is(tmp_path: Path) -> None:
    raw = small_raw(tmp_path, kubeflow=kubeflow_raw(tmp_path, bundle="/elsewhere/bundle"))
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(raw))
    done = _image_script(tmp_path, docker="[ $1 = version ] || printf '<%s>' \"$@\"")
    assert done.returncode == 0, done.stderr
    assert f"janus kubeflow compile {tmp_path}/small.yaml" in done.stdout
    assert "<--tag><registry.example/janus:1>" in done.stdout
    assert "<BUNDLE=deploy/kubeflow/small/bundle>" in done.stdout
    assert "<BUNDLE_TO=/elsewhere/bundle>" in done.stdout
    assert "<--secret><id=pip.conf,src=/etc/my pip.conf><--no-cache><.>" in done.stdout


@dataclass(frozen=True)
class Container:
    """A container of the built image.

    Attributes:
        tree: what it was built from.
        work: the folder that is mounted at /mnt, the steps' user's own.
    """

    buildah: Buildah
    image: str
    name: str
    tree: Path
    work: Path

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = [f"--env={name}={value}" for name, value in environment.items()]
        volume = ["--volume", f"{self.work}:/mnt", "--workingdir", "/mnt"]
        return self.buildah("run", *variables, *volume, self.name, *command)

    def python(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # As every command of Janus sets it for itself.
        return self.run("python", "-c", program, *arguments, TF_USE_LEGACY_KERAS="0")


@pytest.fixture(scope="module")
def built_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The image as deploy/image.sh builds it, from a working tree with what may lie in one."""
    with own_buildah(tmp_path_factory.mktemp("image") / "storage") as buildah:
        found = re.search(r"^ARG BASE=(\S+)$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
        assert found is not None
        base = base_image(buildah, found[1])
        tree = tmp_path_factory.mktemp("tree")
        for name in ("pyproject.toml", "README.md", "LICENSE", ".dockerignore"):
            shutil.copy(SOURCES / name, tree / name)
        copy_sources(tree, *FOLDERS, "deploy", "requirements")
        for name in UNWANTED:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).touch()
        (tree / ".venv").symlink_to(sys.prefix)
        cluster = kubeflow_raw(Path("/mnt"), bundle="/janus/bundle")
        config = tree / "small.yaml"
        config.write_text(yaml.safe_dump(small_raw(Path("/mnt"), kubeflow=cluster)))
        # What uv downloaded before.
        cache = Path.home() / ".cache/uv"
        cache.mkdir(parents=True, exist_ok=True)
        settings = {"PIP_CONFIG_FILE": "/etc/pip.conf", "UV_CONFIG_FILE": "/etc/uv/uv.toml"}
        environment = {name: file for name, file in settings.items() if Path(file).exists()}
        arguments = [f"--build-arg=BASE={base}", f"--volume={cache}:/var/cache/build/uv", "--layers=false"]
        done = run(
            [str(tree / "deploy/image.sh"), str(config), *arguments],
            {**buildah.environment, "DOCKER": "buildah", **environment},
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        work = tmp_path_factory.mktemp("work")
        write_table(work)
        (work / "small.yaml").write_text(yaml.safe_dump(small_raw(Path("/mnt"))))
        for path in (work, *work.rglob("*")):
            os.chown(path, 1000, 1000)
        yield Container(buildah, cluster["image"], buildah.must("from", cluster["image"]), tree, work)


@pytest.mark.slow
@pytest.mark.very_slow
@pytest.mark.timeout(2400)
def test_what_the_image_holds(built_image: Container) -> None:
    image = json.loads(built_image.buildah.must("inspect", "--type", "image", built_image.image))["OCIv1"]
    # A number, so that Kubernetes can tell that it is not root's.
    assert image["config"]["User"] == "1000:1000"
    assert image["config"]["WorkingDir"] == "/opt/janus"
    assert "Entrypoint" not in image["config"]
    size = built_image.buildah.must("images", "--format={{.Size}}", built_image.image)
    number, unit = size.split()
    assert unit == "GB"
    assert float(number) < 3, size
    tree = built_image.tree
    sources = {str(path.relative_to(tree)) for name in FOLDERS for path in (tree / name).rglob("*") if path.is_file()}
    found = built_image.run("find", "/opt/janus", "-type", "f", "-not", "-name", "*.pyc").stdout.split()
    wanted = sources - set(UNWANTED) | {"pyproject.toml", "README.md", "LICENSE"}
    assert {name.removeprefix("/opt/janus/") for name in found} == wanted
    tools = "import shutil; print([name for name in ('g++', 'gcc', 'strip', 'uv') if shutil.which(name)])"
    assert built_image.python(tools).stdout == "[]\n"
    refused = built_image.run("touch", "/opt/janus/x", "/opt/venv/x")
    assert refused.returncode != 0
    assert refused.stderr.count("Permission denied") == 2


@pytest.mark.slow
@pytest.mark.very_slow
@pytest.mark.timeout(2400)
def test_every_module_is_imported_in_it(built_image: Container) -> None:
    """Of the project, except what talks to Kubeflow's server, whose client the steps do not need."""
    program = """
import importlib, importlib.util, os, pkgutil, sys
from importlib.metadata import version

names, missing = [], set()
for package in sys.argv[1].split():
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not module.name.endswith(".__main__"):
            names.append(module.name)
for name in [*names, *sys.argv[2].split()]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing.add(error.name)
development = [name for name in ("kfp", "pytest", "mypy") if importlib.util.find_spec(name)]
print(len(names), os.getuid(), sys.prefix, version("tensorflow"), version("janus-mtl"), sorted(missing), development)
"""
    done = built_image.python(program, " ".join(PACKAGES), " ".join(ALSO_LOADED))
    assert done.returncode == 0, done.stderr[-2000:]
    count, rest = done.stdout.split(maxsplit=1)
    assert int(count) > 100
    tensorflow = locked("image")["tensorflow"].partition("==")[2].split()[0]
    assert rest == f"1000 /opt/venv {tensorflow} 0.1.0 ['kfp_server_api'] []\n"


@pytest.mark.slow
@pytest.mark.very_slow
@pytest.mark.timeout(2400)
def test_a_whole_run_in_it(built_image: Container) -> None:
    done = built_image.run("janus", "run", "/mnt/small.yaml", "--set", "name=whole")
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    (report,) = built_image.work.glob("**/whole/2*/report.json")
    content = json.loads(report.read_text(encoding="utf-8"))
    assert content["exit_code"] == 0
    assert {component["state"] for component in content["components"].values()} == {"complete"}
    assert list(built_image.work.glob("serving/*/saved_model.pb"))


@pytest.mark.slow
@pytest.mark.very_slow
@pytest.mark.timeout(2400)
def test_a_step_runs_in_it(built_image: Container) -> None:
    """As Kubeflow starts it, on the bundle that the image holds."""
    usage = built_image.run("python", "-m", "pipeline.kubeflow.run_node", "--help")
    assert "the node to run, such as Trainer" in usage.stdout, usage.stderr[-2000:]
    arguments = ["--ir=/janus/bundle/ir.json", "--run-id=r", "--pipeline-root=/mnt/runs/small/root"]
    store = {"JANUS_MLMD": "sqlite:////mnt/metadata.db"}
    done = built_image.run("python", "-m", "pipeline.kubeflow.run_node", *arguments, "--node-id=ExampleGen", **store)
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(built_image.work.glob("runs/small/*/ExampleGen/examples/*/Split-train/*"))
    last = built_image.run("python", "-m", "pipeline.kubeflow.finish", *arguments, **store)
    assert "report: /mnt/runs/small/r/report.json" in last.stdout, last.stderr[-2000:]
