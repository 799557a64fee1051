"""Compiles for Vertex AI Pipelines, by TFX's KubeflowV2DagRunner. Vertex AI only: Kubeflow Pipelines cannot run it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from janus_core.errors import ConfigError, JanusError
from janus_core.files import write_text
from pipeline.config import JanusConfig
from pipeline.kubeflow.bundle import in_cluster, required

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

GCS = "gs://"
HEADER = """\
# Vertex AI only. Open-source Kubeflow Pipelines cannot run this file: compile for it without --target vertex.
# Vertex AI runs no driver of a component but TFX's own of ExampleGen, and no resolver but TFX's own. Therefore:
# - the baseline is TFX's latest blessed model, which does not know of rollbacks;
# - TFX's own Pusher pushes, in place of Janus's: no rollback, no retention, versions by the clock;
# - the schedule, the run's report and `janus kubeflow status` are those of open-source Kubeflow alone.
"""


def compile_for_vertex(config: JanusConfig, output: Path, schemas: Path) -> int:
    """Writes TFX's YAML for Vertex AI Pipelines, whole or not at all, and returns the number of its tasks.

    All paths must be of Google Cloud Storage. The folder `schemas` receives a copy of the curated schema, which the
    image must hold in its bundle.

    Raises:
        ConfigError: Vertex AI, or TFX's compiler for it, cannot do what the configuration asks for.
        JanusError: the data cannot be looked at from here.
    """
    ours = in_cluster(config)
    check_for_vertex(ours)
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as runners

    kubeflow = required(ours)
    settings = runners.KubeflowV2DagRunnerConfig(default_image=kubeflow.image, use_pipeline_spec_2_1=True)
    try:
        pipeline = _pipeline(ours, schemas)
    except OSError as error:
        raise JanusError(f"{ours.data.path} cannot be looked at from here, to see what it is: {error}") from error
    try:
        job = runners.KubeflowV2DagRunner(settings).run(pipeline, write_out=False)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ConfigError(f"TFX cannot compile this pipeline for Vertex AI: {error}") from error
    spec: dict[str, Any] = job["pipelineSpec"]
    spec["defaultPipelineRoot"] = kubeflow.pipeline_root
    write_text(output, HEADER + yaml.safe_dump(spec, sort_keys=True))
    return len(spec["root"]["dag"]["tasks"])


def check_for_vertex(config: JanusConfig) -> None:
    """Checks that Vertex AI can run the pipeline `in_cluster`, and reports everything that it cannot run at once.

    Raises:
        ConfigError: the configuration needs something that Vertex AI does not have.
    """
    kubeflow = required(config)
    places = {
        "kubeflow.pipeline_root": kubeflow.pipeline_root,
        "kubeflow.data_path": config.data.path,
        "kubeflow.push_path": config.push.path,
    }
    problems = [
        f"{key} '{path}' is not in Google Cloud Storage ({GCS}…), the only place that Vertex AI's tasks share"
        for key, path in places.items()
        if not path.startswith(GCS)
    ]
    no_resolver = "needs a resolver of Janus's own, and Vertex AI runs only TFX's"
    if config.training.warm_start:
        problems.append(f"training.warm_start {no_resolver}")
    if config.data.window != 1:
        problems.append(f"data.window {no_resolver}")
    if config.evaluation.reference is not None:
        problems.append(f"evaluation.reference {no_resolver}")
    if config.data.by_span:
        problems.append("data.split by span needs Janus's own driver of ExampleGen, and Vertex AI runs only TFX's")
    if config.serving.infra_validator != "process":
        problems.append(
            f"serving.infra_validator '{config.serving.infra_validator}' needs TFX's InfraValidator, which Vertex AI "
            "does not have: choose 'process'"
        )
    if problems:
        raise ConfigError("\n  ".join(["this configuration cannot be compiled for Vertex AI:", *problems]))


def _pipeline(config: JanusConfig, schemas: Path) -> "Pipeline":
    """The pipeline, with TFX's own nodes in place of those that Vertex AI does not run."""
    from tfx.dsl.context_managers.dsl_context_registry import use_registry
    from tfx.orchestration.pipeline import Pipeline

    from pipeline.dag import Places, create_pipeline
    from pipeline.kubeflow.compile import kfp_name

    kubeflow = required(config)
    places = Places(
        root=kubeflow.pipeline_root, metadata=None, schemas=schemas, schemas_at=kubeflow.bundle, checkpoints=None
    )
    made = create_pipeline(config, places)
    nodes = {node.id: node for node in made.components}
    # Nodes belong to a pipeline by its registry.
    with use_registry(made.dsl_context_registry) as registry:
        registry.remove_nodes(["Resolver", "Pusher"])
        left = nodes["Resolver"], nodes["Pusher"]
        nodes["Resolver"] = _baseline(nodes["Resolver"], nodes["Evaluator"])
        nodes["Pusher"] = _pusher(config, nodes["Pusher"])
        for node in left:
            for earlier in list(node.upstream_nodes):
                node.remove_upstream_node(earlier)
    return Pipeline(
        pipeline_name=kfp_name(config),
        pipeline_root=kubeflow.pipeline_root,
        components=list(nodes.values()),
        enable_cache=True,
        beam_pipeline_args=config.beam.args,
        dsl_context_registry=made.dsl_context_registry,
    )


def _baseline(ours: Any, evaluator: Any) -> Any:
    from tfx.dsl.components.common.resolver import Resolver
    from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
    from tfx.types import Channel, standard_artifacts
    from tfx.types import standard_component_specs as specs

    theirs = Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
    ).with_id(ours.id)
    evaluator.inputs[specs.BASELINE_MODEL_KEY] = theirs.outputs["model"]
    evaluator.remove_upstream_node(ours)
    return theirs


def _pusher(config: JanusConfig, ours: Any) -> Any:
    from tfx.components.pusher.component import Pusher
    from tfx.proto import pusher_pb2
    from tfx.types import standard_component_specs as specs

    return Pusher(
        model=ours.inputs[specs.MODEL_KEY],
        model_blessing=ours.inputs[specs.MODEL_BLESSING_KEY],
        infra_blessing=ours.inputs[specs.INFRA_BLESSING_KEY],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=config.push.path)
        ),
    ).with_id(ours.id)
