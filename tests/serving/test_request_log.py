"""The log of served requests: TFRecords of TF Serving's PredictionLog."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import RequestError
from serving.request_log import RequestLog, examples_of, read_log


def predict_log(number: int) -> Any:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = "small", "serving_columns"
    columns = {
        "distance": np.array([number, np.nan], np.float32),
        "carrier": np.array([b"UA", b""], object),
    }
    for name, values in columns.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    log.predict_log.response.outputs["delay"].CopyFrom(tf.make_tensor_proto(np.array([[1.0], [2.0]], np.float32)))
    return log


def write(path: Path, count: int, sampling: float = 1.0) -> None:
    log = RequestLog(path, sampling)
    for number in range(count):
        log.record(predict_log(number))
    log.close()


def test_what_was_recorded_is_read_by_us_and_by_tensorflow(tmp_path: Path) -> None:
    write(tmp_path / "log", 3)
    logs = list(read_log(str(tmp_path / "log")))
    assert [log.predict_log for log in logs] == [predict_log(number).predict_log for number in range(3)]
    assert {log.log_metadata.sampling_config.sampling_rate for log in logs} == {1.0}
    records = tf.data.TFRecordDataset(str(tmp_path / "log")).as_numpy_iterator()
    assert [prediction_log_pb2.PredictionLog.FromString(record) for record in records] == logs


def test_a_sample_is_of_the_size_that_was_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "log", 2000, 0.1)
    assert 140 < len(list(read_log(str(tmp_path / "log")))) < 260
    write(tmp_path / "none", 10, 0.0)
    assert (tmp_path / "none").stat().st_size == 0


def test_a_log_that_a_crash_cut_off_is_read_up_to_there_and_continued(tmp_path: Path) -> None:
    path, told = tmp_path / "log", []
    write(path, 3)
    path.write_bytes(path.read_bytes()[:-7])
    assert len(list(read_log(str(path), told.append))) == 2
    assert len(told) == 1
    assert str(path) in told[0]
    write(path, 1)
    assert len(list(read_log(str(path)))) == 3


def test_the_rows_of_a_request_are_examples_without_what_was_missing(tmp_path: Path) -> None:
    (rows,) = examples_of(predict_log(7))
    features = [tf.train.Example.FromString(record).features.feature for record in rows.examples]
    assert features[0]["distance"].float_list.value == [7.0]
    assert features[0]["carrier"].bytes_list.value == [b"UA"]
    assert not [name for name, feature in features[1].items() if feature.WhichOneof("kind")]
    np.testing.assert_array_equal(rows.outputs["delay"], [[1.0], [2.0]])


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a, b, c\n" * 10)
    with pytest.raises(RequestError, match="is not a TFRecord file, or damaged"):
        list(read_log(str(tmp_path / "text")))
    with pytest.raises(RequestError, match="share of requests"):
        RequestLog(tmp_path / "log", 1.5)
