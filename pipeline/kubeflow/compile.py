"""Compiles a pipeline for open-source Kubeflow Pipelines v2: KFP's IR YAML, a container task per node of TFX's IR."""

import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from janus_core.files import replacing
from pipeline.config import JanusConfig
from pipeline.config.kubeflow import REPORT_STEP, KubeflowConfig, StepConfig
from pipeline.config.parameters import input_name
from pipeline.kubeflow.artifacts import CARD, METRICS, MODEL, PAGE, classification_outputs
from pipeline.kubeflow.bundle import IR_FILE, Bundle, required
from pipeline.kubeflow.metadata import VARIABLE
from pipeline.kubeflow.step import BACKOFF_FACTOR

POD_LABEL = ("app.kubernetes.io/component", "janus-step")
"""A label of the pods of all steps, by which a network policy selects them."""

USER = 1000
"""The image's user and group (deploy/Dockerfile)."""

UNLIMITED_SECONDS = 7 * 24 * 3600
"""The assumed time-out of a step that has none."""

NO_SPAN = -1
"""The value of the pipeline's input `span` that means the newest span."""


def compile_pipeline(bundle: Bundle, output: Path) -> Path:
    """Writes the YAML, whole or not at all; the same bundle gives the same bytes.

    Each node of TFX's pipeline becomes a task that runs `run_node`, after the tasks of the nodes before it; a
    last task writes the run's report, also when another task failed. TFX caches by itself, so KFP's caching is off. The
    run id is KFP's, the same in every task and retry. It is an input of each task: KFP's driver replaces the
    placeholder only where it is the whole input of a task (backend/src/v2/driver/resolve.go); KFP's launcher does not
    replace it in a container's arguments (backend/src/v2/component/launcher_v2.go, getPlaceholders).
    """
    from kfp import compiler

    with replacing(output) as staging:
        compiler.Compiler().compile(_pipeline(bundle), str(staging))
        _set_time_for_retries(staging, bundle)
    return output


def step_name(node_id: str) -> str:
    """A node's id as KFP names tasks: lower case, words with hyphens."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", node_id).lower()


def kfp_name(config: JanusConfig) -> str:
    """The pipeline's name as KFP and Vertex AI write names: small letters, digits and hyphens."""
    return step_name(config.name).replace("_", "-")


def edges(ir: Any) -> dict[str, list[str]]:
    """Each node of TFX's pipeline → the nodes that it waits for."""
    nodes = [node.pipeline_node for node in ir.nodes]
    return {node.node_info.id: sorted(node.upstream_nodes) for node in nodes}


def _pipeline(bundle: Bundle) -> Any:
    from kfp import dsl

    config = bundle.config
    kubeflow = required(config)
    graph, inputs = edges(bundle.ir), _inputs(config)

    def pipeline(*values: Any) -> None:
        given = {"run_id": dsl.PIPELINE_JOB_ID_PLACEHOLDER, **dict(zip(inputs, values, strict=True))}
        report = _configure(_report_component(config, bundle.digest)(**given), REPORT_STEP, kubeflow)
        with dsl.ExitHandler(report, name="run"):
            tasks: dict[str, Any] = {}
            for node, upstream in graph.items():
                task = _component(config, bundle.digest, node)(**given)
                task.after(*(tasks[earlier] for earlier in upstream))
                tasks[node] = _configure(task, node, kubeflow)
                if node == "ServingCheck" and config.serving.infra_validator == "kubernetes":
                    _pass_own_pod(task)

    pipeline.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [_parameter(name, type(default), default) for name, default in inputs.items()]
    )
    return dsl.pipeline(pipeline, name=kfp_name(config), description=f"Janus pipeline {config.name}")


def _inputs(config: JanusConfig) -> dict[str, str | int]:
    """The pipeline's inputs, which are also those of each step beside the run's id, with their defaults.

    A key of `kubeflow.parameters` has the empty default, which leaves it as it was compiled.
    """
    keys = {input_name(key): "" for key in required(config).parameters}
    return {"data_path": config.data.path, "span": NO_SPAN, "epochs": config.training.epochs, **keys}


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation, default=default)


def _input_parameters(config: JanusConfig) -> list[inspect.Parameter]:
    """The inputs of a step, as KFP reads them from a function's signature."""
    return [_parameter("run_id", str), *(_parameter(name, type(value)) for name, value in _inputs(config).items())]


def _input_arguments(config: JanusConfig, run_id: str, data_path: str, span: str, epochs: str, *keys: str) -> list[str]:
    """The arguments that pass the inputs, whose values KFP fills in, on to `run_node` and `finish`."""
    settings = [f"--set={key}={value}" for key, value in zip(required(config).parameters, keys, strict=True)]
    return [f"--run-id={run_id}", f"--data-path={data_path}", f"--span={span}", f"--epochs={epochs}", *settings]


def _report_component(config: JanusConfig, digest: str) -> Callable[..., Any]:
    """KFP's component of the last task, whose outputs KFP's pages show."""
    from kfp import dsl

    kubeflow = required(config)

    inputs = _input_parameters(config)

    def last(*values: Any) -> dsl.ContainerSpec:
        arguments = _input_arguments(config, *values[: len(inputs)])
        return dsl.ContainerSpec(
            image=kubeflow.image,
            command=["python", "-m", "pipeline.kubeflow.finish"],
            # KFP puts a description of the step's outputs in the place of `{{$}}`.
            args=[*_common_arguments(kubeflow, digest), *arguments, "--executor-input", "{{$}}"],
        )

    outputs = {METRICS: dsl.Metrics, PAGE: dsl.HTML, CARD: dsl.Markdown, MODEL: dsl.Model}
    outputs |= dict.fromkeys(classification_outputs(config), dsl.ClassificationMetrics)
    parameters = [*inputs, *(_parameter(name, dsl.Output[type_]) for name, type_ in outputs.items())]
    last.__signature__ = inspect.Signature(parameters, return_annotation=dsl.ContainerSpec)  # type: ignore[attr-defined]
    last.__name__ = REPORT_STEP
    return dsl.container_component(last)


def _common_arguments(kubeflow: KubeflowConfig, digest: str) -> list[str]:
    return [f"--ir={kubeflow.bundle}/{IR_FILE}", f"--digest={digest}", f"--pipeline-root={kubeflow.pipeline_root}"]


def _component(config: JanusConfig, digest: str, node: str) -> Callable[..., Any]:
    """KFP's component of a node."""
    from kfp import dsl

    kubeflow = required(config)
    retries = [
        f"--retries={kubeflow.step(node).retries or 0}",
        f"--retry-backoff-seconds={kubeflow.retry_backoff_seconds:g}",
    ]

    def step(*values: Any) -> dsl.ContainerSpec:
        arguments = _input_arguments(config, *values)
        return dsl.ContainerSpec(
            image=kubeflow.image,
            command=["python", "-m", "pipeline.kubeflow.run_node"],
            args=[*_common_arguments(kubeflow, digest), f"--node-id={node}", *retries, *arguments],
        )

    step.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        _input_parameters(config), return_annotation=dsl.ContainerSpec
    )
    step.__name__ = step_name(node).replace("-", "_")
    return dsl.container_component(step)


def _configure(task: Any, node: str, kubeflow: KubeflowConfig) -> Any:
    """Applies the `kubeflow` section to a task: resources, retries, environment, volumes, placement."""
    from kfp import kubernetes

    step = kubeflow.step(node)
    task.set_caching_options(False)
    task.set_display_name(node)
    if step.cpu:
        task.set_cpu_request(step.cpu).set_cpu_limit(step.cpu)
    if step.memory:
        task.set_memory_request(step.memory).set_memory_limit(step.memory)
    if step.accelerator:
        task.set_accelerator_type(step.accelerator.type).set_accelerator_limit(step.accelerator.count)
    # The report's step succeeds for a failed run as well: another attempt would only write the report again.
    if step.retries and node != REPORT_STEP:
        task.set_retry(
            num_retries=step.retries,
            backoff_duration=f"{math.ceil(kubeflow.retry_backoff_seconds)}s",
            backoff_factor=BACKOFF_FACTOR,
        )
    for name, value in {**kubeflow.env, VARIABLE: kubeflow.metadata}.items():
        task.set_env_variable(name, value)
    label, value = POD_LABEL
    kubernetes.add_pod_label(task, label_key=label, label_value=value)
    for secret in kubeflow.secrets:
        kubernetes.use_secret_as_env(task, secret_name=secret.name, secret_key_to_env={secret.key: secret.env})
    if kubeflow.image_pull_policy:
        kubernetes.set_image_pull_policy(task, kubeflow.image_pull_policy)
    if kubeflow.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, secret_names=kubeflow.image_pull_secrets)
    if hasattr(kubernetes, "set_security_context"):
        # Newer SDKs only; Kubernetes' restricted profile requires it.
        kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    for volume in kubeflow.volumes:
        kubernetes.mount_pvc(task, pvc_name=volume.claim, mount_path=volume.path)
    if kubeflow.bundle_config_map:
        kubernetes.use_config_map_as_volume(
            task, config_map_name=kubeflow.bundle_config_map, mount_path=kubeflow.bundle
        )
    for label, value in {**kubeflow.node_selector, **(step.node_selector or {})}.items():
        kubernetes.add_node_selector(task, label_key=label, label_value=value)
    for annotation, value in {**kubeflow.annotations, **(step.annotations or {})}.items():
        kubernetes.add_pod_annotation(task, annotation_key=annotation, annotation_value=value)
    for toleration in [*kubeflow.tolerations, *(step.tolerations or [])]:
        kubernetes.add_toleration(task, **toleration.model_dump(exclude_none=True))
    if step.timeout_seconds:
        kubernetes.set_timeout(task, step.timeout_seconds)
    return task


def _set_time_for_retries(path: Path, bundle: Bundle) -> None:
    """Sets how long retrying may go on in the compiled YAML.

    KFP's SDK allows an hour at most (kfp/dsl/structures.py, RetryPolicy.to_proto); the server takes any duration.
    """
    text = path.read_text(encoding="utf-8")
    comments = [line for line in text.splitlines(keepends=True) if line.startswith("#")]
    documents = list(yaml.safe_load_all(text))
    kubeflow = required(bundle.config)
    seconds = {step_name(node): _retrying_seconds(kubeflow.step(node), kubeflow) for node in edges(bundle.ir)}
    for component in documents[0]["components"].values():
        for name, task in component.get("dag", {}).get("tasks", {}).items():
            if "retryPolicy" in task:
                task["retryPolicy"]["backoffMaxDuration"] = f"{seconds[name]}s"
    path.write_text("".join(comments) + yaml.safe_dump_all(documents, sort_keys=True), encoding="utf-8")


def _retrying_seconds(step: StepConfig, kubeflow: KubeflowConfig) -> int:
    """The time limit of all attempts and the pauses between them together.

    Argo counts `maxDuration` from the beginning of the first attempt; no attempt starts or runs after it.
    """
    retries = step.retries or 0
    between = sum(kubeflow.retry_backoff_seconds * BACKOFF_FACTOR**retry for retry in range(retries))
    return math.ceil((retries + 1) * (step.timeout_seconds or UNLIMITED_SECONDS) + between)


def _pass_own_pod(task: Any) -> None:
    """Passes the pod's name and namespace to TFX's InfraValidator, which derives the pod of TF Serving from them."""
    from kfp import kubernetes
    from tfx.utils import kube_utils

    for name, field in ((kube_utils.KFP_POD_NAME, "metadata.name"), (kube_utils.KFP_NAMESPACE, "metadata.namespace")):
        kubernetes.use_field_path_as_env(task, env_name=name, field_path=field)
