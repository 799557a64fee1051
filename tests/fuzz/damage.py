"""Ways to damage bytes, and values that nobody expects."""

import copy
from random import Random
from typing import Any

TOKENS = [
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b"'", b",", b";", b"\t", b"NaN", b"-inf", b"1e999"),
    *(b"9" * 40, b"{", b"[", b"]}", b"*", b"&a", b"!!python/object:os.system", b"!t ", b"<<: ", b"? ", b": ", b"- "),
    *(b"2024-13-45", b"0x", b"\\", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xd9\xa1", b"%d", b"{SPAN}", b"null", b"~"),
]

ODD: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        -(2**63),
        10**30,
        0.0,
        -0.5,
        1e-300,
        1e308,
        float("nan"),
        float("inf"),
    ),
    *(
        "",
        " ",
        "x",
        "1",
        "-1",
        "nan",
        "\0",
        "a\nb",
        "\ud800",
        "é",
        "\u0661",
        "NO",
        "2024-01-01",
        "../x",
        "{SPAN}",
        "x" * 3000,
    ),
    *([], {}, [None], [[]], [[1], [2, 3]], {"": 1}, {"kind": "none"}, {"kind": []}, {"b64": "aGk="}, {"b64": 1}),
    *([1, "a", None], [0] * 200, [[[[[[[[1]]]]]]]], ["a"] * 3, {"a": {"b": {"c": {}}}}),
]


def damaged(data: bytes, random: Random, most: int = 4) -> bytes:
    """The bytes with up to `most` damages: flipped, cut, doubled or removed parts, and tokens that mean something."""
    changed = bytearray(data)
    for _ in range(random.randint(1, most)):
        at = random.randint(0, len(changed))
        kind = random.randrange(6)
        if kind == 0 and changed:
            changed[at % len(changed)] ^= 1 << random.randrange(8)
        elif kind == 1:
            del changed[at:]
        elif kind == 2:
            changed[at:at] = random.choice(TOKENS)
        elif kind == 3:
            changed[at:at] = changed[at : at + random.randint(1, 60)]
        elif kind == 4:
            del changed[at : at + random.randint(1, 60)]
        elif changed:
            changed[at % len(changed)] = random.randrange(256)
    return bytes(changed)


def reworked(document: Any, random: Random, most: int = 3) -> Any:
    """A copy of a JSON document in which up to `most` values are others, are gone, or are somewhere else."""
    document = copy.deepcopy(document)
    for _ in range(random.randint(1, most)):
        places = list(_places(document))
        if not places:
            return random.choice(ODD)
        node, key = random.choice(places)
        kind = random.randrange(6)
        if kind == 0:
            del node[key]
        elif kind == 1:
            _add(node, random.choice([*map(str, ODD[:8]), "kind", "path", "x"]), copy.deepcopy(random.choice(ODD)))
        elif kind == 2:
            other, at = random.choice(places)
            node[key] = copy.deepcopy(other[at])
        else:
            node[key] = copy.deepcopy(random.choice(ODD))
    return document


def _places(node: Any) -> Any:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(items):
        yield node, key
        yield from _places(value)


def _add(node: Any, key: str, value: Any) -> None:
    if isinstance(node, dict):
        node[key] = value
    else:
        node.append(value)
