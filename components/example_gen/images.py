"""Columns of images: files are read where they are named, and each image is decoded once to see whether it can be."""

import struct
from collections.abc import Mapping

import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from components.example_gen.structured import ImageColumn
from janus_core.errors import DataError
from janus_core.tables.batch import Batch
from janus_core.tables.lists import flat_values, is_list

LARGEST_FILE = 256 << 20
"""Bytes of an encoded image; a tf.Example has at most 2 GB."""
ROWS_AT_ONCE = 256
"""Rows of which the images' files are in memory at once."""
MOST_PROBLEMS = 20


class _BadImageError(ValueError):
    """What is wrong with an image; the message continues "column 'x' …"."""


def with_images(batch: Batch, path: str, images: Mapping[str, ImageColumn], sensitive: list[str]) -> Batch:
    """The rows with the encoded images in place of paths.

    Args:
        batch: the rows.
        path: of the file that they are from, to whose folder the images' paths are relative.
        images: column → what it holds.
        sensitive: columns whose values no message shows.

    Raises:
        DataError: with a sentence for each row whose image cannot be read or decoded.
    """
    columns, problems = dict(batch.columns), []
    for name, image in images.items():
        if name not in columns or columns[name].null_count == batch.rows:
            continue
        read: list[bytes | None] = []
        for row, value in enumerate(_values(columns[name], name, batch)):
            try:
                read.append(None if value is None else _checked(value, path, image, name in sensitive))
            except _BadImageError as error:
                problems.append(f"{batch.locate(row)}: column '{name}' (features.{image.feature}) {error}")
                if len(problems) == MOST_PROBLEMS:
                    raise DataError("; ".join(problems), problems) from None
        if image.source == "path":
            columns[name] = pa.array(read, pa.binary()) if not problems else columns[name]
    if problems:
        raise DataError("; ".join(problems), problems)
    if all(image.source == "bytes" for image in images.values()):
        return batch
    return Batch(columns, batch.rows, batch.locate)


def _values(column: pa.Array, name: str, batch: Batch) -> list[bytes | None]:
    if not is_list(column.type):
        return [value.encode() if isinstance(value, str) else value for value in column.to_pylist()]
    values, offsets = flat_values(column)
    texts = values.to_pylist()
    found: list[bytes | None] = []
    for row in range(batch.rows):
        if offsets[row + 1] - offsets[row] > 1:
            raise DataError(f"{batch.locate(row)}: column '{name}' has several images, a row has one")
        found.append(texts[offsets[row]] if offsets[row + 1] > offsets[row] else None)
    return found


def _checked(value: bytes | int | float, path: str, image: ImageColumn, sensitive: bool) -> bytes:
    """The encoded image of a cell."""
    if not isinstance(value, bytes):
        raise _BadImageError("holds a number, not an image; correct features' `kind` or the column")
    if image.source == "bytes":
        check_image(value, image.max_pixels)
        return value
    named = value.decode("utf-8", "backslashreplace")
    shown = "a file" if sensitive else f"'{named}'"
    try:
        encoded = read_file(beside(path, named))
    # Beam's file systems have exceptions of their own.
    except Exception as error:
        reason = "" if sensitive else f": {error}"
        raise _BadImageError(f"names {shown}, which cannot be read{reason}") from None
    try:
        check_image(encoded, image.max_pixels)
    except _BadImageError as error:
        raise _BadImageError(f"names {shown}, which {error}") from None
    return encoded


def read_file(path: str) -> bytes:
    """A file's content, as far as an image may have; Beam's file systems have exceptions of their own."""
    with FileSystems.open(path) as stream:
        return bytes(stream.read(LARGEST_FILE + 1))


def beside(path: str, named: str) -> str:
    """The address of a file that is named relative to the folder of the file at `path`."""
    if named.startswith("/") or "://" in named:
        return named
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{named}"


def check_image(encoded: bytes, max_pixels: int) -> None:
    """Decodes an image as the model will, but only if its header says that it is small enough.

    Raises:
        ValueError: it is none, too large, or damaged; the message continues "column 'x' …".
    """
    import tensorflow as tf

    if not encoded:
        raise _BadImageError("holds an image of 0 bytes; a missing image is a null, not an empty value")
    if len(encoded) > LARGEST_FILE:
        raise _BadImageError(f"holds an image of more than {LARGEST_FILE >> 20} MB")
    try:
        height, width = image_size(encoded)
        if height < 1 or width < 1:
            raise _BadImageError(f"holds an image of {height} x {width} pixels")
        if height * width > max_pixels:
            raise _BadImageError(
                f"holds an image of {height} x {width} pixels, of which it may have {max_pixels:,} (max_pixels): make "
                "it smaller, or raise this key"
            )
        tf.io.decode_image(encoded, channels=3, expand_animations=False)
    except (tf.errors.OpError, struct.error):
        raise _BadImageError("holds a damaged image, which cannot be decoded: write it again, or remove it") from None


def image_size(encoded: bytes) -> tuple[int, int]:
    """Height and width by the header.

    Raises:
        ValueError: it is no image; struct's and TensorFlow's own errors, where it is damaged.
    """
    import tensorflow as tf

    if encoded.startswith(b"\xff\xd8\xff"):
        height, width, _ = tf.image.extract_jpeg_shape(encoded).numpy().tolist()
        return height, width
    if encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack_from(">II", encoded, 16)
        return height, width
    if encoded.startswith(b"GIF8"):
        width, height = struct.unpack_from("<HH", encoded, 6)
        return height, width
    raise _BadImageError("holds no image in JPEG, PNG or GIF; convert it to one of these formats")
