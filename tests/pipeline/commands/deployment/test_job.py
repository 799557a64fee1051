"""`janus deployment`."""

from pathlib import Path

import pytest
import yaml
from tensorflow.core.protobuf import saved_model_pb2

from janus_core.errors import ConfigError
from pipeline.commands.deployment.job import run_deployment_job, trained_with
from pipeline.config import JanusConfig
from serving.deployment.config import DeploymentConfig
from tests.pipeline.small import small_config

OUTPUT = Path("deploy/serving")
PINNED = DeploymentConfig(tag="2.16.1")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JanusConfig:
    monkeypatch.chdir(tmp_path)
    return small_config(Path(), push={"path": "serving/small", "keep": 3})


def push(base: str, version: int, tensorflow: str) -> None:
    """A version of which only the file that matters here is there."""
    model = saved_model_pb2.SavedModel()
    model.meta_graphs.add().meta_info_def.tensorflow_version = tensorflow
    folder = Path(base) / str(version)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())


def service(folder: Path = OUTPUT) -> dict:
    return yaml.safe_load((folder / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["serving"]


def test_the_files_are_written_and_checked(config: JanusConfig, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_deployment_job(config, PINNED, check=True) == 2
    assert not OUTPUT.exists()
    assert "deploy/serving/kubernetes.yaml is not what the configuration gives" in capsys.readouterr().err
    assert run_deployment_job(config, PINNED) == 0
    assert "deploy/serving/docker-compose.yml" in capsys.readouterr().out
    assert run_deployment_job(config, PINNED, check=True) == 0
    assert run_deployment_job(config, PINNED) == 0
    assert capsys.readouterr().out == "deploy/serving is up to date\n"


def test_the_models_are_found_from_the_compose_file(config: JanusConfig, tmp_path: Path) -> None:
    for output in (OUTPUT, Path("elsewhere"), Path()):
        run_deployment_job(config, PINNED, output)
        source = service(output)["volumes"][0]["source"]
        assert source.startswith(("./", "../"))
        assert (tmp_path / output / source).resolve() == tmp_path / "serving" / "small"


def test_an_absolute_push_path_stays(config: JanusConfig) -> None:
    absolute = config.model_copy(update={"push": config.push.model_copy(update={"path": "/srv/models/small"})})
    run_deployment_job(absolute, PINNED)
    assert service()["volumes"][0]["source"] == "/srv/models/small"


def test_the_image_is_that_of_the_newest_version(config: JanusConfig) -> None:
    push(config.push.path, 17, "2.16.2")
    push(config.push.path, 18, "2.19.0")
    run_deployment_job(config, DeploymentConfig())
    assert service()["image"] == "tensorflow/serving:2.19.1"


def test_the_image_is_that_of_the_labelled_version(config: JanusConfig) -> None:
    push(config.push.path, 17, "2.16.2")
    push(config.push.path, 18, "2.19.0")
    assert trained_with(config.push.path, DeploymentConfig.model_validate({"labels": {"stable": 17}})) == "2.16.2"


def test_without_a_version_the_image_is_that_of_the_installed_tensorflow(
    config: JanusConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.commands.deployment.job.installed_version", {"tensorflow": "2.18.0"}.__getitem__)
    run_deployment_job(config, DeploymentConfig())
    assert service()["image"] == "tensorflow/serving:2.18.1"


def test_a_model_beyond_the_known_releases_is_reported(config: JanusConfig, capsys: pytest.CaptureFixture[str]) -> None:
    push(config.push.path, 17, "2.22.1")
    assert run_deployment_job(config, DeploymentConfig()) == 0
    assert service()["image"] == "tensorflow/serving:2.21.0"
    assert "warning: TensorFlow Serving 2.21.0 is older than TensorFlow 2.22.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("serving", "image"),
    [
        ({}, ("tensorflow/serving", "2.19.1")),
        ({"image_tag": "latest"}, ("tensorflow/serving", "latest")),
        ({"deployment": {"tag": "2.20.0"}}, ("tensorflow/serving", "2.20.0")),
        ({"deployment": {"image": "ours", "tag": "7"}}, ("ours", "7")),
        ({"image_tag": "2.18.1", "deployment": {"image": "ours"}}, ("tensorflow/serving", "2.18.1")),
    ],
)
def test_serve_deployment_and_infra_validator_have_one_image(serving: dict, image: tuple[str, str]) -> None:
    assert small_config(Path(), serving=serving).serving.image("2.19.0") == image


def test_warm_up_requests_must_fit_into_a_batch() -> None:
    def batching(size: int, enabled: bool = True, rows: int = 8) -> dict:
        return {"warmup_rows": rows, "deployment": {"batching": {"enabled": enabled, "max_batch_size": size}}}

    with pytest.raises(ConfigError, match=r"serving: warmup_rows 8 is above deployment\.batching\.max_batch_size 4"):
        small_config(Path(), serving=batching(4))
    for fits in (batching(8), batching(4, enabled=False), batching(4, rows=4)):
        small_config(Path(), serving=fits)


@pytest.mark.parametrize(
    ("given", "path"),
    [("file:///srv/models", "/srv/models"), ("gs://bucket/models", "gs://bucket/models"), ("models", "models")],
)
def test_a_url_of_this_machine_is_a_folder(given: str, path: str) -> None:
    assert small_config(Path(), push={"path": given}).push.path == path


def test_a_damaged_model(config: JanusConfig) -> None:
    push(config.push.path, 17, "2.16.2")
    (Path(config.push.path) / "17" / "saved_model.pb").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"serving/small/17/saved_model\.pb cannot be read.*serving\.deployment\.tag"):
        run_deployment_job(config, DeploymentConfig())
    assert not OUTPUT.exists()


def test_edits_by_hand_are_kept_unless_forced(config: JanusConfig) -> None:
    run_deployment_job(config, PINNED)
    path = OUTPUT / "docker-compose.yml"
    mine = path.read_text(encoding="utf-8") + "# mine\n"
    path.write_text(mine, encoding="utf-8")
    assert run_deployment_job(config, PINNED, check=True) == 2
    changed = PINNED.model_copy(update={"rest_port": 9001})
    with pytest.raises(ConfigError, match=r"docker-compose\.yml was edited by hand.*--force"):
        run_deployment_job(config, changed)
    assert path.read_text(encoding="utf-8") == mine
    assert "8501" in (OUTPUT / "kubernetes.yaml").read_text(encoding="utf-8")
    assert run_deployment_job(config, changed, force=True) == 0
    assert "9001" in path.read_text(encoding="utf-8")


def test_the_canarys_file_goes_when_the_canary_does(config: JanusConfig) -> None:
    labels = {"stable": 17, "canary": 18}
    run_deployment_job(config, DeploymentConfig.model_validate({"tag": "1", "labels": labels, "canary_replicas": 1}))
    assert (OUTPUT / "models-canary.config").exists()
    without = DeploymentConfig.model_validate({"tag": "1", "labels": labels})
    assert run_deployment_job(config, without, check=True) == 2
    run_deployment_job(config, without)
    assert not (OUTPUT / "models-canary.config").exists()


def test_labels_of_absent_versions_are_told(config: JanusConfig, capsys: pytest.CaptureFixture[str]) -> None:
    push(config.push.path, 17, "2.16.2")
    labelled = DeploymentConfig.model_validate({"labels": {"stable": 17, "canary": 18}})
    assert run_deployment_job(config, labelled) == 0
    assert capsys.readouterr().err == (
        "warning: serving.deployment.labels.canary: there is no version 18 in serving/small; a server would wait for "
        "it\n"
    )


def test_a_file_where_the_folder_should_be(config: JanusConfig) -> None:
    Path("deploy").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"deploy/serving cannot be written"):
        run_deployment_job(config, PINNED)


def test_a_version_that_the_server_may_not_read_is_reported(
    config: JanusConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    push(config.push.path, 17, "2.16.2")
    model = Path(config.push.path) / "17" / "saved_model.pb"
    model.chmod(0o640)
    assert run_deployment_job(config, PINNED) == 0
    assert capsys.readouterr().err == (
        "warning: user 1000 (serving.deployment.user_id) cannot read serving/small/17/saved_model.pb: chmod -R a+rX "
        "serving/small\n"
    )
    model.chmod(0o644)
    run_deployment_job(config, PINNED)
    assert capsys.readouterr().err == ""


def test_an_object_store_of_which_the_image_knows_nothing(config: JanusConfig) -> None:
    remote = config.model_copy(update={"push": config.push.model_copy(update={"path": "s3://bucket/small"})})
    with pytest.raises(ConfigError, match="no s3://"):
        run_deployment_job(remote, PINNED)
