"""A SavedModel in a session, as TF Serving runs it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.errors import Code, RequestError
from serving.saved_model import LoadedModel


class _Greeter(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "who"), tf.TensorSpec([None], tf.float32, "x")])
    def __call__(self, who: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"greeting": tf.strings.join(["hello ", who]), "twice": 2 * x}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadedModel]:
    path = tmp_path_factory.mktemp("model") / "1"
    module = _Greeter()
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.__call__})
    loaded = LoadedModel(path)
    yield loaded
    loaded.close()


def test_strings_and_numbers_come_back(model: LoadedModel) -> None:
    long = b"x" * 1000
    found = model.run("serving_default", {"who": np.array([b"", long], object), "x": np.array([1, 2.5], np.float32)})
    assert found["greeting"].tolist() == [b"hello ", b"hello " + long]
    assert found["twice"].tolist() == [2, 5]


def test_wrong_requests_are_refused(model: LoadedModel) -> None:
    who, x = np.array([b"a"], object), np.array([1.0], np.float32)
    with pytest.raises(RequestError, match="not found") as unknown:
        model.run("nothing", {"who": who, "x": x})
    assert unknown.value.code == Code.FAILED_PRECONDITION
    with pytest.raises(RequestError, match=r"missing but required: \{x\}") as missing:
        model.run("serving_default", {"who": who})
    assert missing.value.code == Code.INVALID_ARGUMENT
    with pytest.raises(RequestError):
        model.run("serving_default", {"who": x, "x": x})


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError):
        LoadedModel(tmp_path / "nothing")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(RequestError):
        LoadedModel(damaged)


def test_a_model_of_another_tag_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "1"
    tf.saved_model.save(_Greeter(), str(path))
    content = (path / "saved_model.pb").read_bytes()
    (path / "saved_model.pb").write_bytes(content.replace(b"serve", b"train", 1))
    with pytest.raises(RequestError, match="serve") as refused:
        LoadedModel(path)
    assert refused.value.code == Code.NOT_FOUND
