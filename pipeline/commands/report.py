"""`janus report`: the newest run's metrics and gates."""

import sys
from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
def report(
    config: ConfigFile,
    as_page: Annotated[bool, typer.Option("--html", help="Open report.html in the browser.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Print the newest run's metrics and gates, and where its report.html is."""
    from pipeline.home import Home
    from pipeline.report.page.open import open_page, page_of_latest
    from pipeline.report.report_json import read_latest
    from pipeline.report.view import report_view
    from pipeline.run.display import console_on

    home = Home(load(config, overrides).name)
    console = console_on(sys.stdout)
    console.print(report_view(read_latest(home)))
    page = page_of_latest(home)
    if page.exists():
        console.print(f"report: {page}", style="dim", soft_wrap=True)
    if as_page:
        open_page(page)
