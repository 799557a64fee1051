"""Columns as a CSV file holds them."""

import pyarrow as pa

from pipeline.commands.predict.output import as_text


def test_bytes_that_are_no_text_are_written_in_base64() -> None:
    column = pa.array([b"plain", None, b"\x89PNG", b""], pa.binary())
    assert as_text(column).to_pylist() == ["plain", None, "iVBORw==", ""]
