"""Looks at the first record of a TFRecord file without TensorFlow."""

from typing import Any, cast

from google.protobuf.empty_pb2 import Empty
from google.protobuf.internal.wire_format import WIRETYPE_LENGTH_DELIMITED
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from janus_core.errors import DataError
from janus_core.tables.column_kinds import Kind
from janus_core.tables.files import damage_reported, open_content

_KINDS: dict[int, Kind] = {1: "bytes", 2: "float", 3: "int"}
"""The fields of tensorflow.Feature's oneof."""


def first_kinds(path: str) -> dict[str, Kind | None] | None:
    """The features of the first tf.Example and their kinds (None: no value); None if the file has no record.

    Raises DataError if the record is not a tf.Example.
    """
    record = _first_record(path)
    if record is None:
        return None
    kinds: dict[str, Kind | None] = {}
    try:
        for features in _fields(record, 1):
            for entry in _fields(features, 1):
                name = b"".join(_fields(entry, 1)).decode("utf-8")
                feature = _parse(b"".join(_fields(entry, 2)))
                kinds[name] = next((_KINDS[number] for number, _ in feature if number in _KINDS), None)
    except (ValueError, DecodeError) as error:
        raise DataError(f"{path}: its first record is not a tf.Example") from error
    return kinds


def _first_record(path: str) -> bytes | None:
    with damage_reported(path, "cannot be read, it is truncated or damaged"), open_content(path) as stream:
        head = stream.read(12)
        if not head:
            return None
        size = int.from_bytes(head[:8], "little")
        if len(head) < 12 or size > 1 << 31:
            raise DataError(f"{path}: not a TFRecord file")
        record = stream.read(size)
    if len(record) < size:
        raise DataError(f"{path}: cannot be read, it is truncated or not a TFRecord file")
    return cast(bytes, record)


def _fields(message: bytes, number: int) -> list[bytes]:
    return [value for field, value in _parse(message) if field == number]


def _parse(message: bytes) -> list[tuple[int, bytes]]:
    """The numbers and values of a protobuf message's fields, all of which are length-delimited in a tf.Example."""
    fields: list[Any] = [*UnknownFieldSet(Empty.FromString(message))]  # type: ignore[misc]
    if any(field.wire_type != WIRETYPE_LENGTH_DELIMITED for field in fields):
        raise ValueError("not a length-delimited field")
    return [(field.field_number, field.data) for field in fields]
