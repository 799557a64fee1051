"""The container image: what is in it, and that its steps work on Debian 13."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.kubeflow.bundle import write_bundle
from tests.deploy.debian import Container, NoDebianError, base_image, build, debian_root
from tests.deploy.dockerfile import ignored, read_patterns, read_stages
from tests.pipeline.kubeflow.harness import cluster_config, kubeflow_raw
from tests.pipeline.small import small_raw
from tests.project import SOURCES

DOCKERFILE = SOURCES / "deploy/Dockerfile"
DEVELOPMENT = ("kfp", "kfp-kubernetes", "pytest", "ruff", "mypy", "playwright", "schemathesis", "mkdocs-material")


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
    assert not set(DEVELOPMENT) & set(image)
    assert set(DEVELOPMENT) <= set(locked("modern"))


def test_no_address_of_an_index_is_written_down() -> None:
    files = [DOCKERFILE, SOURCES / "deploy/image.sh", *(SOURCES / "requirements").glob("image.*")]
    for file in files:
        assert not re.search(r"https?://|index-url|pypi\.org", file.read_text(encoding="utf-8")), file.name


def test_the_user_is_a_number_and_the_compiler_stays_behind() -> None:
    packages, image = read_stages(DOCKERFILE)
    assert packages.base == image.base == "python:3.11-slim-trixie"
    assert image.all_of("USER") == ["1000:1000"]
    assert image.instructions[-1].name == "USER"
    assert "g++" in packages.all_of("RUN")[0]
    assert not any("apt-get" in command for command in image.all_of("RUN"))


def test_what_the_build_is_given(tmp_path: Path) -> None:
    """Of a working tree with all that may lie in one, the sources and the bundle only."""
    patterns = read_patterns(SOURCES / ".dockerignore")
    wanted = {
        "pyproject.toml",
        "requirements/image.txt",
        "pipeline/kubeflow/compile.py",
        "serving/server/page.html",
        "serving/deployment/config.py",
        "schema/flights.pbtxt",
        "deploy/kubeflow/flights/bundle/ir.json",
        "deploy/kubeflow/flights/bundle/schemas/1/schema.pbtxt",
    }
    unwanted = {
        ".git/config",
        ".venv/bin/python",
        "data/flights/a.csv",
        "runs/flights/metadata.db",
        "models/flights/1795602333/saved_model.pb",
        "serving/flights/1795602333/saved_model.pb",
        "serving/flights/.lock",
        "serving/flights/.staging-1/saved_model.pb",
        "trainer/__pycache__/run.cpython-311.pyc",
        "deploy/kubeflow/base/metadata.env",
        "deploy/kubeflow/flights/pipeline.yaml",
        "tests/conftest.py",
        "requirements/modern.txt",
    }
    assert {name for name in wanted | unwanted if not ignored(name, patterns)} == wanted


def test_every_source_that_is_copied_exists() -> None:
    patterns = read_patterns(SOURCES / ".dockerignore")
    for stage in read_stages(DOCKERFILE):
        for text in stage.all_of("COPY"):
            for name in text.split()[:-1]:
                if not name.startswith(("--", "/", "$")):
                    assert (SOURCES / name).exists()
                    assert not ignored(name, patterns)


@pytest.mark.slow
@pytest.mark.very_slow
def test_the_steps_need_no_kfp() -> None:
    """Neither of the modules that run in the cluster imports it, nor anything below them."""
    program = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("kfp", "kfp_server_api"):
            raise ImportError(f"{name} is not in the image")

sys.meta_path.insert(0, Refused())
from pipeline import environment
environment.prepare()
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.components.infra_validator import executor
import pipeline.dag, pipeline.kubeflow.bundle, pipeline.kubeflow.finish, pipeline.lineage.store, pipeline.report.outcome
import pipeline.kubeflow.run_node, pipeline.report.view, trainer.run
assert not any(name.partition(".")[0] == "kfp" for name in sys.modules)
print("imported")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=SOURCES)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.endswith("imported\n")


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


def test_buildah_builds_where_docker_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small_raw(tmp_path, kubeflow=kubeflow_raw(tmp_path))))
    prints = "[ $1 = version ] || printf '<%s>' \"$@\""
    done = _image_script(tmp_path, docker="exit 1", buildah=prints)
    assert done.returncode == 0, done.stderr
    assert "<build><--isolation><chroot><--file><deploy/Dockerfile>" in done.stdout
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


@pytest.fixture(scope="module")
def built_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The image, built without Docker: its steps carried out in a Debian 13 root."""
    folder = tmp_path_factory.mktemp("image")
    try:
        try:
            root = debian_root(folder)
            packages, final = base_image(root, folder / "packages"), base_image(root, folder / "final")
        except NoDebianError as reason:
            pytest.skip(f"no Debian 13: {reason}")
        context = folder / "context"
        names = ["pyproject.toml", "README.md", "LICENSE", ".dockerignore", "requirements", "schema"]
        for name in [*names, "janus_core", "pipeline", "components", "trainer", "serving"]:
            copy = shutil.copytree if (SOURCES / name).is_dir() else shutil.copy
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            copy(SOURCES / name, context / name)
        write_bundle(cluster_config(folder, bundle="/janus/bundle"), context / "deploy/kubeflow/small/bundle")
        stages = read_stages(DOCKERFILE)
        arguments = {"BUNDLE": "deploy/kubeflow/small/bundle"}
        built: dict[str, Container] = {}
        for stage, container in zip(stages, (packages, final), strict=True):
            build(stage, container, context, arguments, built)
            built[stage.name] = container
        yield final
    finally:
        # Gigabytes, which pytest would keep.
        subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.very_slow
@pytest.mark.timeout(2400)
def test_the_steps_run_in_it(built_image: Container) -> None:
    program = (
        "import os, sys, importlib.util, importlib.metadata as m; import tfx, tensorflow; "
        "print(os.getuid(), sys.prefix, m.version('tensorflow'), m.version('janus-mtl'), "
        "*(name for name in ('kfp', 'pytest', 'mypy') if importlib.util.find_spec(name)))"
    )
    done = built_image.run(f'cd /tmp && python -c "{program}"', {"HOME": "/home/janus"})
    assert done.returncode == 0, done.stderr[-2000:]
    version = locked("image")["tensorflow"].partition("==")[2].split()[0]
    assert done.stdout.split() == ["1000", "/opt/venv", version, "0.1.0"]
    usage = built_image.run("python -m pipeline.kubeflow.run_node --help", {"HOME": "/home/janus"})
    assert "the node to run, such as Trainer" in usage.stdout, usage.stderr[-2000:]
    refused = built_image.run("touch /opt/janus/x; touch /opt/venv/x", {"HOME": "/home/janus"})
    assert refused.returncode != 0
    assert refused.stderr.count("Permission denied") == 2


@pytest.mark.slow
@pytest.mark.very_slow
@pytest.mark.timeout(2400)
def test_the_bundle_is_read_in_it(built_image: Container) -> None:
    arguments = "--ir=/janus/bundle/ir.json --run-id=r --node-id=Nobody"
    store = {"HOME": "/home/janus", "JANUS_MLMD": "sqlite:////tmp/metadata.db"}
    done = built_image.run(f"python -m pipeline.kubeflow.run_node {arguments}", store)
    assert done.returncode == 2, done.stderr[-2000:]
    assert "there is no node 'Nobody' in the pipeline; its nodes are ExampleGen" in done.stderr
    last = built_image.run(
        "python -m pipeline.kubeflow.finish --ir=/janus/bundle/ir.json --run-id=r --pipeline-root=/tmp/a/root", store
    )
    assert "report: /tmp/a/r/report.json" in last.stdout, last.stderr[-2000:]
