"""Commands that look back: at runs, at what a version was made of, at what two runs differ in."""

from typing import Annotated

import typer

from pipeline import environment
from pipeline.cli_common import ConfigFile, Overrides, Verbose, end_with, errors_told
from pipeline.history.lineage_format import LineageFormat


def runs(
    config: ConfigFile,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many of the newest.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """List the runs, newest first: how each ended, what it measured, which version it pushed."""
    with errors_told(verbose):
        from pipeline.config_file import load_config
        from pipeline.history.job import run_runs_job

        end_with(run_runs_job(load_config(config, overrides or []), limit, as_json))


def lineage(
    source: Annotated[
        str, typer.Argument(metavar="CONFIG|PATH", help="The pipeline's configuration, or a pushed version's path.")
    ],
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="With CONFIG: its number; default: the served version.")
    ] = None,
    shown_as: Annotated[
        LineageFormat | None, typer.Option("--format", help="Default: tree. `dot` is Graphviz'.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Show what a pushed version was made of, by ML Metadata: data, schema, code, hyperparameters, evaluation, push.

    A copy that a rollback made leads to the version that was once pushed.
    """
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.history.job import run_lineage_job
        from trainer.errors import ConfigError

        if as_json and shown_as not in (None, LineageFormat.JSON):
            raise ConfigError(f"--json and --format {shown_as} exclude each other: give one of them")
        chosen = LineageFormat.JSON if as_json else shown_as or LineageFormat.TREE
        end_with(run_lineage_job(source, version, chosen, overrides or []))


def diff(
    config: ConfigFile,
    run_a: Annotated[
        str | None, typer.Argument(metavar="RUN_A", help="A run's id, or its report.json; default: the last but one.")
    ] = None,
    run_b: Annotated[
        str | None, typer.Argument(metavar="RUN_B", help="The same, to compare with it; default: the newest.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Show how a run differs from another: configuration, code, libraries, data statistics, metrics."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.history.job import run_diff_job

        end_with(run_diff_job(load_config(config, overrides or []), run_a, run_b, as_json))


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(runs)
    app.command()(lineage)
    app.command()(diff)
