"""`janus beam`: shows the arguments of every Beam step, and checks them; nothing is run."""

from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from pipeline.beam import EMBEDDED, check_arguments, check_places
from pipeline.config import JanusConfig

PREDICT = "janus predict --beam"


def run_beam_job(config: JanusConfig, console: Console, connect: bool = True) -> int:
    """Prints the arguments of each Beam step and returns the exit code; `connect`: ask the job server.

    Raises:
        ConfigError: an argument is unknown, wrong or missing.
        JanusError: the job server does not answer.
    """
    arguments = config.beam.arguments()
    of_server = check_arguments(arguments, connect)
    if config.kubeflow:
        where = config.kubeflow
        places = {"kubeflow.pipeline_root": where.pipeline_root, "data.path": where.data_path or config.data.path}
    else:
        places = {"data.path": config.data.path}
    check_places(arguments, places)
    steps = {**beam_steps(config), PREDICT: arguments}
    same: dict[tuple[str, ...], list[str]] = {}
    for step, given in steps.items():
        same.setdefault(tuple(given), []).append(step)
    for shared, names in same.items():
        console.print(", ".join(names), style="bold", markup=False, highlight=False)
        for argument in shared or ["no arguments: one worker, in the process itself"]:
            console.print(f"  {argument}", markup=False, highlight=False, soft_wrap=True)
    endpoint = next((a.partition("=")[2] for a in reversed(arguments) if a.startswith("--job_endpoint=")), None)
    if endpoint and endpoint != EMBEDDED:
        state = f"answers, with {len(of_server)} options of its own" if connect else "was not asked"
        console.print(f"job server {endpoint} {state}", markup=False, highlight=False)
    console.print("the arguments are right", style="green")
    return 0


def beam_steps(config: JanusConfig) -> dict[str, list[str]]:
    """Step → its Beam arguments, for the steps that run a Beam pipeline; nothing is run, and no file remains."""
    from tfx.dsl.components.base.executor_spec import BeamExecutorSpec

    from pipeline.dag import Places, create_pipeline

    with TemporaryDirectory() as folder:
        places = Places(root=folder, metadata=None, schemas=Path(folder), checkpoints=None)
        nodes = create_pipeline(config, places).components
    specs = {node.id: node.executor_spec for node in nodes}
    return {name: list(spec.beam_pipeline_args) for name, spec in specs.items() if isinstance(spec, BeamExecutorSpec)}
