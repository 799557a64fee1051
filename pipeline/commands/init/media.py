"""Columns of images, of tokens in their order, and of a tag per token: how they are told from others."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.images import beside, image_size, read_file
from janus_core.tables.lists import list_offsets
from pipeline.commands.init.number_forms import is_utf8
from pipeline.commands.init.profile import Profile
from pipeline.commands.init.wording import shown

MOST_TAGS = 100
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")
_NAME = re.compile(r"(?i).*\.(png|jpe?g|gif)")
_MOST_SIDE = 64
_LOOKED_AT = 200
_OPENED = 20
_SHARE = 0.9
_REPEATS = 0.05
"""Sets have no value twice: with more rows that have one, a list is tokens in their order."""

Found = tuple[str, dict[str, Any]]
"""The reason for a feature, and its keys."""


def images_of(column: Profile) -> Found | None:
    """Encoded images, by their first bytes."""
    values = column.array.drop_null().slice(0, _LOOKED_AT).to_pylist()
    images = [value for value in values if value.startswith(_MAGIC)]
    if len(images) < _SHARE * len(values):
        return None
    others = len(values) - len(images)
    bad = f"; {others} of {len(values)} are no images, and end a run: correct or remove them" if others else ""
    what, options = _sized(images[:_OPENED])
    return f"images, {what}{bad}", options


def image_files_of(column: Profile, tables: Sequence[str]) -> Found | str | None:
    """Names of images' files, by their endings, relative to the folder of a table's file.

    Returns:
        A text instead: why the column cannot be used.
    """
    named = [value for value in column.values if _NAME.fullmatch(value.strip())]
    if len(named) < _SHARE * len(column.values) or not named:
        return None
    images = []
    for name in named[:_OPENED]:
        for table in tables:
            try:
                images.append(read_file(beside(table, name)))
                break
            # Beam's file systems have exceptions of their own.
            except Exception:
                continue
        else:
            return f"names of images' files, of which {shown(name)} is not beside the table: correct them to use it"
        if not images[-1].startswith(_MAGIC):
            return f"names of images' files, of which {shown(name)} is no JPEG, PNG or GIF: convert them to use it"
    what, options = _sized(images)
    others = len(column.values) - len(named)
    bad = f"; {others} other values, which end a run: correct or remove them" if others else ""
    return f"names of images' files, {what}{bad}", {"source": "path", **options}


def _sized(images: Sequence[bytes]) -> Found:
    """The images' usual size, and the keys of a feature of it, smaller where they are large."""
    sizes = []
    for image in images:
        try:
            sizes.append(image_size(image))
        # TensorFlow's and struct's, of damaged images, which ExampleGen names.
        except Exception:
            continue
    height, width = np.median(sizes, axis=0).astype(int).tolist() if sizes else (_MOST_SIDE, _MOST_SIDE)
    scale = min(1.0, _MOST_SIDE / max(height, width, 1))
    grey = all(image.startswith(_MAGIC[1]) and image[25:26] in (b"\0", b"\4") for image in images)
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    colours = "grey" if grey else "colour"
    return f"{colours}, usually {height} x {width} pixels", {"size": size, **({"channels": 1} if grey else {})}


# --- tokens -------------------------------------------------------------------------------------------------------


def repeating_share(column: Profile) -> float:
    """Of a column of lists: the share of rows with several values of which one comes twice."""
    rows = [row for row in column.array.slice(0, 10_000).to_pylist() if row and len(row) > 1]
    return float(np.mean([len(set(row)) < len(row) for row in rows])) if rows else 0.0


def is_ordered(column: Profile) -> bool:
    """Whether lists of text are tokens in an order rather than a set."""
    return repeating_share(column) > _REPEATS


def sequence_keys(column: Profile) -> dict[str, Any]:
    """The keys of a feature that reads the tokens of nearly all rows whole."""
    lengths = _lengths(column)
    needed = float(np.quantile(lengths[lengths > 0], 0.99))
    length = int(min(max(8, 2 ** np.ceil(np.log2(needed))), 256))
    return {**({} if column.listed else {"separator": " "}), "max_length": length}


def tokens_beside(tags: Profile, others: Sequence[Profile]) -> Profile | None:
    """The column of tokens to each of which `tags` has a tag: of as many values in every row, and of more different
    ones; None if there is none."""
    if not _may_be_tokens(tags) or not 2 <= len(values_in(tags)) <= MOST_TAGS:
        return None
    lengths = _lengths(tags)
    found = []
    for column in others:
        if column.name == tags.name or column.listed != tags.listed or not _may_be_tokens(column):
            continue
        others_lengths = _lengths(column)
        both = (lengths > 0) & (others_lengths > 0)
        same = both.sum() >= 10 and (lengths[both] == others_lengths[both]).all()
        if same and len(np.unique(lengths[both])) > 1 and len(values_in(column)) > len(values_in(tags)):
            found.append(column)
    return max(found, key=lambda column: len(values_in(column)), default=None)


def values_in(column: Profile) -> list[str]:
    """The different values in its lists, or parts of its texts between blanks; O, which is no entity, comes first."""
    flat = column.array.flatten() if column.listed else pc.list_flatten(_split(column))
    return sorted(flat.drop_null().cast(pa.string()).unique().to_pylist(), key=lambda value: (value != "O", value))


def tags_in_row(value: Any) -> list[str]:
    """The values of a list, or the parts of a text between blanks."""
    if isinstance(value, bytes):
        return value.decode().split()
    return [item.decode() for item in value or []]


def _may_be_tokens(column: Profile) -> bool:
    if column.kind != "bytes" or not is_utf8(column.array.flatten() if column.listed else column.array):
        return False
    return column.listed or float(np.mean(_lengths(column))) >= 2


def _split(column: Profile) -> pa.ListArray:
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(column.array.cast(pa.string())))


def _lengths(column: Profile) -> np.ndarray:
    """The number of tokens in each row, int64; 0 where the value is missing."""
    if column.listed:
        return np.diff(list_offsets(column.array))
    return pc.list_value_length(_split(column)).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
