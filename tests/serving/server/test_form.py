"""The form's fields as HTML, without a browser."""

import re

from janus_core.templates import templates_of
from serving.server.page import Field


def html_of(**keys: object) -> str:
    field = Field.model_validate({"name": "note", "dtype": "string", "required": False, "missing": '""', **keys})
    return str(templates_of("serving.server").get_template("field.html").module.input(field, 3))  # type: ignore[attr-defined]


def test_free_text_has_an_area() -> None:
    found = html_of(kinds=["text"])
    assert re.search(r'<textarea id="column-3"[^>]*rows="3"[^>]*></textarea>', found)
    assert "<input" not in found
    assert "text, may be empty" in found


def test_others_have_a_line() -> None:
    found = html_of(kinds=["datetime"], required=True)
    assert re.search(r'<input id="column-3"[^>]*type="text"[^>]* required', found)
    assert "<textarea" not in found
    assert "date or time" in found
    many = html_of(kinds=["set"], many=True, values=["a", "b"])
    assert "texts, comma separated, may be empty; such as a, b" in many
