"""What the words of a column's name say about it, and the names that a configuration can use instead."""

import re
import unicodedata
from collections.abc import Collection

_LONGEST = 60
ID_TOKENS = frozenset({"id", "ids", "uuid", "guid", "key", "pk", "rowid", "index", "idx", "identifier", "tailnum"})
CODE_TOKENS = frozenset(
    {"zip", "zipcode", "postcode", "code", "type", "class", "category", "region", "area", "tract", "store", "zone"}
)
POSTCODE_TOKENS = frozenset({"zip", "zipcode", "postcode", "postal", "postalcode", "plz", "pincode"})
BIRTH_TOKENS = frozenset({"birth", "born", "dob", "birthday", "birthdate"})
TIME_TOKENS = frozenset(
    {"time", "timestamp", "ts", "date", "datetime", "epoch", "created", "updated", "at", "when", "ymd", "yyyymmdd"}
)
ORDER_TOKENS = frozenset({"rating", "stars", "grade", "quality", "level", "rank", "score", "severity", "stage"})
COUNT_TOKENS = frozenset({"count", "counts", "num", "number", "claims", "visits", "clicks", "events", "n"})
_NUMBER_TOKENS = frozenset({"phone", "telephone", "mobile", "fax", "ticket", "account", "iban", "version", "sku", "ip"})
_PERSON_TOKENS = frozenset(
    {"ssn", "passport", "iban", "phone", "telephone", "mobile", "fax", "username", "login"}
    | {"surname", "lastname", "firstname", "forename", "fullname", "nickname"}
)
_WHOSE_NAME_TOKENS = frozenset(
    {"first", "last", "full", "family", "given", "middle", "maiden", "user", "customer", "client", "patient"}
    | {"employee", "member", "passenger", "contact", "driver", "owner", "person", "student", "applicant", "holder"}
)


def unique_name(column: str, taken: Collection[str], suffix: str = "column") -> str:
    """A name of letters, digits and _ that begins with a letter and is not in `taken`.

    A column that has such a name already keeps it, unless it is taken.
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
    """The words of a column's name, in lower case: those of `pickupHour_2` are pickup, hour and 2."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain)
    return [token.lower() for token in re.findall(r"[A-Za-z]+|\d+", parted)]


def names_a_code(name: str) -> bool:
    """Whether a column of this name holds codes or identifiers, whose digits are not numbers."""
    return bool((ID_TOKENS | CODE_TOKENS | POSTCODE_TOKENS | _NUMBER_TOKENS) & set(tokens_of(name)))


def names_a_person(name: str) -> bool:
    """Whether a column of this name identifies people."""
    tokens = set(tokens_of(name))
    a_name = "name" in tokens and _WHOSE_NAME_TOKENS & tokens
    return bool(_PERSON_TOKENS & tokens or a_name or {"social", "security"} <= tokens)
