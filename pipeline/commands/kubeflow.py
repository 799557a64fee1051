"""`janus kubeflow`: the same pipeline on Kubeflow Pipelines."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from janus_core.errors import ConfigError
from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load

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
@command
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
) -> int:
    """Write KFP's pipeline as YAML, and beside it the bundle that the image or a volume must hold."""
    from pipeline.kubeflow.compile_job import run_compile_job

    return run_compile_job(load(config, overrides), output, verbose, target.value)


@kubeflow.command("submit")
@command
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
) -> int:
    """Upload the pipeline, unless this content is there already, and start a run."""
    with kubeflow_extra():
        from pipeline.kubeflow.access import access_of
        from pipeline.kubeflow.submit_job import run_submit_job

        access = access_of(host, token_file, kube_context, kfp_namespace, ca_file)
        return run_submit_job(load(config, overrides), access, parameters or [], dry_run, verbose)


@kubeflow.command("schedule")
@command
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
) -> int:
    """Have runs of exactly this content started by the clock, in the place of an earlier schedule."""
    with kubeflow_extra():
        from pipeline.kubeflow.access import access_of
        from pipeline.kubeflow.schedule_job import run_schedule_job

        access = access_of(host, token_file, kube_context, kfp_namespace, ca_file)
        read = load(config, overrides)
        return run_schedule_job(read, access, cron, parameters or [], dry_run, verbose)


@kubeflow.command("status")
@command
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
) -> int:
    """Show the schedule and the newest runs, with the steps that failed."""
    with kubeflow_extra():
        from pipeline.kubeflow.access import access_of
        from pipeline.kubeflow.status_job import run_status_job

        access = access_of(host, token_file, kube_context, kfp_namespace, ca_file)
        return run_status_job(load(config, overrides), access, as_json, count)


@kubeflow.command("unschedule")
@command
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
) -> int:
    """Delete the schedule; runs that are under way go on."""
    with kubeflow_extra():
        from pipeline.kubeflow.access import access_of
        from pipeline.kubeflow.schedule_job import run_unschedule_job

        access = access_of(host, token_file, kube_context, kfp_namespace, ca_file)
        return run_unschedule_job(load(config, overrides), access, dry_run)


@contextmanager
def kubeflow_extra() -> Iterator[None]:
    """Says how KFP's packages are installed, which a plain installation leaves out."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("kfp", "kfp_server_api", "kubernetes"):
            raise
        raise ConfigError(f"{error.name} is not installed: both locks have it (docs/install.md)") from error
