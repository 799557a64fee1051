"""Runs a pipeline on Beam, and announces when each component starts and ends."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ml_metadata import MetadataStore
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata as tfx_metadata
from tfx.orchestration.beam import beam_dag_runner
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import runtime_parameter_utils

from janus_core.progress import ComponentEvent, announce
from pipeline.dag import Places
from pipeline.home import Home
from pipeline.lineage.store import NodeExecution, executions_of_node, executions_of_run

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
            super()._run_node()
            execution = self._execution()
        except Exception as error:
            announce(ComponentEvent(self._node_id, "failed", time.monotonic() - started, error=error))
            raise
        except BaseException:
            announce(ComponentEvent(self._node_id, "interrupted", time.monotonic() - started))
            raise
        announce(ComponentEvent(self._node_id, "complete", time.monotonic() - started, cached=execution.cached))

    def _execution(self) -> NodeExecution:
        """The execution in ML Metadata: TFX only records some failures there, such as missing inputs, and continues."""
        run_id = self._pipeline_runtime_spec.pipeline_run_id.field_value.string_value
        with tfx_metadata.Metadata(self._mlmd_connection_config) as handle:
            execution = executions_of_run(handle.store, run_id).get(self._node_id)
            if execution is None:
                raise RuntimeError(f"{self._node_id} was skipped: one of its inputs is missing")
            if execution.failed:
                raise RuntimeError(execution.message or f"{self._node_id} failed; see run.log")
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
        super().run_with_ir(pipeline, run_options)
