"""The keys of the reference are those of the configuration."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from janus_core.errors import ConfigError
from pipeline.commands.explain.keys import Key, Variant, children_of, keys_of
from pipeline.commands.explain.lookup import find
from pipeline.commands.explain.markdown import reference_page
from pipeline.commands.explain.shape import Shape, shape_of
from pipeline.config import JanusConfig
from trainer.config import Count, Name

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


def test_every_key_is_on_the_page() -> None:
    page = reference_page(KEYS)
    assert [key.path for key in KEYS if f"`{key.path}`" not in page] == []


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
        f"evaluation.gates.*.*.{rule}" for rule in ("min", "max", "max_drop", "max_rise")
    }


@pytest.mark.parametrize(
    ("annotation", "shape"),
    [
        (Count, Shape("whole number", "> 0")),
        (bool, Shape("true or false")),
        (Literal["a", "b"], Shape("text", "a, b")),
        (list[Count], Shape("list of whole number", "each: > 0")),
        (Annotated[list[str], Field(min_length=1)], Shape("list of text", "length ≥ 1")),
        (dict[str, float], Shape("mapping of name to number")),
        (Literal["mean"] | Annotated[float, Field(ge=0)], Shape("text or number", "mean; number ≥ 0")),
        (Annotated[str, Field(min_length=1, pattern="^a")], Shape("text", "length ≥ 1, matches ^a")),
        (str | None, Shape("text")),
        (Name, Shape("text", "length ≤ 128, letters, digits and _, a letter first")),
    ],
)
def test_shapes(annotation: Any, shape: Shape) -> None:
    assert shape_of(annotation) == shape


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(TypeError, match="no words for the type"):
        shape_of(complex)


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("model.trunk", "model.trunk"),
        ("tasks.*.loss", "tasks.*.loss"),
        ("tasks.late.loss", "tasks.*.loss"),
        ("model.towers.default", "model.towers.*"),
        ("kubeflow.secrets.0.env", "kubeflow.secrets.*.env"),
        ("beam.flink.environment_config.command", "beam.flink.environment_config.command"),
        ("schema", "schema"),
    ],
)
def test_keys_are_found_as_they_stand_in_a_file(asked: str, path: str) -> None:
    assert {key.path for key in find(asked, KEYS)} == {path}


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("model.trunks", "Did you mean 'model.trunk'? Keys of 'model': trunk, towers, balancing"),
        ("trainning", "Did you mean 'training'?"),
        ("tasks.late.los", "Did you mean 'tasks.late.loss'? Keys of 'tasks.late': kind,"),
        ("loss_weight", "Did you mean 'tasks.*.loss_weight'?"),
        ("tasks.late.loss.mae", "'tasks.late.loss' is a value, it has no keys"),
        ("model.", "Keys of 'model': trunk"),
        ("tasks..loss", "unknown key."),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest(asked: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find(asked, KEYS)
    assert str(caught.value).startswith(f"{asked}: unknown key.")
    assert hint in str(caught.value)


def test_text_is_escaped_for_markdown() -> None:
    page = reference_page([Key("a", (), "text", "matches ^x|y*$", "x|y", "Below <b> and `c|d`, a_b *.")])
    assert "| `a` | text: matches ^x\\|y\\*$ | `x\\|y` | Below &lt;b&gt; and `c\\|d`, a\\_b \\*. |" in page
