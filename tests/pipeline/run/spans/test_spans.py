"""What counts as new: files of the window, configuration, schema and code."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from janus_core.errors import DataError
from janus_core.packages import PACKAGES
from pipeline.run import spans as of_spans
from pipeline.run.spans import inputs_of
from tests.pipeline.run.spans.harness import PATH, spans_config, write_span
from tests.pipeline.small import small_config, write_table
from tests.project import copy_sources


@pytest.fixture(autouse=True)
def spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans 1 to 4 in the working folder."""
    monkeypatch.chdir(tmp_path)
    for span in range(1, 5):
        write_span(span)


def digest(span: int | None = None, **changed: Any) -> str:
    found = inputs_of(spans_config(**changed), span)
    assert found is not None
    return found.digest


def rewrite() -> None:
    """The same bytes, written later."""
    os.utime("data/2/v1/table.csv", ns=(1, 1))


@pytest.mark.parametrize(
    "change", [lambda: write_span(5), lambda: write_span(3, 2), rewrite], ids=["new", "version", "rewritten"]
)
def test_another_file_of_the_window_is_something_new(change: Callable[[], Any]) -> None:
    before = digest()
    assert digest() == before
    change()
    assert digest() != before


def test_a_span_before_the_window_is_nothing_new() -> None:
    before = digest()
    write_span(1, version=2)
    assert digest() == before


def test_configuration_and_code_count(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest()
    assert digest(window=3) != before
    assert digest(training={"epochs": 2}) != before
    monkeypatch.setattr(of_spans, "folder_fingerprint", lambda *paths: "edited")
    assert digest() != before


def test_the_schema_counts_by_its_content() -> None:
    schema = Path("schema.pbtxt")
    schema.write_text("one", encoding="utf-8")
    before = digest(schema="schema.pbtxt")
    schema.write_text("two", encoding="utf-8")
    assert digest(schema="schema.pbtxt") != before


def test_a_span_that_is_named_is_the_same_as_the_newest() -> None:
    assert digest(4) == digest()
    assert digest(3) != digest()
    with pytest.raises(DataError, match="there is no span 9 in .*; the existing ones are 1-4"):
        digest(9)


def test_of_a_split_by_hash_only_the_newest_span_is_read() -> None:
    config = small_config(Path(), data={"path": PATH, "window": 2})
    before = inputs_of(config)
    write_span(3, version=2)
    assert inputs_of(config) == before


def test_data_without_spans_have_no_inputs(tmp_path: Path) -> None:
    write_table(tmp_path / "plain")
    assert inputs_of(small_config(tmp_path / "plain")) is None


@pytest.mark.parametrize("package", PACKAGES)
def test_all_code_of_the_project_counts(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_sources(tmp_path, *PACKAGES)
    monkeypatch.setattr(of_spans, "ROOT", tmp_path)
    before = digest()
    with (tmp_path / package / "__init__.py").open("a") as file:
        file.write("# edited\n")
    assert digest() != before
