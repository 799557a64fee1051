"""The command lines of `janus kubeflow`."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from janus_core.errors import ConfigError
from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load

if TYPE_CHECKING:
    from pipeline.kubeflow.access import Access

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


Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="An input: data_path, span or epochs; repeatable."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, as JSON, and change nothing.")]


def connected(function: Callable[..., int]) -> Callable[..., int]:
    """Gives a command the options of `Connection`, in the place of its parameter `access`, which is made of them."""
    options = list(inspect.signature(Connection).parameters)

    @functools.wraps(function)
    def run(**arguments: Any) -> int:
        try:
            from pipeline.kubeflow.access import access_of

            connection = Connection(**{name: arguments.pop(name) for name in options})
            return function(access=access_of(**asdict(connection)), **arguments)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("kfp", "kfp_server_api", "kubernetes"):
                raise
            raise ConfigError(f"{error.name} is not installed: both locks have it (docs/install.md)") from error

    host, *others = inspect.signature(Connection).parameters.values()
    config, _, *own, overrides, verbose = inspect.signature(function).parameters.values()
    parameters = [config, host, *own, *others, overrides, verbose]
    # Typer reads both.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


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
        Target, typer.Option("--target", help="`vertex`: TFX's own format, which only Vertex AI can run.")
    ] = Target.KUBEFLOW,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Write KFP's pipeline as YAML, and beside it the bundle for the image or a volume."""
    from pipeline.commands.kubeflow.compile import run_compile_job

    return run_compile_job(load(config, overrides), output, verbose, target.value)


@kubeflow.command("submit")
@command
@connected
def submit_command(
    config: ConfigFile,
    access: "Access",
    parameters: Parameters = None,
    dry_run: DryRun = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Upload the pipeline, unless this content was uploaded already, and start a run."""
    from pipeline.commands.kubeflow.submit import run_submit_job

    return run_submit_job(load(config, overrides), access, parameters or [], dry_run, verbose)


@kubeflow.command("schedule")
@command
@connected
def schedule_command(
    config: ConfigFile,
    access: "Access",
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
    """Schedule runs of exactly this content, in place of an earlier schedule."""
    from pipeline.commands.kubeflow.schedule import run_schedule_job

    return run_schedule_job(load(config, overrides), access, cron, parameters or [], dry_run, verbose)


@kubeflow.command("status")
@command
@connected
def status_command(
    config: ConfigFile,
    access: "Access",
    count: Annotated[int, typer.Option("--runs", metavar="N", min=1, help="How many of the newest runs.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Show the schedule and the newest runs, with the steps that failed."""
    from pipeline.commands.kubeflow.status import run_status_job

    return run_status_job(load(config, overrides), access, as_json, count)


@kubeflow.command("unschedule")
@command
@connected
def unschedule_command(
    config: ConfigFile,
    access: "Access",
    dry_run: DryRun = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Delete the schedule; runs that are under way continue."""
    from pipeline.commands.kubeflow.schedule import run_unschedule_job

    return run_unschedule_job(load(config, overrides), access, dry_run)
