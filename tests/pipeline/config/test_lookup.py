"""Keys are found as a user writes them, and the reference shows them as Markdown."""

import pytest

from janus_core.errors import ConfigError
from pipeline.commands.explain.markdown import reference_page
from pipeline.config import JanusConfig
from pipeline.config.keys import Key, find, keys_of

KEYS = keys_of(JanusConfig)


def test_every_key_is_on_the_page() -> None:
    page = reference_page(KEYS)
    assert [key.path for key in KEYS if f"`{key.path}`" not in page] == []


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
        (
            "model.trunks",
            "Did you mean 'model.trunk'? Keys of 'model': trunk, towers, tower_dropout, encoding, members, ",
        ),
        ("trainning", "Did you mean 'training'?"),
        ("tasks.late.los", "Did you mean 'tasks.late.loss'? Keys of 'tasks.late': kind,"),
        ("loss_weight", "Did you mean 'tasks.*.loss_weight'?"),
        ("tasks.late.loss.mae", "'tasks.late.loss' is a value, it has no keys"),
        ("model.", "Keys of 'model': trunk"),
        ("tasks..loss", "unknown key."),
    ],
)
def test_an_unknown_key_is_reported_with_the_nearest(asked: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find(asked, KEYS)
    assert str(caught.value).startswith(f"{asked}: unknown key.")
    assert hint in str(caught.value)


def test_text_is_escaped_for_markdown() -> None:
    page = reference_page([Key("a", (), "text", "matches ^x|y*$", "x|y", "Below <b> and `c|d`, a_b *.")])
    assert "| `a` | text: matches ^x\\|y\\*$ | `x\\|y` | Below &lt;b&gt; and `c\\|d`, a\\_b \\*. |" in page
