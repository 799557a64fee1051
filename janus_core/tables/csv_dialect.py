"""How a CSV file is written, and its content as UTF-8 with newlines, whatever the file itself uses."""

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa

from janus_core.errors import DataError
from janus_core.tables.config import DataConfig
from janus_core.tables.files import damage_reported, is_gzip, open_content

HEAD_BYTES = 64 << 10
"""The part of a file's beginning that shows what ends its lines."""

BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Dialect:
    """The keys of `data` that have these names; the defaults are those of RFC 4180."""

    delimiter: str = ","
    encoding: str = "utf-8"
    skip_rows: int = 0
    escape_char: str | None = None
    skip_initial_space: bool = False
    skip_footer: int = 0

    @property
    def transcoded(self) -> bool:
        """Whether the file's bytes are not UTF-8, so that reading cannot start in the middle."""
        return codecs.lookup(self.encoding).name not in ("utf-8", "utf-8-sig", "ascii")

    def rows_of(self, text: str) -> Any:
        """Python's reader of `text`: slow, but it knows its line (`line_num`)."""
        return csv.reader(
            io.StringIO(text, newline=""),
            delimiter=self.delimiter,
            escapechar=self.escape_char,
            skipinitialspace=self.skip_initial_space,
        )


RFC_4180 = Dialect()


def dialect_of(data: DataConfig) -> Dialect:
    """The dialect that a configuration describes."""
    return Dialect(**{field.name: getattr(data, field.name) for field in fields(Dialect)})


def starts_midway(path: str, dialect: Dialect) -> bool:
    """Whether reading may start at any byte of a file's content."""
    return not (dialect.transcoded or is_gzip(path))


@contextmanager
def open_rows(path: str, dialect: Dialect, start: int = 0) -> Iterator[Callable[[int], bytes]]:
    """Opens a file's content at byte `start`, and yields a function that reads a number of bytes from there.

    The content is unpacked, in UTF-8, and a file that ends its lines by carriage returns alone gets newlines instead.
    The function raises DataError for a damaged file and for bytes that the encoding does not allow.
    """
    with open_content(path) as raw:
        stream = pa.transcoding_input_stream(raw, dialect.encoding, "utf-8") if dialect.transcoded else raw
        head = _read(stream, HEAD_BYTES, path, dialect, 0)
        returns = b"\r" in head[:-1] and b"\n" not in head
        waiting, lines = head, 0
        if stream.seekable():
            stream.seek(start)
            waiting = b""

        def read(count: int) -> bytes:
            nonlocal waiting, lines
            data, waiting = waiting[:count], waiting[count:]
            data = data or _read(stream, count, path, dialect, lines)
            data = data.replace(b"\r", b"\n") if returns else data
            lines += data.count(b"\n") if dialect.transcoded else 0
            return data

        skip = 0 if stream.seekable() else start
        while skip > 0 and (data := read(min(skip, 4 << 20))):
            skip -= len(data)
        yield read


def _read(stream: pa.NativeFile, count: int, path: str, dialect: Dialect, lines: int) -> bytes:
    try:
        with damage_reported(path):
            return stream.read(count)
    except UnicodeError as error:
        # UTF-16 without a byte order mark is a UnicodeError without a reason.
        reason = error.reason if isinstance(error, UnicodeDecodeError) else error
        raise DataError(
            f"{path}, after line {lines}: not {dialect.encoding} ({reason}); data.encoding must name "
            "the encoding that the file is written in"
        ) from error
