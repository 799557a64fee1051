"""Tags at ingestion: what does not go with its tokens is refused with its row."""

from typing import Any

import pyarrow as pa
import pytest

from components.example_gen.label_checks import check_tags
from components.example_gen.structured import TagsColumn
from janus_core.errors import DataError
from janus_core.tables.batch import Batch

OF_LISTS = TagsColumn(task="pos", tokens="words", classes=["D", "N", "1"])
OF_TEXTS = OF_LISTS.model_copy(update={"separator": " ", "tokens_separator": "|"})


def check(words: list[Any], tags: list[Any], of: TagsColumn = OF_LISTS, sensitive: list[str] | None = None) -> None:
    kind = pa.large_list(pa.binary()) if of is OF_LISTS else pa.binary()
    columns = {"words": pa.array(words, kind), "tags": pa.array(tags, kind)}
    check_tags(Batch(columns, len(words), lambda row: f"t, row {row + 1}"), {"tags": of}, sensitive or [])


def test_as_many_tags_as_tokens_pass_and_so_do_missing_ones() -> None:
    check([["the", "garden"], ["a"], None], [["D", "N"], None, None])
    check(["the|garden", "a", None], ["D  N", None, ""], OF_TEXTS)


@pytest.mark.parametrize(
    ("words", "tags", "message"),
    [
        (["the", "garden"], ["D"], "has 1 tags, and column 'words' 2 tokens"),
        (None, ["D"], "has 1 tags, and column 'words' 0 tokens"),
        (["the", "garden"], ["D", "X"], "has the tag 'X', which is not among the classes of task 'pos'"),
        (["the", ""], ["D", "N"], "is empty"),
    ],
)
def test_what_does_not_go_together_is_an_error_with_its_row(words: Any, tags: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"t, row 2: column 'tags' .*{message}"):
        check([["a"], words], [["D"], tags])


def test_texts_are_cut_at_their_separators() -> None:
    with pytest.raises(DataError, match="row 1: column 'tags' has 3 tags, and column 'words' 2 tokens"):
        check(["the|garden"], ["D N N"], OF_TEXTS)


def test_the_tag_of_a_sensitive_column_is_not_shown() -> None:
    with pytest.raises(DataError) as error:
        check([["a"]], [["SECRET"]], sensitive=["tags"])
    assert "SECRET" not in str(error.value)


def test_numbers_are_tags_by_their_digits() -> None:
    columns = {"words": pa.array([[b"a"]]), "tags": pa.array([[1]], pa.large_list(pa.int64()))}
    check_tags(Batch(columns, 1, str), {"tags": OF_LISTS})
