"""`janus run`: one run of the whole pipeline."""

from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, end_reported_by_event, load


@command
def run(
    config: ConfigFile,
    span: Annotated[
        str | None, typer.Option("--span", metavar="N", help="The span to run, a number or date; default: the newest.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print only events, each as a JSON object on one line.")
    ] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Run the whole pipeline: read, check, transform, train, evaluate, push.

    Exit codes: 0 pushed, or nothing new to do; 1 unexpected; 2 usage or configuration; 3 data or schema rejected;
    4 a task's gate failed, nothing pushed; 5 the exported model failed its serving check; 130 interrupted.

    Example:

        janus run configs/flights.yaml --set training.epochs=10
    """
    with end_reported_by_event(as_json):
        from pipeline.run.job import run_job

        return run_job(load(config, overrides), verbose, _span_number(span), as_json)


def _span_number(text: str | None) -> int | None:
    from janus_core.errors import ConfigError
    from janus_core.tables.spans import parse_span

    if text is None:
        return None
    try:
        return parse_span(text)
    except ValueError as error:
        raise ConfigError(f"--span: {error}") from None
