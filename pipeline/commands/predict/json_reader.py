"""Reads rows from JSON, objects in a list or one after the other as in JSON Lines, a part of the file at a time."""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from janus_core.errors import DataError
from janus_core.tables.files import damage_reported, open_content

_PART_BYTES = 1 << 20
_MAX_ROW_CHARS = 64 << 20
"""A longer object is taken for one that is never closed: reading on would take the whole file into memory."""

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class JsonRow:
    """An object of a file, the line (from 1) on which it begins, and its characters."""

    values: dict[str, Any]
    line: int
    size: int


def read_json_rows(path: str) -> Iterator[JsonRow]:
    """The objects of a file (gzip or plain, UTF-8).

    Raises:
        DataError: with the line, for what is not JSON, a value that is no object, and a file that ends midway.
    """
    text, line, end = "", 1, 0
    in_list: bool | None = None
    comma = False
    parts = _parts(path)
    while True:
        begin = end
        end = _SPACE.match(text, end).end()  # type: ignore[union-attr]
        if end == len(text):
            line += text.count("\n", begin, end)
            text, end = next(parts, ""), 0
            if text:
                continue
            if in_list:
                raise DataError(f"{path}, line {line}: the list is never closed, the file is truncated")
            return
        line += text.count("\n", begin, end)
        if in_list is None:
            in_list = text[end] == "["
            if in_list:
                end += 1
                continue
        if in_list and text[end] == "]":
            if any(rest.strip() for rest in chain([text[end + 1 :]], parts)):
                raise DataError(f"{path}, line {line}: there is more after the list's end")
            return
        if in_list and comma:
            if text[end] != ",":
                raise DataError(f"{path}, line {line}: expected ',' or ']' after an object")
            comma, end = False, end + 1
            continue
        if text[end] != "{":
            raise DataError(f'{path}, line {line}: a row must be an object, such as {{"column": 1}}')
        text, end, values, stop = _object(text, end, parts, path, line)
        yield JsonRow(values, line, stop - end)
        line += text.count("\n", end, stop)
        end, comma = stop, True


def _object(text: str, start: int, parts: Iterator[str], path: str, line: int) -> tuple[str, int, dict[str, Any], int]:
    """(text, start, object, end) of the object that begins at `start`, in a text that is extended until it holds it."""
    while True:
        try:
            values, end = _DECODER.raw_decode(text, start)
            return text, start, values, end
        except json.JSONDecodeError as error:
            part = next(parts, "") if len(text) - start < _MAX_ROW_CHARS else ""
            if not part:
                where = line + text.count("\n", start, error.pos)
                raise DataError(f"{path}, line {where}: not JSON: {error.msg} (character {error.colno})") from error
            text, start = text[start:] + part, 0


def _parts(path: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    with open_content(path) as stream:
        while True:
            with damage_reported(path):
                data = stream.read(_PART_BYTES)
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise DataError(f"{path}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
            if text:
                yield text
            if not data:
                return
