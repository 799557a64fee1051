"""The keys of the reference are those of the configuration."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, Field, create_model

from janus_core.strict import Count, Name, reject_bool
from pipeline.config import JanusConfig
from pipeline.config.keys import Key, Variant, children_of, json_schema, keys_of, place_of

KEYS = keys_of(JanusConfig)


class Left(BaseModel):
    """Turns left."""

    kind: Literal["left"] = "left"
    speed: Annotated[float, Field(gt=0, lt=1)] = Field(0.5, description="How fast.")
    depth: Count = Field(description="Required.")


class Right(BaseModel):
    """Turns right.

    With a second paragraph, which is not for a table.
    """

    kind: Literal["right", "starboard"]
    speed: Annotated[float, Field(gt=0, lt=1)] = Field(0.5, description="How fast.")
    depth: Count = Field(3, description="Optional.")


class Whole(BaseModel):
    """All."""

    turn: Annotated[Left | Right, Field(discriminator="kind")] = Field(Left(depth=1), description="Where to.")
    turns: dict[Name, Annotated[Left | Right, Field(discriminator="kind")]] = Field({}, description="By name.")
    grid: dict[str, dict[str, list[Count]]] | None = Field(None, description="Sizes.")
    items: list[Left] = []
    sizes: list[int] | dict[str, list[int]] = []
    pace: Annotated[int, BeforeValidator(reject_bool), Field(ge=0, lt=9)] = 1
    schema_: str | None = Field(None, alias="schema", description="A file.")


WHOLE = keys_of(Whole)


def only(path: str) -> Key:
    (key,) = [key for key in WHOLE if key.path == path]
    return key


def schema_paths(schema: dict[str, Any], node: dict[str, Any], path: str) -> set[str]:
    """The keys that a JSON Schema knows, with `*` for names and indices, as the reference writes them."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    found: set[str] = set()
    for name, child in node.get("properties", {}).items():
        found |= {f"{path}.{name}".lstrip("."), *schema_paths(schema, child, f"{path}.{name}".lstrip("."))}
    for child in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        found |= schema_paths(schema, child, path)
    values = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), None)
    for child in (values, node.get("items")):
        if isinstance(child, dict):
            found |= schema_paths(schema, child, f"{path}.*")
    return found


def test_every_key_of_the_models_is_there() -> None:
    schema = JanusConfig.model_json_schema(by_alias=True)
    expected = schema_paths(schema, schema, "")
    assert len(expected) > 150
    assert expected == {key.path for key in KEYS if key.name != "*"}


def test_every_key_says_what_it_is() -> None:
    assert [key.path for key in KEYS if not key.description] == []


def test_no_key_stands_twice_with_one_meaning() -> None:
    meanings = [(key.path, kind) for key in KEYS for kind in key.kinds or ("",)]
    assert len(meanings) == len(set(meanings))


def test_a_key_that_kinds_share_stands_once() -> None:
    assert only("turn.speed") == Key("turn.speed", (), "number", "> 0, < 1", "0.5", "How fast.")


def test_a_key_that_differs_stands_once_per_meaning() -> None:
    assert [(key.kinds, key.default) for key in WHOLE if key.path == "turn.depth"] == [
        (("left",), None),
        (("right", "starboard"), "3"),
    ]


def test_the_kinds_are_named_with_their_purpose() -> None:
    variants = (
        Variant("kind: left", "Turns left."),
        Variant("kind: right", "Turns right."),
        Variant("kind: starboard", "Turns right."),
    )
    assert only("turn").variants == only("turns.*").variants == variants
    kind = only("turn.kind")
    assert (kind.allowed, kind.default) == ("left, right, starboard", "left")


def test_defaults_are_yaml() -> None:
    assert [only(path).default for path in ("turn", "turns", "grid")] == ["{kind: left, depth: 1}", "{}", "null"]
    tops = {key.path: key.default for key in KEYS}
    assert tops["model.trunk"] == "{kind: shared_bottom}"
    assert tops["model.towers"] == "{default: [32]}"
    assert tops["serving.deployment.memory"] == '"2Gi"'


def test_an_alias_is_the_keys_name() -> None:
    assert only("schema").description == "A file."


def test_the_keys_of_a_mapping_are_those_of_what_it_holds() -> None:
    assert {key.path for key in children_of("turns", WHOLE)} == {"turns.*.kind", "turns.*.speed", "turns.*.depth"}
    assert {key.path for key in children_of("evaluation.gates", KEYS)} == {
        f"evaluation.gates.*.{part}" for part in ("*", "slices", "gap")
    }
    assert {key.path for key in children_of("evaluation.gates.*.*", KEYS)} == {
        f"evaluation.gates.*.*.{rule}" for rule in ("min", "max", "max_drop", "max_rise")
    }
    (drop,) = (key for key in KEYS if key.path == "evaluation.gates.*.*.max_drop")
    assert (drop.type, drop.allowed) == ("number or section", "number ≥ 0")
    assert {key.name for key in children_of(drop.path, KEYS)} == {"limit", "confidence"}
    assert {key.path for key in children_of("evaluation.gates.*.slices", KEYS)} == {
        f"evaluation.gates.*.slices.*.*.{rule}" for rule in ("min", "max", "min_rows")
    }


@pytest.mark.parametrize(
    ("annotation", "shape"),
    [
        (Count, ("whole number", "> 0")),
        (bool, ("true or false", "")),
        (Literal["a", "b"], ("text", "a, b")),
        (list[Count], ("list of whole number", "each: > 0")),
        (Annotated[list[str], Field(min_length=1)], ("list of text", "length ≥ 1")),
        (dict[str, float], ("mapping of name to number", "")),
        (Literal["mean"] | Annotated[float, Field(ge=0)], ("text or number", "mean; number ≥ 0")),
        (Annotated[str, Field(min_length=1, pattern="^a")], ("text", "length ≥ 1, matches ^a")),
        (str | None, ("text", "")),
        (Name, ("text", "length ≤ 128, letters, digits and _, a letter first")),
    ],
)
def test_shapes(annotation: Any, shape: tuple[str, str]) -> None:
    holder = create_model("Holder", key=(annotation, ...))
    assert [(key.type, key.allowed) for key in keys_of(holder)][:1] == [shape]


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(TypeError, match="no words for"):
        keys_of(create_model("Holder", key=(Any, ...)))


@pytest.mark.parametrize(
    ("location", "path", "below"),
    [
        (("turn", "left", "speed"), "turn.speed", []),
        (("turn", "left"), "turn", ["kind", "speed", "depth"]),
        (("turns", "kind", "right"), "turns.kind", ["kind", "speed", "depth"]),
        (("turns", "a b", "[key]"), "turns.a b", ["kind", "speed"]),
        (("grid", "a", "b", 0), "grid.a.b.0", []),
        (("items", 1, "depth"), "items.1.depth", []),
        (("sizes", "dict[str,list[int]]", "a", 0), "sizes.a.0", []),
        (("sizes", "list[int]", 3), "sizes.3", []),
        ((), "", ["turn", "turns", "grid", "items", "sizes", "pace", "schema"]),
    ],
)
def test_an_error_is_placed_without_kinds_and_types(
    location: tuple[str | int, ...], path: str, below: list[str]
) -> None:
    found, keys = place_of(location, WHOLE)
    assert found == path
    assert [key.name for key in keys if key.name != "*"] == below


def test_the_schema_has_json_schemas_keywords_only() -> None:
    limits = json_schema(Whole)["properties"]["pace"]
    assert (limits["minimum"], limits["exclusiveMaximum"]) == (0, 9)
