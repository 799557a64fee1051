"""`janus report`: the newest run's metrics and gates."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from janus_core.errors import ConfigError, JanusError
from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load
from pipeline.home import Home


@command
def report(
    config: ConfigFile,
    as_page: Annotated[bool, typer.Option("--html", help="Open report.html in the browser.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First make the newest run's report again, from its artifacts.")
    ] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Print the newest run's metrics and gates, and where its report.html is.

    Example:

        janus report configs/orders.yaml --html
    """
    from pipeline.report.report_json import read_latest
    from pipeline.report.view import report_view
    from pipeline.run.display import console_on

    loaded = load(config, overrides)
    home = Home(loaded.name)
    console = console_on(sys.stdout)
    if rebuild:
        from pipeline.run.rebuild import rebuild_report

        rebuild_report(loaded, home, verbose)
    console.print(report_view(read_latest(home)))
    page = page_of_latest(home)
    if page.exists():
        console.print(f"report: {page}", style="dim", soft_wrap=True)
    if as_page:
        open_page(page)


def page_of_latest(home: Home) -> Path:
    """The path of the newest run's page, in the run's own folder; there is no file where it could not be written."""
    from pipeline.report.page import PAGE_FILE

    return home.folder / home.latest.resolve().name / PAGE_FILE


def open_page(page: Path) -> None:
    """Opens a page in the browser.

    Raises:
        ConfigError: there is no such page.
        JanusError: no browser could be started.
    """
    if not page.exists():
        raise ConfigError(f"{page} does not exist: make it with `janus run CONFIG`")
    if not webbrowser.open(page.resolve().as_uri()):
        raise JanusError(f"no browser could be started: open {page} by hand")
