"""The command line. TFX and TensorFlow take ten seconds to import, so commands import them only when they run."""

from typing import Annotated

import typer

from pipeline.commands.beam.command import beam
from pipeline.commands.clean.command import clean
from pipeline.commands.compare.command import compare
from pipeline.commands.deployment.command import deployment
from pipeline.commands.diff.command import diff
from pipeline.commands.explain.command import explain, schema_of_config
from pipeline.commands.init.command import init
from pipeline.commands.kubeflow.command import kubeflow
from pipeline.commands.lineage.command import lineage
from pipeline.commands.predict.command import predict
from pipeline.commands.report import report
from pipeline.commands.run import run
from pipeline.commands.runs.command import runs
from pipeline.commands.schema.command import schema
from pipeline.commands.serve.command import serve
from pipeline.commands.skew.command import skew
from pipeline.commands.tensorboard import tensorboard
from pipeline.commands.tune.command import tune
from pipeline.commands.versions.command import rollback, versions

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
        from pipeline.report.report_json import janus_version

        typer.echo(f"janus {janus_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


_PANELS = {
    "Train": (init, run, report, tune, compare, schema),
    "Look back": (runs, diff, lineage, tensorboard, clean),
    "Serve": (serve, predict, skew, versions, rollback, deployment),
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
app.add_typer(kubeflow, rich_help_panel="Run elsewhere")
app.command(rich_help_panel="Run elsewhere")(beam)
app.command(rich_help_panel="Reference")(explain)
app.command("schema-of-config", rich_help_panel="Reference")(schema_of_config)
