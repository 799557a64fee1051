"""What is sent, and the commands, from a configuration to the server."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from janus_core.errors import ConfigError
from pipeline.cli import app
from pipeline.config import JanusConfig
from pipeline.kubeflow.bundle import required, unpinned_note
from pipeline.kubeflow.submission import bundle_notes, parameters_of, pipeline_name
from tests.pipeline.kubeflow.harness import cluster_config, kubeflow_raw
from tests.pipeline.kubeflow.kfp_server import State, running
from tests.pipeline.small import small_raw


@pytest.fixture(scope="module")
def config() -> JanusConfig:
    return cluster_config(Path("/mnt"), parameters=["training.learning_rate", "tasks.delay.loss"])


def test_parameters_are_of_the_pipelines_inputs(config: JanusConfig) -> None:
    texts = ["data_path=gs://b/a=b", "epochs=5", "span=0", "training.learning_rate=2e-3", "tasks.delay.loss=mae"]
    assert parameters_of(texts, config) == {
        "data_path": "gs://b/a=b",
        "epochs": 5,
        "span": 0,
        "training_learning_rate": "2e-3",
        "tasks_delay_loss": "mae",
    }


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["epochs"], "--param 'epochs' is not NAME=VALUE"),
        (["=5"], "is not NAME=VALUE"),
        (["epochs=5", "epochs=6"], "--param epochs is given twice"),
        (
            ["training.batch_size=5"],
            "--param training.batch_size: the pipeline has no such input; it has data_path, epochs, span, "
            "training.learning_rate, tasks.delay.loss. A key of the configuration must be in kubeflow.parameters",
        ),
        (["training.learning_rat=5"], "Did you mean 'training.learning_rate'?"),
        (["training.learning_rate=-1"], "training.learning_rate: expected greater than 0, got -1"),
        (["tasks.delay.loss=mea"], "tasks.delay.loss: expected 'mse', 'mae'"),
        (["epochs=0"], "--param epochs: '0' is no whole number from 1 on"),
        (["epochs=5.0"], "--param epochs: '5.0' is no whole number"),
        (["span=-1"], "--param span: '-1' is no whole number from 0 on"),
        (["data_path=data"], "--param data_path: 'data' is relative"),
    ],
)
def test_parameters_that_are_none(config: JanusConfig, texts: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        parameters_of(texts, config)
    assert words in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "data_path=s3://key:hunter2@bucket/orders",
        "data_path=https://a.blob.core.windows.net/c/x.csv?sv=2024&sig=hunter2",
        "s3://key:hunter2@bucket/orders",
        "password=hunter2",
    ],
)
def test_a_parameter_that_holds_a_secret_is_refused_and_not_repeated(config: JanusConfig, text: str) -> None:
    with pytest.raises(ConfigError, match="^--param.*; let kubeflow.secrets set") as error:
        parameters_of([text], config)
    assert "hunter2" not in str(error.value)


def test_an_image_without_a_digest_is_named(tmp_path: Path) -> None:
    kubeflow = required(cluster_config(tmp_path))
    assert "registry.example/janus:1 (kubeflow.image) is named without a digest" in (unpinned_note(kubeflow) or "")
    pinned = cluster_config(tmp_path, image=f"registry.example/janus:1@sha256:{'0' * 64}")
    assert unpinned_note(required(pinned)) is None


def test_names_that_kfp_rejects_are_rejected_before(tmp_path: Path) -> None:
    config = cluster_config(tmp_path)
    assert pipeline_name(config.model_copy(update={"name": "FlightsOf_2013"})) == "flights-of-2013"
    for name in ("small_", "a" * 111):
        with pytest.raises(ConfigError, match="Kubeflow Pipelines takes no pipeline named"):
            pipeline_name(config.model_copy(update={"name": name}))
    for changed, words in (
        ({"experiment": "e" * 129}, "kubeflow.experiment: give a name of at most 128"),
        ({"namespace": "My Team"}, "kubeflow.namespace: 'My Team' is no name in Kubernetes"),
        ({"service_account": "Trains!"}, "kubeflow.service_account: 'Trains!' is no name"),
    ):
        with pytest.raises(ConfigError) as error:
            pipeline_name(cluster_config(tmp_path, **changed))
        assert words in str(error.value)


def test_a_bundle_that_is_missing_or_another_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = cluster_config(tmp_path)
    first, second = bundle_notes(config, "0" * 64)
    assert (
        first
        == f"the image registry.example/janus:1 must hold the bundle with the digest {'0' * 12} as {tmp_path}/bundle"
    )
    assert "there is no bundle in deploy/kubeflow/small/bundle" in second
    folder = tmp_path / "deploy/kubeflow/small/bundle"
    folder.mkdir(parents=True)
    for name in ("ir.json", "config.json"):
        (folder / name).write_text("{}")
    assert "an image built with it refuses to run this" in bundle_notes(config, "0" * 64)[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    section = kubeflow_raw(folder, namespace="team", cron="30 3 * * *", pipeline_root="gs://bucket/root")
    (folder / "small.yaml").write_text(yaml.safe_dump(small_raw(folder, kubeflow=section)))
    return folder


def janus(folder: Path, *arguments: str, token: str | None = None) -> Result:
    command, *options = arguments
    environment = {"JANUS_KFP_TOKEN": token}
    return CliRunner().invoke(app, ["kubeflow", command, str(folder / "small.yaml"), *options], env=environment)


@pytest.mark.slow
def test_from_the_first_run_to_the_end_of_the_schedule(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with running(State(multi_user=True, token="word")) as kfp:
        host = ("--host", kfp.host)
        for arguments in (("submit", "--param", "epochs=3"), ("schedule",), ("schedule",)):
            done = janus(folder, *arguments, *host, token="word")
            assert done.exit_code == 0, done.output
            assert "word" not in done.output
        assert "nothing changed: already scheduled" in done.output
        assert "must hold the bundle with the digest" in done.output
        assert len(kfp.pipelines) == len(kfp.versions) == len(kfp.experiments) == 1
        version = kfp.only("versions")
        assert version["pipeline_spec"]["pipelineInfo"]["name"] == "small"
        run, recurring = kfp.only("runs"), kfp.only("recurring_runs")
        assert run["runtime_config"] == {"parameters": {"epochs": 3}, "pipeline_root": "gs://bucket/root"}
        assert run["service_account"] == recurring["service_account"] == "default-editor"
        assert recurring["trigger"] == {"cron_schedule": {"cron": "0 30 3 * * *"}}
        assert (recurring["no_catchup"], recurring["max_concurrency"]) == (True, "1")
        assert recurring["pipeline_version_reference"]["pipeline_version_id"] == version["pipeline_version_id"]

        done = janus(folder, "schedule", *host, "--cron", "0 0 4 * * *", "--set", "training.epochs=2", token="word")
        assert done.exit_code == 0, done.output
        assert len(kfp.versions) == 2
        assert kfp.only("recurring_runs")["trigger"] == {"cron_schedule": {"cron": "0 0 4 * * *"}}

        done = janus(folder, "status", *host, "--json", token="word")
        assert done.exit_code == 0, done.output
        state: dict[str, Any] = json.loads(done.stdout)
        assert [planned["cron"] for planned in state["schedules"]] == ["0 0 4 * * *"]
        assert [known["run_id"] for known in state["runs"]] == list(kfp.runs)
        assert "scheduled '0 0 4 * * *'" in janus(folder, "status", *host, token="word").output

        done = janus(folder, "unschedule", *host, "--dry-run", token="word")
        assert json.loads(done.stdout)["delete"] == list(kfp.recurring_runs)
        assert janus(folder, "unschedule", *host, token="word").exit_code == 0
        assert not kfp.recurring_runs
        done = janus(folder, "unschedule", *host, token="word")
        assert done.exit_code == 0
        assert "is not scheduled: there is nothing to delete" in done.output

        done = janus(folder, "submit", *host, token="other")
        assert done.exit_code == 1
        assert "does not know who asks (401)" in done.output


@pytest.mark.slow
def test_a_dry_run_sends_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with running(State()) as kfp:
        done = janus(folder, "schedule", "--host", kfp.host, "--dry-run")
        assert done.exit_code == 0, done.output
        request = json.loads(done.stdout)
        assert request["recurring_run"]["trigger"] == {"cron_schedule": {"cron": "0 30 3 * * *"}}
        assert request["recurring_run"]["pipeline_version_reference"]["pipeline_version_id"].startswith(
            "<id of version"
        )
        assert request["bundle_digest"][:12] in done.stderr
        done = janus(folder, "submit", "--host", kfp.host, "--dry-run")
        assert json.loads(done.stdout)["run"]["experiment_id"] == "<id of experiment janus>"
        assert not kfp.requests


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("submit",), "give --host URL, or --kube-context NAME"),
        (("submit", "--host", "kubeflow.example"), "has no scheme"),
        (("schedule", "--host", "http://127.0.0.1:1", "--cron", "30 25 * * *"), "hour: '25' is not in 0-23"),
        (("schedule", "--host", "http://127.0.0.1:1", "--set", "kubeflow.cron=null"), "when? Give --cron"),
    ],
)
def test_bad_usage_ends_with_2(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    done = janus(folder, *arguments)
    assert done.exit_code == 2
    assert words in done.output
