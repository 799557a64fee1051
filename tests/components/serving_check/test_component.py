"""The nodes in TFX's intermediate representation."""

from pathlib import Path
from typing import Any, Literal

import pytest
from google.protobuf import json_format
from tfx.components.infra_validator.executor import Executor as StockExecutor
from tfx.dsl.compiler.compiler import Compiler
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import infra_validator_pb2
from tfx.types import standard_artifacts

from components.pusher.checked import checked_files
from components.serving_check.component import ServingCheck
from components.serving_check.config import CheckConfig
from components.serving_check.infra_validator import RecordingInfraValidator, infra_validator
from janus_core.manifest import manifest_of
from tests.components.examples import artifact_at


def importers() -> tuple[Importer, Importer]:
    return (
        Importer("model", standard_artifacts.Model).with_id("Model"),
        Importer("examples", standard_artifacts.Examples).with_id("Examples"),
    )


def compiled(node: BaseNode, *others: BaseNode) -> Any:
    """The node in the IR of a pipeline."""
    pipeline = Compiler().compile(Pipeline("p", pipeline_root="root", components=[*others, node]))
    (found,) = [one.pipeline_node for one in pipeline.nodes if one.pipeline_node.node_info.id == node.id]
    assert set(found.inputs.inputs) == {"examples", "model"} | ({"statistics"} & set(node.inputs))
    assert list(found.outputs.outputs) == ["blessing"]
    assert found.outputs.outputs["blessing"].artifact_spec.type.name == "InfraBlessing"
    return found


def test_the_check() -> None:
    model, examples = importers()
    config = CheckConfig(check_rows=3, size_limit_mb=5)
    statistics = Importer("statistics", standard_artifacts.ExampleStatistics).with_id("Statistics")
    inputs = {"model": model, "examples": examples, "statistics": statistics}
    check = ServingCheck(**{name: node.outputs["result"] for name, node in inputs.items()}, config=config)
    parameters = compiled(check, *inputs.values()).parameters.parameters
    assert CheckConfig.model_validate_json(parameters["config"].field_value.string_value) == config
    assert parameters["code"].field_value.string_value


@pytest.mark.parametrize(("kind", "platform"), [("docker", "local_docker"), ("kubernetes", "kubernetes")])
def test_infra_validator(kind: Literal["docker", "kubernetes"], platform: str) -> None:
    model, examples = importers()
    node = infra_validator(model.outputs["result"], examples.outputs["result"], kind, "2.16.1", 4, 99.5)
    parameters = compiled(node, model, examples).parameters.parameters

    def spec(name: str, message: Any) -> Any:
        return json_format.Parse(parameters[name].field_value.string_value, message)

    serving = spec("serving_spec", infra_validator_pb2.ServingSpec())
    assert serving.WhichOneof("serving_platform") == platform
    assert (serving.tensorflow_serving.image_name, *serving.tensorflow_serving.tags) == ("tensorflow/serving", "2.16.1")
    assert spec("validation_spec", infra_validator_pb2.ValidationSpec()).max_loading_time_seconds == 100
    request = spec("request_spec", infra_validator_pb2.RequestSpec())
    assert list(request.tensorflow_serving.signature_names) == ["serving_default"]
    assert (request.split_name, request.num_examples, request.make_warmup) == ("eval", 4, True)


@pytest.mark.parametrize("stamped", [True, False])
def test_infra_validator_records_which_files_may_be_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamped: bool
) -> None:
    artifact = artifact_at(standard_artifacts.Model, tmp_path / "model")
    blessing = artifact_at(standard_artifacts.InfraBlessing, tmp_path / "blessing")
    model, copy = tmp_path / "model" / "Format-Serving", tmp_path / "blessing" / "stamped_model"
    for folder in (model, copy):
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_text("a model")
    (copy / "warmup").touch()

    def validate(_self: Any, _inputs: Any, outputs: Any, _properties: Any) -> None:
        outputs["blessing"][0].set_int_custom_property("blessed", 1)
        outputs["blessing"][0].set_int_custom_property("has_model", int(stamped))

    monkeypatch.setattr(StockExecutor, "Do", validate)
    RecordingInfraValidator.EXECUTOR_SPEC.executor_class().Do({"model": [artifact]}, {"blessing": [blessing]}, {})
    assert checked_files({"infra_blessing": [blessing]}) == manifest_of(copy if stamped else model)


def test_infra_validator_without_warmup() -> None:
    model, examples = importers()
    digest = "sha256:" + "a" * 64
    node = infra_validator(model.outputs["result"], examples.outputs["result"], "docker", digest, rows=0, image="ours")
    serving = json_format.Parse(node.exec_properties["serving_spec"], infra_validator_pb2.ServingSpec())
    image = serving.tensorflow_serving
    assert (image.image_name, list(image.tags), list(image.digests)) == ("ours", [], [digest])
    request = infra_validator_pb2.RequestSpec()
    json_format.Parse(node.exec_properties["request_spec"], request)
    assert (request.num_examples, request.make_warmup) == (1, False)


def test_infra_validator_without_warmup_requests() -> None:
    model, examples = importers()
    node = infra_validator(model.outputs["result"], examples.outputs["result"], "docker", "2.16.1", warmup=False)
    request = compiled(node, model, examples).parameters.parameters["request_spec"].field_value.string_value
    assert not json_format.Parse(request, infra_validator_pb2.RequestSpec()).make_warmup
