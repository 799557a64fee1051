"""The command lines of `janus kubeflow`."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load
from pipeline.kubeflow.access import Access, access_of

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


@dataclass(frozen=True)
class Connection:
    """The options that say which Kubeflow Pipelines a command talks to, and with which credentials."""

    host: Annotated[
        str | None,
        typer.Option(
            "--host", metavar="URL", help="Kubeflow Pipelines' address, such as https://kubeflow.example/pipeline."
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", metavar="FILE", help="A file with the token; default: the variable JANUS_KFP_TOKEN."
        ),
    ] = None
    kube_context: Annotated[
        str | None,
        typer.Option(
            "--kube-context", metavar="NAME", help="Instead of --host: the kubeconfig's cluster and credentials."
        ),
    ] = None
    kfp_namespace: Annotated[
        str, typer.Option("--kfp-namespace", metavar="NAME", help="With --kube-context: where KFP's services are.")
    ] = "kubeflow"
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", metavar="FILE", help="Certificates to check the server's against.")
    ] = None

    def access(self) -> Access:
        """The installation that the options name."""
        return access_of(**asdict(self))


Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="An input: data_path, span, epochs, or a key of kubeflow.parameters; repeatable.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, as JSON, and change nothing.")]


@kubeflow.command("compile")
@command
def compile_command(
    config: ConfigFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="The YAML; default: deploy/<target>/<name>/pipeline.yaml."),
    ] = None,
    target: Annotated[
        Target, typer.Option("--target", help="`vertex`: TFX's own format, which only Vertex AI can run.")
    ] = Target.KUBEFLOW,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Write KFP's pipeline as YAML, and beside it the bundle for the image or a volume.

    Example:

        janus kubeflow compile configs/orders.yaml
    """
    from pipeline.commands.kubeflow.compile import run_compile_job

    return run_compile_job(load(config, overrides), output, verbose, target.value)


@kubeflow.command("submit")
@command
def submit_command(
    config: ConfigFile,
    connection: Connection,
    parameters: Parameters = None,
    dry_run: DryRun = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Upload the pipeline, unless this content was uploaded already, and start a run.

    Example:

        janus kubeflow submit configs/orders.yaml --host https://kubeflow.example/pipeline --param epochs=10
    """
    from pipeline.commands.kubeflow.submit import run_submit_job

    return run_submit_job(load(config, overrides), connection.access(), parameters or [], dry_run, verbose)


@kubeflow.command("schedule")
@command
def schedule_command(
    config: ConfigFile,
    connection: Connection,
    cron: Annotated[
        str | None,
        typer.Option(
            "--cron", metavar="FIELDS", help="Such as '30 3 * * *', or with the second first; default: kubeflow.cron."
        ),
    ] = None,
    parameters: Parameters = None,
    dry_run: DryRun = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Schedule runs of exactly this content, in place of an earlier schedule.

    Example:

        janus kubeflow schedule configs/orders.yaml --kube-context prod --cron '30 3 * * *'
    """
    from pipeline.commands.kubeflow.schedule import run_schedule_job

    return run_schedule_job(load(config, overrides), connection.access(), cron, parameters or [], dry_run, verbose)


@kubeflow.command("status")
@command
def status_command(
    config: ConfigFile,
    connection: Connection,
    count: Annotated[int, typer.Option("--runs", metavar="N", min=1, help="How many of the newest runs.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Show the schedule and the newest runs, with the steps that failed.

    Example:

        janus kubeflow status configs/orders.yaml --host https://kubeflow.example/pipeline
    """
    from pipeline.commands.kubeflow.status import run_status_job

    return run_status_job(load(config, overrides), connection.access(), as_json, count)


@kubeflow.command("unschedule")
@command
def unschedule_command(
    config: ConfigFile,
    connection: Connection,
    dry_run: DryRun = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Delete the schedule; runs that are under way continue.

    Example:

        janus kubeflow unschedule configs/orders.yaml --host https://kubeflow.example/pipeline
    """
    from pipeline.commands.kubeflow.schedule import run_unschedule_job

    return run_unschedule_job(load(config, overrides), connection.access(), dry_run)
