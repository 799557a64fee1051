"""The server's page as tests use it in a browser."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from serving.server.run import RunningServer

DESKTOP = {"width": 1280, "height": 900}

Open = Callable[..., Page]


@contextmanager
def opener(browser: Browser) -> Iterator[Open]:
    """Opens a server's page; afterwards there must be no error in its console, and no request to anyone else."""
    contexts, errors, foreign, expected = [], [], [], []

    def open_(
        server: RunningServer, size: dict[str, int] = DESKTOP, scheme: str = "light", failures: tuple[str, ...] = ()
    ) -> Page:
        context = browser.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        expected.extend(failures)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda line: errors.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: foreign.append(request.url) if is_foreign(request.url, server) else None)
        page.goto(server.rest)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [error for error in errors if not any(text in error for text in expected)] == []
    assert foreign == []


def is_foreign(url: str, server: RunningServer) -> bool:
    return not url.startswith((f"{server.rest.rstrip('/')}/", "data:"))


def fill(page: Page, row: dict[str, str]) -> None:
    for label, text in row.items():
        page.get_by_label(label, exact=True).fill(text)


def posts(page: Page) -> list[dict[str, Any]]:
    """The bodies of the requests from now on."""
    found: list[dict[str, Any]] = []
    page.on("request", lambda request: found.append(json.loads(request.post_data)) if request.post_data else None)
    return found


def card(page: Page, task: str) -> Locator:
    return page.get_by_role("article", name=task, exact=True)


def predict(page: Page) -> None:
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#results .by")).to_contain_text("Answered by version")
