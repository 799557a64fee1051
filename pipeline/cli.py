"""The command line. TFX and TensorFlow take ten seconds to load: nothing here imports them before it must."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline import environment
from pipeline.cli_beam import register as register_beam
from pipeline.cli_common import ConfigFile, Overrides, Verbose, end_told_by_event, end_with, errors_told
from pipeline.cli_history import register as register_history
from pipeline.cli_init import register as register_init
from pipeline.cli_kubeflow import register as register_kubeflow
from pipeline.cli_reference import register as register_reference
from pipeline.cli_serving import register as register_serving

app = typer.Typer(
    name="janus",
    help="Multi-task learning pipelines on TFX: one YAML file, one network, several tasks.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The console script."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        from pipeline.report import janus_version

        typer.echo(f"janus {janus_version()}")
        raise typer.Exit


def _span_number(text: str | None) -> int | None:
    from components.arrow_example_gen.spans import parse_span
    from trainer.errors import ConfigError

    if text is None:
        return None
    try:
        return parse_span(text)
    except ValueError as error:
        raise ConfigError(f"--span: {error}") from None


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command()
def run(
    config: ConfigFile,
    span: Annotated[
        str | None,
        typer.Option("--span", metavar="N", help="The span to run, a number or date; default: the newest."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as a JSON object on a line of its own, and nothing else.")
    ] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Run the whole pipeline: read, check, transform, train, evaluate, push.

    Exit codes: 0 pushed, or nothing new to do; 1 unexpected; 2 usage or configuration; 3 data or schema rejected;
    4 a task's gate failed, nothing pushed; 5 the exported model failed its serving check; 130 interrupted.
    """
    with errors_told(verbose), end_told_by_event(as_json):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.job import run_job

        end_with(run_job(load_config(config, overrides or []), verbose, _span_number(span), as_json))


@app.command()
def schema(
    config: ConfigFile,
    write: Annotated[bool, typer.Option("--write", help="Write the inferred schema to the file.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Infer the schema from the training split, and show what differs from the frozen one."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.config_file import load_config
        from pipeline.schema_job import run_schema_job

        end_with(run_schema_job(load_config(config, overrides or []), write, verbose))


@app.command()
def report(
    config: ConfigFile,
    as_page: Annotated[bool, typer.Option("--html", help="Open report.html in the browser.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Print the newest run's metrics and gates, and where its report.html is."""
    with errors_told(verbose):
        from pipeline.config_file import load_config
        from pipeline.display import console_on
        from pipeline.home import Home
        from pipeline.html_report.open import open_page, page_of_latest
        from pipeline.report import read_latest
        from pipeline.table import report_view

        home = Home(load_config(config, overrides or []).name)
        console = console_on(sys.stdout)
        console.print(report_view(read_latest(home)))
        page = page_of_latest(home)
        if page.exists():
            console.print(f"report: {page}", style="dim", soft_wrap=True)
        if as_page:
            open_page(page)


@app.command()
def compare(
    config: ConfigFile,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Repetitions of each training.")] = 3,
    trunks: Annotated[
        str | None, typer.Option("--trunks", metavar="A,B|all", help="Kinds of trunk to try; default: the config's.")
    ] = None,
    balancings: Annotated[
        str | None, typer.Option("--balancings", metavar="A,B|all", help="Kinds of balancing to try, with each trunk.")
    ] = None,
    confidence: Annotated[float, typer.Option("--confidence", help="Of the intervals that verdicts rest on.")] = 0.95,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", min=1, help="Instead of the configuration's.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FOLDER", help="Where the result goes; default: runs/<name>/compare/<time>."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to stderr.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Train the multi-task model and single-task ones over several seeds, and tell whether sharing helps."""
    with errors_told(verbose):
        environment.prepare(verbose)
        from pipeline.compare.job import CompareOptions, run_compare_job
        from pipeline.config_file import load_config

        options = CompareOptions(seeds, trunks, balancings, confidence, epochs, output, as_json)
        end_with(run_compare_job(load_config(config, overrides or []), options, verbose))


@app.command("schema-of-config")
def schema_of_config() -> None:
    """Print the configuration's JSON Schema."""
    from pipeline.config_file import config_json_schema

    typer.echo(config_json_schema())


register_init(app)
register_history(app)
register_reference(app)
register_serving(app)
register_kubeflow(app)
register_beam(app)
