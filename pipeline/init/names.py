"""From a column's name to one that the configuration takes."""

import re
import unicodedata
from collections.abc import Collection

_LONGEST = 60


def unique_name(column: str, taken: Collection[str], suffix: str = "column") -> str:
    """Letters, digits and _ only, beginning with a letter, and none of `taken`.

    A column whose name is that already keeps it, unless it is taken.
    """
    plain = unicodedata.normalize("NFKD", column.replace("ß", "ss")).encode("ascii", "ignore").decode()
    name = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_]", "_", plain)).strip("_")[:_LONGEST]
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", column) and len(column) <= _LONGEST:
        name = column
    if not name or not name[0].isalpha():
        name = f"{suffix}_{name}".rstrip("_")
    if name not in taken:
        return name
    name = f"{name}_{suffix}" if f"{name}_{suffix}" not in taken else name
    number = 2
    while (numbered := f"{name}_{number}" if name in taken else name) in taken:
        number += 1
    return numbered
