"""`janus kubeflow`: the same pipeline on Kubeflow Pipelines."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline import environment
from pipeline.cli_common import ConfigFile, Overrides, Verbose, end_with, errors_told
from trainer.errors import ConfigError

kubeflow = typer.Typer(
    name="kubeflow",
    help="Run the pipeline on open-source Kubeflow Pipelines v2.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Target(StrEnum):
    """What a pipeline is compiled for."""

    KUBEFLOW = "kubeflow"
    VERTEX = "vertex"


Host = Annotated[
    str | None,
    typer.Option(
        "--host", metavar="URL", help="Kubeflow Pipelines' address, such as https://kubeflow.example/pipeline."
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="A file with the token; default: the variable JANUS_KFP_TOKEN."),
]
KubeContext = Annotated[
    str | None,
    typer.Option("--kube-context", metavar="NAME", help="Instead of --host: the kubeconfig's cluster and credentials."),
]
KfpNamespace = Annotated[
    str, typer.Option("--kfp-namespace", metavar="NAME", help="With --kube-context: where KFP's services are.")
]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", metavar="FILE", help="Certificates to check the server's against.")
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="An input: data_path, span or epochs; repeatable."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, as JSON, and change nothing.")]


@kubeflow.callback()
def _group() -> None:
    """Run the pipeline on open-source Kubeflow Pipelines v2."""


@kubeflow.command("compile")
def compile_command(
    config: ConfigFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="The YAML; default: deploy/<target>/<name>/pipeline.yaml."),
    ] = None,
    target: Annotated[
        Target, typer.Option("--target", help="`vertex`: TFX's own format, which Vertex AI alone can run.")
    ] = Target.KUBEFLOW,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Write KFP's pipeline as YAML, and beside it the bundle that the image or a volume must hold."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.kubeflow.compile_job import run_compile_job

        end_with(run_compile_job(load_config(config, overrides or []), output, verbose, target.value))


@kubeflow.command("submit")
def submit_command(
    config: ConfigFile,
    host: Host = None,
    parameters: Parameters = None,
    dry_run: DryRun = False,
    token_file: TokenFile = None,
    kube_context: KubeContext = None,
    kfp_namespace: KfpNamespace = "kubeflow",
    ca_file: CaFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Upload the pipeline, unless this content is there already, and start a run."""
    with errors_told(verbose), kubeflow_extra():
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.kubeflow.access import access_of
        from pipeline.kubeflow.submit_job import run_submit_job

        access = access_of(host, token_file, kube_context, kfp_namespace, ca_file)
        end_with(run_submit_job(load_config(config, overrides or []), access, parameters or [], dry_run, verbose))


@kubeflow.command("schedule")
def schedule_command(
    config: ConfigFile,
    host: Host = None,
    cron: Annotated[
        str | None,
        typer.Option(
            "--cron", metavar="FIELDS", help="Such as '30 3 * * *', or with the second first; default: kubeflow.cron."
        ),
    ] = None,
    parameters: Parameters = None,
    dry_run: DryRun = False,
    token_file: TokenFile = None,
    kube_context: KubeContext = None,
    kfp_namespace: KfpNamespace = "kubeflow",
    ca_file: CaFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Have runs of exactly this content started by the clock, in the place of an earlier schedule."""
    with errors_told(verbose), kubeflow_extra():
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.kubeflow.access import access_of
        from pipeline.kubeflow.schedule_job import run_schedule_job

        access = access_of(host, token_file, kube_context, kfp_namespace, ca_file)
        read = load_config(config, overrides or [])
        end_with(run_schedule_job(read, access, cron, parameters or [], dry_run, verbose))


@kubeflow.command("status")
def status_command(
    config: ConfigFile,
    host: Host = None,
    count: Annotated[int, typer.Option("--runs", metavar="N", min=1, help="How many of the newest runs.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    token_file: TokenFile = None,
    kube_context: KubeContext = None,
    kfp_namespace: KfpNamespace = "kubeflow",
    ca_file: CaFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Show the schedule and the newest runs, with the steps that failed."""
    with errors_told(verbose), kubeflow_extra():
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.kubeflow.access import access_of
        from pipeline.kubeflow.status_job import run_status_job

        access = access_of(host, token_file, kube_context, kfp_namespace, ca_file)
        end_with(run_status_job(load_config(config, overrides or []), access, as_json, count))


@kubeflow.command("unschedule")
def unschedule_command(
    config: ConfigFile,
    host: Host = None,
    dry_run: DryRun = False,
    token_file: TokenFile = None,
    kube_context: KubeContext = None,
    kfp_namespace: KfpNamespace = "kubeflow",
    ca_file: CaFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Delete the schedule; runs that are under way go on."""
    with errors_told(verbose), kubeflow_extra():
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.kubeflow.access import access_of
        from pipeline.kubeflow.schedule_job import run_unschedule_job

        access = access_of(host, token_file, kube_context, kfp_namespace, ca_file)
        end_with(run_unschedule_job(load_config(config, overrides or []), access, dry_run))


@contextmanager
def kubeflow_extra() -> Iterator[None]:
    """Says how KFP's packages are installed, which a plain installation leaves out."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("kfp", "kfp_server_api", "kubernetes"):
            raise
        raise ConfigError(f"{error.name} is not installed: both locks have it (docs/install.md)") from error


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(kubeflow)
