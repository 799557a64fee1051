"""What the commands share: arguments, reading the configuration, and reporting failures."""

import functools
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from janus_core.errors import ConfigError, exit_code_of, expected, readable
from pipeline import environment

if TYPE_CHECKING:
    from pipeline.config import JanusConfig

_LEFT_OUT = ("kfp", "kfp_server_api", "kubernetes")
"""Packages that the image of Kubeflow's steps does not have."""

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The pipeline's configuration, a YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Overrides a value of the configuration; repeatable."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the libraries' logs and tracebacks.")]


def end_with(code: int) -> None:
    """Ends the process with an exit code."""
    if code >= 128:
        # Threads of the libraries may still work on what was interrupted: the process does not wait for them.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise typer.Exit(code)


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Makes a function a command: prepares the libraries' environment, reports errors, and ends with its exit code.

    Args:
        function: has an argument `verbose`. Each field of a parameter that is a dataclass is an argument of the command
            line. It imports what takes long to import, such as TFX, when it is called.
    """
    parameters = inspect.signature(function).parameters.values()
    groups: dict[str, Any] = {p.name: p.annotation for p in parameters if is_dataclass(p.annotation)}

    @functools.wraps(function)
    def run(**arguments: Any) -> None:
        with errors_reported(arguments["verbose"]):
            environment.prepare(arguments["verbose"])
            for name, group in groups.items():
                arguments[name] = group(**{field.name: arguments.pop(field.name) for field in fields(group)})
            code = function(**arguments)
            if code is not None:
                end_with(code)

    options: list[inspect.Parameter] = []
    for parameter in parameters:
        group = groups.get(parameter.name)
        options += inspect.signature(group).parameters.values() if group else [parameter]
    # Typer reads both.
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in options]
    )
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


def load(config: Path, overrides: list[str] | None) -> "JanusConfig":
    """The configuration of a file, with the values of `--set`."""
    from pipeline.config.file import load_config

    return load_config(config, overrides or [])


@contextmanager
def errors_reported(verbose: bool) -> Iterator[None]:
    """Ends the command with a failure's message and exit code; a traceback is shown only where it was asked for."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        end_with(128 + signal.SIGINT)
    except Exception as error:
        if verbose:
            traceback.print_exc()
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in _LEFT_OUT:
            error = ConfigError(f"{error.name} is not installed: both locks have it (docs/install.md)")
        typer.echo(f"error: {readable(error)}", err=True)
        if not expected(error) and not verbose:
            typer.echo("This was not expected; --verbose shows the traceback.", err=True)
        raise typer.Exit(exit_code_of(error)) from None


@contextmanager
def end_reported_by_event(wanted: bool) -> Iterator[None]:
    """Writes the `run_ended` event of a run that an error ends before there is a report."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BaseException as error:
        if wanted:
            from pipeline.run.json_lines import write_end

            write_end(sys.stdout, exit_code_of(error), [readable(error)])
        raise
