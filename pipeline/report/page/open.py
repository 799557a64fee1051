"""Finds the newest run's page, and opens it."""

import webbrowser
from pathlib import Path

from janus_core.errors import ConfigError, JanusError
from pipeline.home import Home

PAGE_FILE = "report.html"


def page_of_latest(home: Home) -> Path:
    """Where the newest run's page is, in the run's own folder; a run of an older release left none."""
    return home.folder / home.latest.resolve().name / PAGE_FILE


def open_page(page: Path) -> None:
    """Opens a page in the person's browser.

    Raises:
        ConfigError: there is no such page.
        JanusError: there is no browser that could be started.
    """
    if not page.exists():
        raise ConfigError(f"{page} does not exist: make it with `janus run CONFIG`")
    if not webbrowser.open(page.resolve().as_uri()):
        raise JanusError(f"no browser could be started: open {page} by hand")
