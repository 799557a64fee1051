"""From a column's name to one that the configuration takes."""

import re
import unicodedata
from collections.abc import Collection

_LONGEST = 60
ID_TOKENS = frozenset({"id", "ids", "uuid", "guid", "key", "pk", "rowid", "index", "idx", "identifier", "tailnum"})
CODE_TOKENS = frozenset(
    {"zip", "zipcode", "postcode", "code", "type", "class", "category", "region", "area", "tract", "store", "zone"}
)
POSTCODE_TOKENS = frozenset({"zip", "zipcode", "postcode", "postal", "postalcode", "plz", "pincode"})
_NUMBER_TOKENS = frozenset({"phone", "telephone", "mobile", "fax", "ticket", "account", "iban", "version", "sku", "ip"})


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


def tokens_of(name: str) -> list[str]:
    """The words of a column's name, in lower case: `pickupHour_2` has pickup, hour and 2."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain)
    return [token.lower() for token in re.findall(r"[A-Za-z]+|\d+", parted)]


def names_a_code(name: str) -> bool:
    """Whether a column of this name holds codes or identifiers, of which digits are not numbers."""
    return bool((ID_TOKENS | CODE_TOKENS | POSTCODE_TOKENS | _NUMBER_TOKENS) & set(tokens_of(name)))
