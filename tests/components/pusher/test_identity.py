"""Models that are the same although their bytes differ."""

import json
from pathlib import Path

import pytest
import tensorflow as tf

from components.pusher.identity import identity_of
from components.pusher.push import push
from components.pusher.rollback import roll_back
from components.pusher.state import JOURNAL, read_state
from components.pusher.storage import content_digest
from janus_core.errors import ConfigError
from tests.components.pusher.models import accept


class Model(tf.Module):
    """A weight, and a constant of the graph."""

    def __init__(self, weight: float, offset: float):
        super().__init__()
        self.weight = tf.Variable(weight)
        self.offset = offset

    @tf.function(input_signature=[tf.TensorSpec([None], name="x")])
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """`weight * x + offset`."""
        return self.weight * x + self.offset


def export(folder: Path, weight: float = 2.0, offset: float = 1.0) -> Path:
    tf.saved_model.save(Model(weight, offset), str(folder))
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "janus.json").write_text("{}")
    return folder


def test_two_exports_of_one_model(tmp_path: Path) -> None:
    one, two = export(tmp_path / "one"), export(tmp_path / "two")
    assert content_digest(one) != content_digest(two)
    assert identity_of(one) == identity_of(two)
    (two / "assets.extra" / "tf_serving_warmup_requests").write_text("rows")
    assert identity_of(one) == identity_of(two)


def test_weights_constants_and_description_count(tmp_path: Path) -> None:
    models = {export(tmp_path / "one"), export(tmp_path / "weight", 2.5), export(tmp_path / "constant", 2.0, 1.5)}
    described = export(tmp_path / "described")
    (described / "assets.extra" / "janus.json").write_text("{ }")
    assert len({identity_of(model) for model in {*models, described}}) == 4


def test_a_withdrawn_model_that_was_trained_again_is_not_pushed(tmp_path: Path) -> None:
    base = tmp_path / "serving"
    push(export(tmp_path / "good", weight=1.0), base, keep=5)
    bad = push(export(tmp_path / "bad"), base, keep=5)
    done = roll_back(base, accept)
    again = push(export(tmp_path / "again"), base, keep=5)
    assert again.digest != bad.digest
    assert (again.version, again.withdrawal) == (None, done)
    assert push(export(tmp_path / "better", weight=3.0), base, keep=5).version

    roll_back(base, accept, to=bad.version, force=True)
    assert push(export(tmp_path / "once more"), base, keep=5).withdrawal is None, "it was brought back"


def test_a_rollback_that_an_older_janus_recorded(tmp_path: Path) -> None:
    """The identity is added while the version is there; without, the bytes alone count."""
    base, journal = tmp_path / "serving", tmp_path / "serving" / JOURNAL
    push(export(tmp_path / "good", weight=1.0), base, keep=5)
    push(export(tmp_path / "bad"), base, keep=5)
    done = roll_back(base, accept)
    record = json.loads(journal.read_text())
    assert (record.pop("from_identity"), record.pop("to_identity")) == (done.from_identity, done.to_identity)
    journal.write_text(json.dumps(record) + "\n")
    assert push(tmp_path / "bad", base, keep=5).withdrawal is not None
    assert push(export(tmp_path / "again"), base, keep=5).withdrawal is not None
    assert json.loads(journal.read_text())["from_identity"] == done.from_identity


def test_a_rollback_passes_over_the_same_model_made_again(tmp_path: Path) -> None:
    """It goes back to another model, and withdraws both versions of the one that was served."""
    base = tmp_path / "serving"
    good, bad, again = (
        push(export(tmp_path / name, weight), base, keep=5).version or 0
        for name, weight in (("good", 1.0), ("bad", 2.0), ("again", 2.0))
    )
    with pytest.raises(ConfigError, match=f"--to {bad}: its model is served already, as version {again}"):
        roll_back(base, accept, to=bad)
    assert roll_back(base, accept).to_version == good
    state = read_state(base)
    assert [version for version in state.versions if state.withdrawal(version)] == [bad, again]
    assert state.rollback_target is None
