"""Runs a pipeline on Beam, and announces when each component starts and ends."""

import logging
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ml_metadata import MetadataStore
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata as tfx_metadata
from tfx.orchestration.beam import beam_dag_runner
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import runtime_parameter_utils

from janus_core.errors import expected
from janus_core.progress import ComponentEvent, announce, event_of, listening
from pipeline.dag import BASELINES, Places
from pipeline.home import Home
from pipeline.lineage.store import NodeExecution, executions_of_node, executions_of_run
from pipeline.run.launcher import Launcher

BESIDE = frozenset({BASELINES})
"""Nodes that no other waits for: they run beside the others, which Beam runs one at a time."""

_RESOLVER_TYPE = "tfx.dsl.components.common.resolver.Resolver"


def places_in(home: Home, train: bool = True) -> Places:
    """Where a pipeline with a home on this machine keeps its things.

    Args:
        home: the pipeline's.
        train: whether the pipeline trains; without, there are no checkpoints.
    """
    return Places(
        root=str(home.root),
        metadata=str(home.metadata),
        schemas=home.schemas,
        checkpoints=str(home.checkpoints) if train else None,
        analyzer_cache=str(home.analyzer_cache),
        tunings=str(home.tune / "states"),
    )


def run_on_beam(pipeline: Pipeline, run_id: str) -> None:
    """Runs all components, and announces the events of each (`janus_core.progress`).

    Raises:
        Exception: whatever Beam makes of a component's failure; the failure itself is in the event.
    """
    with _own_arguments_hidden():
        _Runner(run_id).run(pipeline)


@contextmanager
def _own_arguments_hidden() -> Iterator[None]:
    """TFX and Beam read sys.argv for options of theirs, and would take `--set` for `--setup_file`."""
    arguments = sys.argv
    sys.argv = arguments[:1]
    try:
        yield
    finally:
        sys.argv = arguments


class _Node(beam_dag_runner.PipelineNodeAsDoFn):
    """One component, within Beam's orchestrating pipeline."""

    def _run_node(self) -> None:
        started = time.monotonic()
        announce(ComponentEvent(self._node_id, "running"))
        try:
            self._launch()
            execution = self._execution()
        except Exception as error:
            announce(ComponentEvent(self._node_id, "failed", time.monotonic() - started, error=error))
            raise
        except BaseException:
            announce(ComponentEvent(self._node_id, "interrupted", time.monotonic() - started))
            raise
        announce(ComponentEvent(self._node_id, "complete", time.monotonic() - started, cached=execution.cached))

    def _launch(self) -> None:
        platform = self._extract_platform_config(self._deployment_config, self._node_id)
        Launcher(
            pipeline_node=self._pipeline_node,
            mlmd_connection=tfx_metadata.Metadata(self._mlmd_connection_config),
            pipeline_info=self._pipeline_info,
            pipeline_runtime_spec=self._pipeline_runtime_spec,
            executor_spec=self._executor_spec,
            platform_config=platform,
            custom_driver_spec=self._custom_driver_spec,
        ).launch()

    def _execution(self) -> NodeExecution:
        """The execution in ML Metadata: TFX only records some failures there, such as missing inputs, and continues."""
        run_id = self._pipeline_runtime_spec.pipeline_run_id.field_value.string_value
        with tfx_metadata.Metadata(self._mlmd_connection_config) as handle:
            execution = executions_of_run(handle.store, run_id).get(self._node_id)
            if execution is None:
                raise RuntimeError(f"{self._node_id} was skipped: one of its inputs is missing")
            if execution.failed:
                error = RuntimeError(execution.message or f"{self._node_id} failed; see run.log")
                raise expected(error) or error
            if self._pipeline_node.node_info.type.name == _RESOLVER_TYPE:
                return self._resolved_as_before(handle.store, execution)
        return execution

    def _resolved_as_before(self, store: MetadataStore, execution: NodeExecution) -> NodeExecution:
        """TFX runs a Resolver each time; it counts as cached when it chose what it had chosen before."""
        of_all_runs = executions_of_node(store, self._pipeline_info.id, self._node_id)
        earlier = next((other for other in of_all_runs if other.id < execution.id), None)
        return replace(execution, cached=earlier is not None and _ids(earlier) == _ids(execution))


def _ids(execution: NodeExecution) -> dict[str, list[int]]:
    return {key: [artifact.id for artifact in artifacts] for key, artifacts in execution.outputs.items()}


class _Beside(logging.Handler):
    """Runs a node in a thread from when the nodes before it are complete; a run does not fail because of it."""

    def __init__(self, node: _Node, after: Collection[str]):
        super().__init__()
        self._node = node
        self._waits_for = set(after)
        self._thread = threading.Thread(target=self._run, name=node._node_id, daemon=True)
        self._abandoned = False

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        event = event_of(record)
        if isinstance(event, ComponentEvent) and event.state == "complete" and event.component in self._waits_for:
            self._waits_for.remove(event.component)
            if not self._waits_for:
                self._thread.start()

    def wait(self) -> None:
        """Waits until the node has ended, if it has started."""
        if not self._waits_for:
            self._thread.join()

    def abandon(self) -> None:
        """No longer announces the node; it ends at the latest with this process."""
        self._abandoned = True

    def _run(self) -> None:
        node, started = self._node, time.monotonic()
        announce(ComponentEvent(node._node_id, "running", beside=True))
        execution = None
        try:
            node._launch()
            execution = node._execution()
        except Exception:
            logging.getLogger(__name__).exception("%s failed", node._node_id)
        if not self._abandoned:
            seconds, cached = time.monotonic() - started, bool(execution and execution.cached)
            announce(ComponentEvent(node._node_id, "complete" if execution else "failed", seconds, cached, beside=True))


@contextmanager
def _running_beside(nodes: Collection[_Beside]) -> Iterator[None]:
    """Runs nodes while others run, and waits for them unless those fail."""
    with listening(*nodes):
        try:
            yield
        except BaseException:
            for node in nodes:
                node.abandon()
            raise
        for node in nodes:
            node.wait()


class _Runner(beam_dag_runner.BeamDagRunner):
    """BeamDagRunner with a run id of our choice, and nodes that announce what they do."""

    _PIPELINE_NODE_DO_FN_CLS = _Node

    def __new__(cls, run_id: str) -> "_Runner":
        # The parent's, given an argument, makes a runner of an older kind.
        return super().__new__(cls)

    def __init__(self, run_id: str):
        super().__init__()
        self._run_id = run_id

    def run_with_ir(self, pipeline: Any, run_options: Any = None) -> None:
        """Called by TFX. Sets the run's id before the parent would set one of its own."""
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id}
        )
        nodes = [node.pipeline_node for node in pipeline.nodes]
        beside = [self._beside(pipeline, node) for node in nodes if node.node_info.id in BESIDE]
        rest = [node for node in pipeline.nodes if node.pipeline_node.node_info.id not in BESIDE]
        del pipeline.nodes[:]
        pipeline.nodes.extend(rest)
        with _running_beside(beside):
            super().run_with_ir(pipeline, run_options)

    def _beside(self, pipeline: Any, pipeline_node: Any) -> _Beside:
        deployment, name = self._extract_deployment_config(pipeline), pipeline_node.node_info.id
        node = _Node(
            pipeline_node=pipeline_node,
            mlmd_connection_config=self._connection_config_from_deployment_config(deployment),
            pipeline_info=pipeline.pipeline_info,
            pipeline_runtime_spec=pipeline.runtime_spec,
            executor_spec=self._extract_executor_spec(deployment, name),
            custom_driver_spec=self._extract_custom_driver_spec(deployment, name),
            deployment_config=deployment,
            pipeline=pipeline,
        )
        return _Beside(node, pipeline_node.upstream_nodes)
