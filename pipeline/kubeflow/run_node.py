"""Runs one node of a compiled pipeline, as a step of Kubeflow does: `python -m pipeline.kubeflow.run_node --help`.

TFX's own launcher runs the node of TFX's intermediate representation, with the ML Metadata store that the environment
names. The launcher returns normally when an input is missing, so the exit code is taken from what it recorded:

    0 complete or cached; 1 unexpected; 2 usage or configuration; 3 data or schema rejected; 4 a task's gate failed;
    5 the exported model failed its serving check.

The node runs in a process of its own. If that process is killed, or fails for a reason that may be temporary (ML
Metadata or an object store does not answer), it is started again with the same run id: TFX then continues the same
execution, or detects that it has ended. A permanent failure (2 to 5) is not tried again; if Kubeflow retries the step
nevertheless, that attempt ends at once with the same message.
"""

import argparse
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from janus_core.errors import (
    ConfigError,
    DataError,
    GateError,
    JanusError,
    ServingError,
    exit_code_of,
    expected,
    readable,
)
from pipeline import environment
from pipeline.config import JanusConfig
from pipeline.config.file import with_overrides
from pipeline.kubeflow.step import (
    TransientError,
    check_run_id,
    check_writable,
    exit_now,
    is_transient,
    report_reason,
    run_attempts,
    step_parser,
)

if TYPE_CHECKING:
    from pipeline.kubeflow.bundle import Bundle
    from pipeline.lineage.store import NodeExecution

RETRY_INDEX = "KFP_RETRY_INDEX"
"""Set by KFP from 2.17 on in steps with retries (backend/src/v2/compiler/argocompiler/container.go)."""
PERMANENT = {kind.exit_code: kind for kind in (ConfigError, DataError, GateError, ServingError)}
"""Exit code → the error, of failures that another attempt would only repeat."""
RUN_ID_PARAMETER = "pipeline-run-id"
_MISSING_INPUT = re.compile(r"inputs\[(\w+)\] has min_count = \d+ but only got 0 artifacts")
"""TFX's message about an input that has no artifact."""


@dataclass(frozen=True)
class RunParameters:
    """What a run may change of the compiled pipeline; None leaves it as it is."""

    data_path: str | None = None
    span: int | None = None
    epochs: int | None = None
    settings: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: argparse.Namespace) -> "RunParameters":
        """From the arguments that `add_parameters` adds."""
        settings = tuple(text for text in options.settings or () if not text.endswith("="))
        return cls(options.data_path or None, options.span, options.epochs, settings)


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments for the inputs of a run."""
    parser.add_argument("--data-path", metavar="PATH", help="instead of data.path; empty: as compiled")
    parser.add_argument("--span", type=_from(0), metavar="N", help="the span to ingest; empty or below 0: the newest")
    parser.add_argument("--epochs", type=_from(1), metavar="N", help="instead of training.epochs; 0: as compiled")
    parser.add_argument(
        "--set",
        action="append",
        dest="settings",
        metavar="KEY=VALUE",
        help="instead of a key of kubeflow.parameters; empty: as compiled",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    environment.prepare(verbose=True)
    try:
        check_run_id(options.run_id)
        if not options.attempt:
            given = list(sys.argv[1:] if arguments is None else arguments)
            command = [sys.executable, "-m", "pipeline.kubeflow.run_node", *given, "--attempt"]
            return run_attempts(command, options.node_id, options.retries, options.retry_backoff_seconds)
        # TFX and Beam read sys.argv for options of theirs.
        sys.argv = sys.argv[:1]
        from pipeline.kubeflow.bundle import read_bundle

        bundle = read_bundle(Path(options.ir).parent, options.digest)
        run_node(bundle, options.node_id, options.run_id, options.pipeline_root, RunParameters.of(options))
    except Exception as error:
        report_reason(f"{options.node_id}: {readable(error)}")
        if isinstance(error, JanusError):
            return exit_code_of(error)
        traceback.print_exc()
        return TransientError.exit_code if is_transient(f"{type(error).__name__}: {error}") else 1
    return 0


def run_node(bundle: "Bundle", node_id: str, run_id: str, root: str | None, parameters: RunParameters) -> None:
    """Runs a node, by the same id for all nodes and attempts of a run, and checks its recorded execution.

    Raises:
        JanusError: the node failed; the exception's exit code is the step's.
    """
    from tfx.orchestration import metadata as tfx_metadata
    from tfx.orchestration.local import runner_utils
    from tfx.orchestration.portable import runtime_parameter_utils

    from pipeline.kubeflow.metadata import check_reachable, connection_config, explained
    from pipeline.lineage.store import executions_of_run, record_failure
    from pipeline.run.launcher import Launcher

    connection = connection_config()
    check_reachable(connection)
    if int(os.environ.get(RETRY_INDEX) or 0) > 0:
        check_earlier_attempt(node_id, run_id, connection)
    if root:
        check_writable(root)
    ir = ir_of_run(bundle, parameters)
    runtime_parameter_utils.substitute_runtime_parameter(ir, {RUN_ID_PARAMETER: run_id})
    if root:
        ir.runtime_spec.pipeline_root.field_value.string_value = root.rstrip("/")
    node = _node(ir, node_id)
    deployment = runner_utils.extract_local_deployment_config(ir)
    try:
        with tfx_metadata.Metadata(connection):
            pass
    except Exception as error:
        raise explained(error) from error
    launch = Launcher(
        pipeline_node=node,
        mlmd_connection=tfx_metadata.Metadata(connection),
        pipeline_info=ir.pipeline_info,
        pipeline_runtime_spec=ir.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
    ).launch
    try:
        launch()
    except Exception as error:
        with tfx_metadata.Metadata(connection) as handle:
            record_failure(handle.store, run_id, node_id, readable(error), exit_code_of(error))
        raise
    with tfx_metadata.Metadata(connection) as handle:
        check_execution(node_id, executions_of_run(handle.store, run_id).get(node_id))


def check_earlier_attempt(node_id: str, run_id: str, connection: Any) -> None:
    """Raises the failure of an earlier attempt at this node in this run, if it is permanent.

    Raises:
        DataError, GateError, ServingError: as the earlier attempt did.
    """
    from tfx.orchestration import metadata as tfx_metadata

    from pipeline.lineage.store import executions_of_run

    with tfx_metadata.Metadata(connection) as handle:
        execution = executions_of_run(handle.store, run_id).get(node_id)
    if execution is not None and (execution.complete or execution.exit_code in PERMANENT):
        check_execution(node_id, execution)


def ir_of_run(bundle: "Bundle", parameters: RunParameters) -> Any:
    """The compiled pipeline; compiled again where a parameter changes the configuration.

    Raises:
        ConfigError: it has other nodes then, or the configuration is not valid.
    """
    config = config_of_run(bundle.config, parameters)
    if config == bundle.config and parameters.span is None:
        return bundle.ir
    from pipeline.kubeflow.bundle import compile_ir

    if config.kubeflow is None:
        raise ConfigError("the bundle's configuration has no `kubeflow` section: compile it again")
    ir = compile_ir(config, Path(config.kubeflow.bundle), parameters.span)
    if _node_ids(ir) != _node_ids(bundle.ir):
        raise ConfigError(f"with {', '.join(parameters.settings)}, the pipeline has other steps: compile it with these")
    return ir


def config_of_run(config: JanusConfig, parameters: RunParameters) -> JanusConfig:
    """The compiled configuration with what a run changes.

    Raises:
        ConfigError: it is not valid then.
    """
    if parameters.settings:
        config = with_overrides(config, parameters.settings, "the run's configuration")
    if parameters.data_path is not None:
        config = config.model_copy(update={"data": config.data.model_copy(update={"path": parameters.data_path})})
    if parameters.epochs is not None:
        training = config.training.model_copy(update={"epochs": parameters.epochs})
        config = config.model_copy(update={"training": training})
    return config


def check_execution(node_id: str, execution: "NodeExecution | None") -> None:
    """Raises an error unless TFX recorded that the node completed, or took its result from the cache.

    Raises:
        GateError: the Evaluator did not bless the model.
        ServingError: the serving check did not.
        JanusError: the execution failed, or was skipped because an input is missing.
    """
    if execution is None:
        raise JanusError("it was skipped: one of its inputs is missing, so a node before it has not ended well")
    missing = _MISSING_INPUT.search(execution.message)
    if execution.failed and missing:
        raise JanusError(f"its input '{missing[1]}' is missing, so a node before it has not ended well")
    if execution.failed:
        raise _failure(execution)
    if not execution.complete:
        raise JanusError("its execution has not ended, though TFX's launcher did")
    blessing = execution.output("blessing")
    if blessing is None or blessing.properties.get("blessed") == 1:
        return
    if node_id == "Evaluator":
        raise GateError("a task's gate failed, so nothing is pushed; the run's report names it")
    raise ServingError("the exported model failed its serving check, so nothing is pushed; the run's report says why")


def _failure(execution: "NodeExecution") -> JanusError:
    """The recorded failure as an error with the recorded exit code."""
    if is_transient(execution.message):
        return TransientError(execution.message)
    known = expected(RuntimeError(execution.message)) if execution.exit_code is None else None
    if known is not None:
        return known
    kind = PERMANENT.get(execution.exit_code or 1, JanusError)
    return kind(execution.message or "its execution failed; TFX recorded no reason")


def _node_ids(ir: Any) -> list[str]:
    return [node.pipeline_node.node_info.id for node in ir.nodes]


def _node(ir: Any, node_id: str) -> Any:
    names = _node_ids(ir)
    if node_id not in names:
        raise ConfigError(f"there is no node '{node_id}' in the pipeline; its nodes are {', '.join(names)}")
    return ir.nodes[names.index(node_id)].pipeline_node


def _parser() -> argparse.ArgumentParser:
    parser = step_parser(
        "pipeline.kubeflow.run_node",
        __doc__,
        "Environment: JANUS_MLMD, ML Metadata's address (mysql://user@host:port/database, grpc://host:port, "
        "sqlite:///path); JANUS_MLMD_PASSWORD, its password.",
    )
    parser.add_argument("--node-id", required=True, metavar="ID", help="the node to run, such as Trainer")
    parser.add_argument("--retries", type=int, default=0, metavar="N", help="attempts after one that may pass")
    parser.add_argument(
        "--retry-backoff-seconds", type=float, default=30.0, metavar="S", help="before the first of them; it doubles"
    )
    parser.add_argument("--attempt", action="store_true", help="do the work in this process, once")
    parser.add_argument("--pipeline-root", metavar="URI", help="TFX's pipeline root, instead of the compiled one")
    add_parameters(parser)
    return parser


def _from(least: int) -> Callable[[str], int | None]:
    """Reads a number; None, as compiled, where it is empty or less."""
    return lambda text: int(text) if text and int(text) >= least else None


if __name__ == "__main__":
    exit_now(main())
