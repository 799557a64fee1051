"""Numbers as people write them, and words for missing values of one column."""

import pyarrow as pa
import pytest

from janus_core.tables.cells import CellForm, CellForms, forms_of
from janus_core.tables.column_kinds import CellError, kind_of_text, text_to_kind
from janus_core.tables.config import DataConfig


def numbers(form: CellForm, *cells: str | None) -> list[float | None]:
    return text_to_kind(form.plain(pa.array(cells, pa.string())), "float").to_pylist()


@pytest.mark.parametrize(
    ("form", "cells", "expected"),
    [
        (CellForm(), ["1.5", "-2", None], [1.5, -2.0, None]),
        (CellForm(decimal=","), ["1,5", "-0,25", ",5", "7", "1e3"], [1.5, -0.25, 0.5, 7.0, 1000.0]),
        (CellForm(thousands=","), ["1,234.50", "12,345,678", "-1,000", "7"], [1234.5, 12345678.0, -1000.0, 7.0]),
        (CellForm(decimal=",", thousands="."), ["1.234,50", "1.000", "0,5"], [1234.5, 1000.0, 0.5]),
        (CellForm(decimal=",", thousands=" "), ["1 234,5", "1\u202f234", "12\u00a0345"], [1234.5, 1234.0, 12345.0]),
        (CellForm(thousands="'"), ["1'234", "1\u2019234.5"], [1234.0, 1234.5]),
        (CellForm(thousands=","), ["12,34,567"], [1234567.0]),
        (CellForm(unit="%"), ["30%", "4.5 %", "-1%", "0"], [30.0, 4.5, -1.0, 0.0]),
        (CellForm(unit="$", thousands=","), ["$1,234", "-$5", "$-5.5", "$ 7", "8 $"], [1234.0, -5.0, -5.5, 7.0, 8.0]),
        (
            CellForm(unit="kg"),
            ["3.2 kg", "3kg", " ", "NaN"],
            [3.2, 3.0, None, pytest.approx(float("nan"), nan_ok=True)],
        ),
        (CellForm(unit="€", decimal=",", thousands="."), ["€ 1.200", "1.200,5 €"], [1200.0, 1200.5]),
    ],
)
def test_numbers(form: CellForm, cells: list[str], expected: list[float | None]) -> None:
    assert numbers(form, *cells) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("form", "cell", "words"),
    [
        (CellForm(decimal=","), "1.5", "data.decimal is ','"),
        (CellForm(thousands=","), "1,23", "data.thousands is ','"),
        (CellForm(unit="kg"), "3 kg 2", "its unit is 'kg'"),
        (CellForm(unit="%"), "%", "its unit is '%'"),
        (CellForm(decimal=","), "e5", "data.decimal"),
    ],
)
def test_what_is_no_number_in_its_form_is_named(form: CellForm, cell: str, words: str) -> None:
    with pytest.raises(CellError, match=words) as caught:
        numbers(form, "1", cell)
    assert (caught.value.row, caught.value.value) == (1, cell)


def test_each_column_has_its_own_words_and_marks() -> None:
    data = DataConfig(path="t.csv", null_values={"n": ["NA", "?"]}, decimal={"price": ","})
    forms = forms_of(data, {"share": "%"})
    cells = pa.array(["NA", "1"])
    assert forms.of("n").known(cells).to_pylist() == [None, "1"]
    assert forms.of("class").known(cells).to_pylist() == ["NA", "1"]
    assert forms.kind("price", pa.array(["1,5", "2"])) == "float"
    assert forms.kind("note", pa.array(["1,5", "2"])) == "bytes"
    assert forms.kind("share", pa.array(["30%", "2%"])) == "int"
    assert forms_of(DataConfig(path="t.csv", null_values=["NA"])).of("any").known(cells).to_pylist() == [None, "1"]


def test_text_keeps_its_cells() -> None:
    forms = CellForms(decimal=",")
    assert forms.convert("note", pa.array(["1,5", " "]), "bytes").to_pylist() == [b"1,5", b" "]


def test_blanks_among_numbers_are_missing() -> None:
    cells = pa.array(["1", " ", "2"])
    assert kind_of_text(cells) == "int"
    assert text_to_kind(cells, "int").to_pylist() == [1, None, 2]
    assert kind_of_text(pa.array(["a", " "])) == "bytes"
    assert kind_of_text(pa.array([" ", "  "])) is None


def test_two_marks_that_are_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"both '\.': give data\.decimal as well"):
        DataConfig(path="t.csv", thousands=".")
    with pytest.raises(ValueError, match="of column 'a' are both ','"):
        DataConfig(path="t.csv", decimal={"a": ","}, thousands=",")
    assert DataConfig(path="t.csv", decimal=",", thousands=".").thousands == "."
