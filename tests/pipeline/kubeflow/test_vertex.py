"""What is compiled for Vertex AI."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from janus_core.errors import ConfigError
from pipeline.cli import app
from pipeline.kubeflow.bundle import in_cluster
from pipeline.kubeflow.vertex import check_for_vertex
from tests.pipeline.kubeflow.harness import kubeflow_raw
from tests.pipeline.small import small_raw

PLACES = {"pipeline_root": "gs://bucket/root", "data_path": "gs://bucket/data", "push_path": "gs://bucket/serving"}


def _written(folder: Path, **changed: Any) -> Path:
    raw = small_raw(folder, kubeflow=kubeflow_raw(folder, **PLACES), **changed)
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_the_command_says_that_it_is_for_vertex_ai_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "vertex.yaml"
    arguments = ["kubeflow", "compile", str(_written(tmp_path)), "--target", "vertex", "--output", str(output)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "vertex.yaml: 13 tasks, for Vertex AI only" in capfd.readouterr().out
    text = output.read_text()
    assert text.startswith("# Vertex AI only. Open-source Kubeflow Pipelines cannot run this file")
    spec = yaml.safe_load(text)
    assert (spec["schemaVersion"], spec["defaultPipelineRoot"]) == ("2.1.0", "gs://bucket/root")
    assert spec["pipelineInfo"]["name"] == "small"
    tasks = spec["root"]["dag"]["tasks"]
    # TFX makes two of the Resolver.
    assert set(tasks) == {
        "ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "AnomalyGate", "Transform", "Baselines",
        "Trainer", "Resolver-model-blessing-resolver", "Resolver-model-resolver", "Evaluator", "ServingCheck", "Pusher",
    }  # fmt: skip
    baseline = tasks["Evaluator"]["inputs"]["artifacts"]["baseline_model"]["taskOutputArtifact"]
    assert baseline["producerTask"] == "Resolver-model-resolver"
    assert sorted(tasks["Pusher"]["dependentTasks"]) == ["Evaluator", "ServingCheck", "Trainer"]
    executors = spec["deploymentSpec"]["executors"]
    containers = [executor["container"] for executor in executors.values() if "container" in executor]
    assert {container["image"] for container in containers} == {"registry.example/janus:1"}
    pusher = " ".join(executors["Pusher_executor"]["container"]["args"])
    assert "tfx.components.pusher.executor.Executor" in pusher


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"training": {"epochs": 1, "warm_start": True}}, "training.warm_start needs a resolver of Janus's own"),
        ({"data": {"path": "gs://bucket/{SPAN}", "window": 2}}, "data.window needs a resolver of Janus's own"),
        ({"serving": {"infra_validator": "docker"}}, "serving.infra_validator 'docker' needs TFX's InfraValidator"),
    ],
)
def test_what_vertex_ai_cannot_do_is_told(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    from pipeline.config.file import load_config

    config = load_config(_written(tmp_path, **changed), [])
    with pytest.raises(ConfigError, match="cannot be compiled for Vertex AI") as error:
        check_for_vertex(in_cluster(config))
    assert words in str(error.value)


def test_all_places_that_are_not_in_cloud_storage_are_told_at_once(tmp_path: Path) -> None:
    from pipeline.config.file import parse_config

    config = parse_config(small_raw(tmp_path, kubeflow=kubeflow_raw(tmp_path)))
    with pytest.raises(ConfigError) as error:
        check_for_vertex(in_cluster(config))
    assert str(error.value).count("is not in Google Cloud Storage") == 3
