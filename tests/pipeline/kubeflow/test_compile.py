"""What is compiled for Kubeflow: the bundle, and KFP's YAML."""

import json
import re
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import kubernetes
from tfx.utils import kube_utils
from typer.testing import CliRunner

from janus_core.errors import ConfigError
from pipeline.cli import app
from pipeline.config.file import parse_config
from pipeline.kubeflow.artifacts import classification_outputs
from pipeline.kubeflow.bundle import Bundle, read_bundle, write_bundle
from pipeline.kubeflow.compile import POD_LABEL, compile_pipeline, edges, step_name
from pipeline.kubeflow.run_node import RunParameters, add_parameters, ir_of_run
from tests.pipeline.kubeflow.harness import cluster_config, kubeflow_raw
from tests.pipeline.small import small_raw
from tests.pipeline.test_dag import SCHEMA

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Compiled:
    folder: Path
    bundle: Bundle
    text: str
    spec: dict[str, Any]
    platform: dict[str, Any]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    folder = tmp_path_factory.mktemp("volume")
    bundle = write_bundle(cluster_config(folder), folder / "bundle")
    text = compile_pipeline(bundle, folder / "pipeline.yaml").read_text()
    spec, platform = yaml.safe_load_all(text)
    return Compiled(folder, bundle, text, spec, platform)


def test_it_is_of_the_version_that_kubeflow_takes_and_of_containers_alone(compiled: Compiled) -> None:
    assert compiled.spec["schemaVersion"] == "2.1.0"
    executors = compiled.spec["deploymentSpec"]["executors"]
    assert all(set(executor) == {"container"} for executor in executors.values())
    assert {executor["container"]["image"] for executor in executors.values()} == {"registry.example/janus:1"}
    assert len(executors) == len(compiled.bundle.ir.nodes) + 1


@pytest.mark.slow
def test_a_run_that_tunes_has_a_step_for_it(tmp_path: Path) -> None:
    space = {"tasks.late.class_weights": {"choices": [None, "balanced"]}, "training.ema": {"min": 0.0, "max": 0.9}}
    tune = {"use": True, "workers": 2, "minutes": 30, "space": space}
    config = parse_config(small_raw(tmp_path, kubeflow=kubeflow_raw(tmp_path), tune=tune))
    bundle = write_bundle(config, tmp_path / "bundle")
    assert read_bundle(tmp_path / "bundle").config.tune == config.tune
    assert edges(bundle.ir)["Tuner"] == ["Transform"]
    assert "Tuner" in edges(bundle.ir)["Trainer"]
    spec = yaml.safe_load_all(compile_pipeline(bundle, tmp_path / "pipeline.yaml").read_text())
    tasks = next(spec)["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    assert tasks["tuner"]["dependentTasks"] == ["transform"]


def test_the_tasks_depend_on_each_other_as_the_nodes_do(compiled: Compiled) -> None:
    tasks = compiled.spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    found = {name: sorted(task.get("dependentTasks", [])) for name, task in tasks.items()}
    wanted = {step_name(node): sorted(map(step_name, upstream)) for node, upstream in edges(compiled.bundle.ir).items()}
    assert found == wanted
    assert found["pusher"] == ["evaluator", "serving-check", "trainer"]
    last = compiled.spec["root"]["dag"]["tasks"]["report"]
    assert last["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    assert last["dependentTasks"] == ["exit-handler-1"]


def test_nothing_is_cached_by_kubeflow(compiled: Compiled) -> None:
    tasks = compiled.spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    assert all(not task["cachingOptions"].get("enableCache") for task in tasks.values())


def test_each_task_runs_its_node_under_kubeflows_run_id(compiled: Compiled) -> None:
    container = compiled.spec["deploymentSpec"]["executors"]["exec-example-gen"]["container"]
    assert container["command"] == ["python", "-m", "pipeline.kubeflow.run_node"]
    assert "--node-id=ExampleGen" in container["args"]
    assert "--run-id={{$.inputs.parameters['run_id']}}" in container["args"]
    assert f"--digest={compiled.bundle.digest}" in container["args"]
    assert "--data-path={{$.inputs.parameters['data_path']}}" in container["args"]
    inputs = compiled.spec["root"]["inputDefinitions"]["parameters"]
    assert set(inputs) == {"data_path", "epochs", "span"}


def test_the_run_id_is_an_input_of_each_task_where_kubeflow_fills_it_in(compiled: Compiled) -> None:
    """Only a task's input that is exactly the placeholder (KFP 2.16 and 2.17: backend/src/v2/driver/resolve.go)."""
    tasks = dict(compiled.spec["components"]["comp-exit-handler-1"]["dag"]["tasks"])
    tasks["report"] = compiled.spec["root"]["dag"]["tasks"]["report"]
    assert len(tasks) == len(compiled.bundle.ir.nodes) + 1
    given = {json.dumps(task["inputs"]["parameters"]["run_id"]) for task in tasks.values()}
    assert given == {json.dumps({"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}})}


def test_no_container_holds_what_only_the_driver_fills_in(compiled: Compiled) -> None:
    """KFP's launcher knows inputs and outputs alone (backend/src/v2/component/launcher_v2.go, getPlaceholders)."""
    for executor in compiled.spec["deploymentSpec"]["executors"].values():
        container = executor["container"]
        texts = [*container["command"], *container["args"], json.dumps(container.get("env", []))]
        assert not [text for text in texts if "{{$.pipeline_" in text]


def test_the_report_declares_what_kubeflows_pages_show(compiled: Compiled) -> None:
    component = compiled.spec["components"]["comp-report"]
    kinds = {name: a["artifactType"]["schemaTitle"] for name, a in component["outputDefinitions"]["artifacts"].items()}
    assert {"metrics", "html_report", "model_card", "pushed_model"} <= set(kinds)
    assert kinds["metrics"] == "system.Metrics"
    assert kinds["html_report"] == "system.HTML"
    assert kinds["model_card"] == "system.Markdown"
    assert kinds["pushed_model"] == "system.Model"
    curves = {name for name, kind in kinds.items() if kind == "system.ClassificationMetrics"}
    assert curves == set(classification_outputs(compiled.bundle.config))
    assert curves
    args = compiled.spec["deploymentSpec"]["executors"]["exec-report"]["container"]["args"]
    assert args[args.index("--executor-input") + 1] == "{{$}}"


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """KFP's specification and platform of a pipeline with retries and a private image."""
    folder = tmp_path_factory.mktemp("configured")
    trainer = {
        "retries": 1,
        "timeout_seconds": 7200,
        "node_selector": {"disk": "ssd", "pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "annotations": {"sidecar.istio.io/inject": "false"},
    }
    steps = {"default": {"retries": 2, "annotations": {"team": "mtl"}}, "Trainer": trainer}
    options = {
        "image_pull_policy": "Always",
        "image_pull_secrets": ["registry"],
        "node_selector": {"pool": "cpu"},
        "tolerations": [{"key": "spot", "value": "true"}],
        "annotations": {"owner": "us"},
    }
    bundle = write_bundle(cluster_config(folder, steps=steps, retry_backoff_seconds=60, **options), folder / "bundle")
    spec, platform = yaml.safe_load_all(compile_pipeline(bundle, folder / "pipeline.yaml").read_text())
    return spec, platform


def test_how_the_image_is_fetched(configured: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for pod in configured[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        assert pod["imagePullPolicy"] == "Always"
        assert [secret["secretName"] for secret in pod["imagePullSecret"]] == ["registry"]
        if hasattr(kubernetes, "set_security_context"):
            assert pod["securityContext"]["runAsUser"] in (1000, "1000")


def test_where_a_steps_pods_run_adds_to_where_all_do(configured: tuple[dict[str, Any], dict[str, Any]]) -> None:
    executors = configured[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    trainer, other = executors["exec-trainer"], executors["exec-transform"]
    assert trainer["nodeSelector"]["labels"] == {"disk": "ssd", "pool": "gpu"}
    assert other["nodeSelector"]["labels"] == {"pool": "cpu"}
    assert [toleration["key"] for toleration in trainer["tolerations"]] == ["spot", "gpu"]
    assert [toleration["key"] for toleration in other["tolerations"]] == ["spot"]
    assert trainer["podMetadata"]["annotations"] == {"owner": "us", "sidecar.istio.io/inject": "false"}
    assert other["podMetadata"]["annotations"] == {"owner": "us", "team": "mtl"}


def test_the_time_for_retries_holds_all_attempts(configured: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Argo counts `maxDuration` from the first attempt on, and makes it the deadline of each further one."""
    spec, _ = configured
    tasks = spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    assert tasks["trainer"]["retryPolicy"]["backoffMaxDuration"] == f"{2 * 7200 + 60}s"
    week = 7 * 24 * 3600
    assert tasks["transform"]["retryPolicy"]["backoffMaxDuration"] == f"{3 * week + 60 + 120}s"
    trainer = spec["deploymentSpec"]["executors"]["exec-trainer"]["container"]["args"]
    assert {"--retries=1", "--retry-backoff-seconds=60"} <= set(trainer)
    # Written once, it is written: KFP uploads a step's artifacts only if the step ends with 0.
    assert "retryPolicy" not in spec["root"]["dag"]["tasks"]["report"]


def test_a_bundle_fits_into_a_config_map(tmp_path: Path) -> None:
    schema = tmp_path / "schema.pbtxt"
    schema.write_text(SCHEMA)
    raw = small_raw(tmp_path, kubeflow=kubeflow_raw(tmp_path), schema=str(schema))
    bundle = write_bundle(parse_config(raw), tmp_path / "bundle")
    files = sorted((tmp_path / "bundle").rglob("*"))
    assert all(path.is_file() and re.fullmatch(r"[-._a-zA-Z0-9]+", path.name) for path in files)
    (copy,) = (path for path in files if path.suffix == ".pbtxt")
    assert read_bundle(tmp_path / "bundle").config.schema_ == str(copy)
    (node,) = (n.pipeline_node for n in bundle.ir.nodes if n.pipeline_node.node_info.id == "ImportSchemaGen")
    assert node.parameters.parameters["schema_file"].field_value.string_value == str(copy)


def test_what_the_configuration_says_of_the_steps(compiled: Compiled) -> None:
    executors = compiled.spec["deploymentSpec"]["executors"]
    trainer, other = (executors[f"exec-{name}"]["container"]["resources"] for name in ("trainer", "transform"))
    assert (trainer["resourceCpuLimit"], other["resourceCpuLimit"]) == ("4", "1")
    assert trainer["resourceMemoryLimit"] == other["resourceMemoryLimit"] == "2Gi"
    tasks = compiled.spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    assert tasks["transform"]["retryPolicy"] == {
        "maxRetryCount": 2,
        "backoffDuration": "30s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "1814490s",
    }
    assert "retryPolicy" not in tasks["trainer"]
    pod = compiled.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-trainer"]
    assert pod["pvcMount"][0]["mountPath"] == str(compiled.folder)
    assert pod["nodeSelector"]["labels"] == {"pool": "batch"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
    secret = pod["secretAsEnv"][0]
    assert secret["keyToEnv"][0]["envVar"] == "JANUS_MLMD_PASSWORD"


def test_all_pods_bear_the_label_that_the_network_policy_asks_for(compiled: Compiled) -> None:
    pods = compiled.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert len(pods) == len(compiled.bundle.ir.nodes) + 1
    assert all(pod["podMetadata"]["labels"] == dict([POD_LABEL]) for pod in pods.values())


@pytest.mark.slow
def test_infra_validator_is_told_its_own_pod(compiled: Compiled, tmp_path: Path) -> None:
    """TFX refuses to start TF Serving's pod without both variables."""
    pods = compiled.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert not any("fieldPathAsEnv" in pod for pod in pods.values())
    raw = small_raw(tmp_path, kubeflow=kubeflow_raw(tmp_path), serving={"infra_validator": "kubernetes"})
    bundle = write_bundle(parse_config(raw), tmp_path / "bundle")
    _, platform = yaml.safe_load_all(compile_pipeline(bundle, tmp_path / "pipeline.yaml").read_text())
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert {name for name, pod in pods.items() if "fieldPathAsEnv" in pod} == {"exec-serving-check"}
    found = {env["name"]: env["fieldPath"] for env in pods["exec-serving-check"]["fieldPathAsEnv"]}
    assert found == {kube_utils.KFP_POD_NAME: "metadata.name", kube_utils.KFP_NAMESPACE: "metadata.namespace"}


@pytest.mark.slow
def test_the_same_configuration_gives_the_same_bytes(compiled: Compiled, tmp_path: Path) -> None:
    again = write_bundle(cluster_config(compiled.folder), tmp_path / "bundle")
    assert again.digest == compiled.bundle.digest
    assert compile_pipeline(again, tmp_path / "pipeline.yaml").read_text() == compiled.text


def test_no_folder_of_this_machine_but_the_volume_stands_in_it(compiled: Compiled) -> None:
    text = (compiled.folder / "bundle/ir.json").read_text() + compiled.text
    text = text.replace(str(compiled.folder), "")
    for place in (str(Path(__file__).parents[3]), str(Path.home()) + "/", str(compiled.folder.parent)):
        assert place not in text


def test_a_bundle_that_is_not_the_compiled_one_is_refused(compiled: Compiled, tmp_path: Path) -> None:
    assert read_bundle(compiled.folder / "bundle", compiled.bundle.digest).config == compiled.bundle.config
    with pytest.raises(ConfigError, match="the configuration changed since"):
        read_bundle(compiled.folder / "bundle", "0" * 64)
    with pytest.raises(ConfigError, match="is missing: build the bundle into the image"):
        read_bundle(tmp_path)
    for name in ("ir.json", "config.json"):
        (tmp_path / name).write_text("{")
    with pytest.raises(ConfigError, match="is damaged: compile it again"):
        read_bundle(tmp_path)


def test_keys_that_a_run_may_set_are_inputs(tmp_path: Path) -> None:
    bundle = write_bundle(cluster_config(tmp_path, parameters=["training.learning_rate"]), tmp_path / "bundle")
    spec, _ = yaml.safe_load_all(compile_pipeline(bundle, tmp_path / "pipeline.yaml").read_text())
    inputs = spec["root"]["inputDefinitions"]["parameters"]
    assert set(inputs) == {"data_path", "epochs", "span", "training_learning_rate"}
    assert inputs["training_learning_rate"]["defaultValue"] == ""
    executors = spec["deploymentSpec"]["executors"]
    wanted = "--set=training.learning_rate={{$.inputs.parameters['training_learning_rate']}}"
    assert all(wanted in executor["container"]["args"] for executor in executors.values())

    assert ir_of_run(bundle, RunParameters(settings=("training.learning_rate=0.001",))) is bundle.ir
    changed = ir_of_run(bundle, RunParameters(settings=("training.learning_rate=0.5",)))
    assert '"learning_rate":0.5' in str(changed).replace("\\", "")
    with pytest.raises(ConfigError, match="has other steps: compile it with these"):
        ir_of_run(bundle, RunParameters(settings=("training.warm_start=true",)))


def test_an_input_that_is_empty_leaves_the_compiled_value() -> None:
    parser = ArgumentParser()
    add_parameters(parser)
    given = ["--data-path=", "--span=-1", "--epochs=3", "--set=training.learning_rate=", "--set=tasks.delay.loss=mae"]
    assert RunParameters.of(parser.parse_args(given)) == RunParameters(epochs=3, settings=("tasks.delay.loss=mae",))
    assert RunParameters.of(parser.parse_args([])) == RunParameters()


def test_parameters_of_a_run_change_their_nodes(compiled: Compiled) -> None:
    bundle = read_bundle(compiled.folder / "bundle")
    same = RunParameters(data_path=bundle.config.data.path, epochs=bundle.config.training.epochs)
    assert ir_of_run(bundle, same) is bundle.ir
    changed = ir_of_run(bundle, RunParameters(data_path=f"{compiled.folder}/other", epochs=7))
    nodes = {node.pipeline_node.node_info.id: str(node.pipeline_node.parameters) for node in changed.nodes}
    before = {node.pipeline_node.node_info.id: str(node.pipeline_node.parameters) for node in bundle.ir.nodes}
    assert {node for node in nodes if nodes[node] != before[node]} == {"ExampleGen", "Trainer"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pipeline_root": "minio://bucket/root"}, "only Kubeflow's own launcher can read"),
        ({"pipeline_root": "runs/root"}, "is relative"),
        ({"metadata": "mysql://janus:word@db:3306/metadata"}, "from a secret, not in the configuration"),
        ({"metadata": "postgres://db"}, "is none of mysql://"),
        ({"volumes": []}, "is in no mounted volume"),
        ({"steps": {"default": {"memory": "lots"}}}, "kubeflow.steps.default.memory"),
        (
            {"steps": {"Tranier": {"cpu": "4"}}},
            "there is no step 'Tranier'. Did you mean 'Trainer'? Steps are default, ",
        ),
        ({"steps": {"trainer": {"cpu": "4"}}}, "Did you mean 'Trainer'?"),
        ({"parameters": ["training.learning_rat"]}, "unknown key. Did you mean 'training.learning_rate'?"),
        ({"parameters": ["data.path"]}, "a run leaves the data and the steps as they are; it may set model, training"),
        ({"parameters": ["training.warm_start"]}, "a run cannot set this key: it decides which steps there are"),
        ({"parameters": ["tasks.dely.loss"]}, "there is no 'dely' in tasks; there are late, delay"),
        ({"parameters": ["seed", "seed"]}, "its input would have the name of that of seed"),
        ({"image": None}, "kubeflow.image"),
        ({"image_pull_policy": "Sometimes"}, "kubeflow.image_pull_policy"),
        ({"volumes": [{"claim": "a.b", "path": "/"}]}, "kubeflow.volumes.0.claim"),
        ({"bundle_config_map": "janus-data"}, "'janus-data' names two of volumes and bundle_config_map"),
    ],
)
def test_a_section_that_cannot_work_is_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        cluster_config(tmp_path, **changed)


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    raw = small_raw(tmp_path, kubeflow=kubeflow_raw(tmp_path))
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(raw))
    output = tmp_path / "out/p.yaml"
    done = CliRunner().invoke(app, ["kubeflow", "compile", str(tmp_path / "small.yaml"), "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert output.exists()
    assert (tmp_path / "out/bundle/ir.json").exists()
    del raw["kubeflow"]
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(raw))
    done = CliRunner().invoke(app, ["kubeflow", "compile", str(tmp_path / "plain.yaml"), "--output", str(output)])
    assert done.exit_code == 2
    assert "has no `kubeflow` section" in done.output
