"""All files together: any configuration, the committed ones, edits by hand."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.deployment.config import BatchingConfig, DeploymentConfig, LabelsConfig
from serving.deployment.render import differing, edited, is_sealed, write
from tests.serving.deployment.rendered import flags, rendered
from tests.serving.deployment.test_kubernetes import as_kubernetes_reads_it
from tests.serving.deployment.test_server import DECLARED

ROOT = Path(__file__).parents[3]

ports = st.integers(1024, 65535)
counts = st.integers(1, 2**31)
versions = st.integers(1, 2**63 - 1)
labels = st.fixed_dictionaries({}, optional={"stable": versions, "canary": versions})
batching = st.builds(
    BatchingConfig,
    enabled=st.booleans(),
    max_batch_size=counts,
    batch_timeout_micros=st.integers(0, 2**40),
    num_batch_threads=st.none() | counts,
    max_enqueued_batches=st.none() | counts,
)


@st.composite
def deployments(draw: st.DrawFn) -> DeploymentConfig:
    """Any valid configuration."""
    chosen = draw(labels)
    return DeploymentConfig(
        rest_port=(rest := draw(ports)),
        grpc_port=draw(ports.filter(lambda port: port != rest)),
        replicas=draw(counts),
        cpu=draw(st.floats(0.1, 512)),
        memory=f"{draw(counts)}{draw(st.sampled_from(['Mi', 'Gi']))}",
        user_id=draw(counts),
        namespace=draw(st.none() | st.from_regex(r"\A[a-z]([-a-z0-9]{0,20}[a-z0-9])?\Z")),
        labels=LabelsConfig(**chosen),
        canary_replicas=draw(st.integers(0, 5)) if len(chosen) == 2 else 0,
        batching=draw(batching),
        monitoring_path=draw(st.sampled_from([None, "/metrics", "/monitoring/prometheus/metrics"])),
        load_seconds=draw(st.integers(1, 10_000)),
    )


@settings(max_examples=20, deadline=None)
@given(config=deployments(), model=st.from_regex(r"\A[A-Za-z][A-Za-z0-9_]{0,40}\Z"))
def test_any_configuration_gives_files_that_agree(config: DeploymentConfig, model: str) -> None:
    found = rendered(config, model=model)
    assert found.files == rendered(config, model=model).files
    served = dict(found.models().version_labels)
    if config.canary_replicas:
        served |= dict(found.models("models-canary.config").version_labels)
    assert served == config.labels.versions()
    assert found.batching.max_batch_size.value == config.batching.max_batch_size
    assert found.batching.num_batch_threads.value >= 1
    assert found.monitoring.enable == bool(config.monitoring_path)
    for kind in found.objects:
        assert as_kubernetes_reads_it(kind) == kind
    commands = [found.service["command"], *(pod["containers"][0]["args"] for pod in found.pods())]
    for command in commands:
        used = flags(command)
        assert used.keys() <= DECLARED
        assert (int(used["rest_api_port"]), int(used["port"])) == (config.rest_port, config.grpc_port)
    assert all(is_sealed(text) for text in found.files.values())


def test_the_committed_files_are_what_the_flights_give() -> None:
    raw = yaml.safe_load((ROOT / "configs" / "flights.yaml").read_text(encoding="utf-8"))
    config = DeploymentConfig.model_validate(raw.get("serving", {}).get("deployment", {}))
    # The committed image is that of the portable stack, whichever one runs this test.
    found = rendered(config, model=raw["name"], push_path=raw["push"]["path"], tensorflow="2.16.2")
    folder = ROOT / "deploy" / "serving"
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == found.files


def test_no_path_of_a_machine() -> None:
    for text in rendered().files.values():
        assert str(Path.home()) not in text
        assert str(ROOT) not in text


def test_files_are_written_and_compared(tmp_path: Path) -> None:
    files: dict[str, str | None] = {**rendered().files, "models-canary.config": None}
    folder = tmp_path / "deploy" / "serving"
    assert sorted(differing(folder, files)) == sorted(rendered().files)
    write(folder, files)
    assert differing(folder, files) == []
    assert {path.name for path in folder.iterdir()} == rendered().files.keys()


def test_what_was_edited_is_told_from_what_is_old(tmp_path: Path) -> None:
    files: dict[str, str | None] = dict(rendered().files)
    write(tmp_path, files)
    path = tmp_path / "docker-compose.yml"
    newer: dict[str, str | None] = dict(rendered(cpu=4).files)
    assert "docker-compose.yml" in differing(tmp_path, newer)
    assert edited(tmp_path, newer) == []
    path.write_text(path.read_text(encoding="utf-8").replace("127.0.0.1", "0.0.0.0"), encoding="utf-8")
    assert edited(tmp_path, newer) == ["docker-compose.yml"]


def test_files_of_others_count_as_edited(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Ours.\n", encoding="utf-8")
    (tmp_path / "models.config").write_bytes(b"\xff\xfe")
    assert sorted(edited(tmp_path, dict(rendered().files))) == ["README.md", "models.config"]


def test_a_write_that_fails_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old: dict[str, str | None] = dict(rendered().files)
    write(tmp_path, old)

    def full(path: Path, text: str, encoding: str) -> int:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space left"):
        write(tmp_path, dict(rendered(cpu=4).files))
    assert differing(tmp_path, old) == []
    assert {path.name for path in tmp_path.iterdir()} == old.keys()
