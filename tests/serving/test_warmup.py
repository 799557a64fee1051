"""Warm-up requests: what is in them, and whether a model can answer them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from janus_core.errors import ServingError
from serving.description import read_description
from serving.errors import Code, RequestError
from serving.saved_model import LoadedModel
from serving.warmup import FILE, read_warmup, replay, warmup_rows, write_warmup
from tests.serving.server.tiny_model import save_model
from tests.trainer.harness import example_of

ROWS = [
    example_of({"distance": 1.0, "carrier": "EV", "stops": 2, "label": "yes"}),
    example_of({"distance": -3.0, "carrier": "UA", "label": "no"}),
    example_of({"distance": 0.5, "label": "no"}),
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warmup") / "model"
    save_model(folder, 0.0)
    return folder


@pytest.fixture(scope="module")
def loaded(exported: Path) -> Iterator[LoadedModel]:
    model = LoadedModel(exported, threads=1)
    yield model
    model.close()


@pytest.fixture
def model(exported: Path, tmp_path: Path) -> Path:
    return shutil.copytree(exported, tmp_path / "model")


def named(log: Any) -> tuple[str, str]:
    kind = log.WhichOneof("log_type")
    request = getattr(log, kind).request
    tasks = request.tasks if kind == "multi_inference_log" else [request]
    return kind, ",".join(task.model_spec.signature_name for task in tasks)


def test_every_signature_that_clients_call_is_called(model: Path, loaded: LoadedModel) -> None:
    count = write_warmup(model, ROWS)
    logs = read_warmup(model)
    assert [named(log) for log in logs] == [
        ("predict_log", "serving_default"),
        ("predict_log", "serving_columns"),
        ("predict_log", "serving_default"),
        ("predict_log", "serving_columns"),
        ("regress_log", "delay"),
        ("classify_log", "late"),
        ("multi_inference_log", "delay,late"),
    ]
    assert count == len(logs)
    for log in logs:
        replay(loaded, log)


def test_requests_are_of_all_rows_and_of_one(model: Path) -> None:
    write_warmup(model, ROWS)
    predicts = [log.predict_log.request for log in read_warmup(model) if log.HasField("predict_log")]
    sizes = [{tensor.tensor_shape.dim[0].size for tensor in request.inputs.values()} for request in predicts]
    assert sizes == [{3}, {3}, {1}, {1}]


def test_inputs_with_defaults_are_given_too(model: Path) -> None:
    """A TF Serving that does not know SignatureDef.defaults would not load the model else."""
    write_warmup(model, [example_of({"distance": 1.0})])
    columns = read_warmup(model)[1].predict_log.request.inputs
    assert set(columns) == {"distance", "carrier", "stops"}
    assert tf.make_ndarray(columns["carrier"]).tolist() == [b""]
    assert np.isnan(tf.make_ndarray(columns["stops"])).all()


def test_labels_are_stripped(model: Path) -> None:
    write_warmup(model, ROWS)
    for row in warmup_rows(model):
        assert "label" not in tf.train.Example.FromString(row).features.feature
    assert b"label" not in (model / FILE).read_bytes()


def test_multi_inference_names_a_model(model: Path, loaded: LoadedModel) -> None:
    """TF Serving refuses to load the model where it does not."""
    write_warmup(model, ROWS)
    log = read_warmup(model)[-1]
    assert all(task.model_spec.name for task in log.multi_inference_log.request.tasks)
    for task in log.multi_inference_log.request.tasks:
        task.model_spec.name = ""
    with pytest.raises(RequestError, match="empty model name"):
        replay(loaded, log)


def test_the_same_rows_give_the_same_bytes_and_nothing_else_is_left(model: Path) -> None:
    write_warmup(model, ROWS)
    before = (model / FILE).read_bytes()
    write_warmup(model, ROWS)
    assert (model / FILE).read_bytes() == before
    assert [path.name for path in (model / FILE).parent.iterdir()] == [FILE.name]


def test_without_rows_there_is_no_file(model: Path) -> None:
    assert write_warmup(model, []) == 0
    assert not (model / FILE).exists()
    assert read_warmup(model) == []
    assert warmup_rows(model) == []


def test_a_row_without_a_required_column_is_named_and_nothing_is_written(model: Path) -> None:
    with pytest.raises(RequestError, match="row 2: column 'distance' is missing, but required"):
        write_warmup(model, [ROWS[0], example_of({"carrier": "UA"})])
    assert not (model / FILE).exists()


def changed(model: Path, name: str, change: Any) -> LoadedModel:
    """The model with another SignatureDef of this name."""
    file = model / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(saved.meta_graphs[0].signature_def[name])
    file.write_bytes(saved.SerializeToString(deterministic=True))
    return LoadedModel(model, threads=1)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("delay", lambda found: setattr(found, "method_name", "tensorflow/serving/classify"), "has the method"),
        (
            "late",
            lambda found: found.outputs["scores"].CopyFrom(found.outputs["classes"]),
            "Expected scores Tensor of DT_FLOAT",
        ),
        ("delay", lambda found: setattr(found.outputs["outputs"], "name", "nowhere:0"), "Tensor nowhere:0"),
    ],
)
def test_a_model_that_tf_serving_would_not_load_is_refused(model: Path, name: str, change: Any, message: str) -> None:
    write_warmup(model, ROWS)
    logs = [log for log in read_warmup(model) if named(log)[1] == name]
    broken = changed(model, name, change)
    with pytest.raises(RequestError, match=message):
        replay(broken, logs[0])
    broken.close()


def test_tasks_of_different_inputs_cannot_be_asked_at_once(model: Path) -> None:
    write_warmup(model, ROWS)
    log = read_warmup(model)[-1]
    broken = changed(model, "late", lambda found: setattr(found.inputs["inputs"], "name", "echo_text:0"))
    with pytest.raises(RequestError, match="Input tensor must be the same") as error:
        replay(broken, log)
    assert error.value.code == Code.INVALID_ARGUMENT
    broken.close()


@pytest.mark.parametrize("file", ["assets.extra/tf_serving_warmup_requests", "assets.extra/janus.json"])
@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b'{"tasks": 1}'])
def test_damaged_files_beside_a_model_are_named(tmp_path: Path, file: str, content: bytes) -> None:
    path = tmp_path / file
    path.parent.mkdir()
    path.write_bytes(content)
    read = read_description if file.endswith(".json") else read_warmup
    if (file.endswith("requests"), content) == (True, b""):
        assert read(tmp_path) == []
        return
    with pytest.raises((RequestError, ServingError), match=f"{file} is damaged"):
        read(tmp_path)
