"""`janus kubeflow`: the same pipeline on Kubeflow Pipelines."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import environment
from pipeline.cli_common import ConfigFile, Overrides, Verbose, end_with, errors_told

kubeflow = typer.Typer(
    name="kubeflow",
    help="Run the pipeline on open-source Kubeflow Pipelines v2.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@kubeflow.callback()
def _group() -> None:
    """Run the pipeline on open-source Kubeflow Pipelines v2."""


@kubeflow.command("compile")
def compile_command(
    config: ConfigFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="The YAML; default: deploy/kubeflow/<name>/pipeline.yaml."),
    ] = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Write KFP's pipeline as YAML, and beside it the bundle that the image or a volume must hold."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.kubeflow.compile_job import run_compile_job

        end_with(run_compile_job(load_config(config, overrides or []), output, verbose))


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(kubeflow)
