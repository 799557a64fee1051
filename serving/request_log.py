"""Logs of served requests, as TF Serving's own request logger would write them: PredictionLogs in TFRecord files.

TF Serving defines the record (prediction_log.proto) and the sampling (logging_config.proto), but its stock server has
no LogCollector to write one, and refuses a model config with a `logging_config`. A server that was built with a
collector writes files that can be read here.

A record is its length (8 bytes), the length's masked CRC-32C, the data, and the data's masked CRC-32C.
"""

import glob
import gzip
import logging
import os
import random
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import google_crc32c
import numpy as np

from janus_core.files import try_lock
from serving.errors import Code, RequestError, invalid
from serving.rows import examples_of_input
from serving.signatures import COLUMNS, EXAMPLES

if TYPE_CHECKING:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

_HEAD, _TAIL = struct.Struct("<QI"), struct.Struct("<I")
_GZIP_MAGIC = b"\x1f\x8b"
_MASK_DELTA = 0xA282EAD8

Warn = Callable[[str], None]


# --- writing ----------------------------------------------------------------------------------------------------


class RequestLog:
    """The log file of one server. `record` returns once the operating system has the whole record."""

    def __init__(self, path: Path, sampling: float = 0.01, seed: int = 0):
        """Opens the file to append to it; a record that a crash cut off is removed.

        Args:
            path: the file; it and its folder are made if need be.
            sampling: the share of requests that are logged, from 0 to 1.
            seed: for the choice of requests.

        Raises:
            RequestError: INVALID_ARGUMENT for a wrong share, FAILED_PRECONDITION if another process writes to the file,
                DATA_LOSS if it is no TFRecord file or damaged.
            OSError: the file cannot be written.
        """
        if not 0.0 <= sampling <= 1.0:
            raise invalid(f"the share of requests to log must be in [0, 1], got {sampling}")
        self.path = Path(path)
        self.sampling = sampling
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] | None = _open_to_append(self.path)

    def record(self, log: "PredictionLog") -> None:
        """Logs a request and its response, if they fall into the sample; may be called from several threads.

        The record's metadata gets the sampling rate and, unless it has one, the model spec of the response or else of
        the request. The message itself is not changed.

        Raises:
            RequestError: FAILED_PRECONDITION, the log is closed.
            OSError: the file cannot be written, as on a full disk; no part of the record remains in it.
        """
        with self._lock:
            if self._file is None:
                raise RequestError(Code.FAILED_PRECONDITION, f"the request log {self.path} is closed")
            if self._random.random() >= self.sampling:
                return
        data = _with_metadata(log, self.sampling).SerializeToString()
        head = struct.pack("<Q", len(data))
        record = b"".join((head, _TAIL.pack(_masked_crc(head)), data, _TAIL.pack(_masked_crc(data))))
        with self._lock:
            if self._file is None:
                return
            _append(self._file, record)

    def close(self) -> None:
        """Closes the file; may be called again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


def _open_to_append(path: Path) -> IO[bytes]:
    # Unbuffered: a crash of this process loses at most the record that it is writing.
    file = path.open("ab", buffering=0)
    try:
        if not try_lock(file.fileno()):
            raise RequestError(
                Code.FAILED_PRECONDITION, f"another process writes to the request log {path}: give each server its own"
            )
        file.truncate(_end_of_whole_records(path))
    except BaseException:
        file.close()
        raise
    return file


def _end_of_whole_records(path: Path) -> int:
    """Where the last whole record ends. Raises RequestError for a file that is not a log."""
    size, end = path.stat().st_size, 0
    with path.open("rb") as stream:
        while end + _HEAD.size <= size:
            stream.seek(end)
            head = stream.read(_HEAD.size)
            length, crc = _HEAD.unpack(head)
            if crc != _masked_crc(head[:8]):
                raise RequestError(Code.DATA_LOSS, f"{path} is damaged or not a TFRecord file: give another path")
            if end + _HEAD.size + length + _TAIL.size > size:
                break
            end += _HEAD.size + length + _TAIL.size
    return end


def _append(file: IO[bytes], record: bytes) -> None:
    start = os.fstat(file.fileno()).st_size
    try:
        rest = memoryview(record)
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        file.truncate(start)
        raise


def _with_metadata(log: "PredictionLog", sampling: float) -> "PredictionLog":
    kept = type(log)()
    kept.CopyFrom(log)
    kept.log_metadata.sampling_config.sampling_rate = sampling
    if not kept.log_metadata.model_spec.name:
        spec = model_spec_of(log)
        if spec is not None:
            kept.log_metadata.model_spec.CopyFrom(spec)
    return kept


# --- reading ----------------------------------------------------------------------------------------------------


def read_log(pattern: str, warn: Warn | None = None) -> "Iterator[PredictionLog]":
    """The records of log files, plain or gzip, by file in the order of the names.

    A file that ends within a record, as after a crash, is read up to there, as is one that is damaged after its start.

    Args:
        pattern: a path, or a glob such as `logs/*.tfrecord`.
        warn: is called with a sentence for each file that was not read to its end; by default it is logged.

    Raises:
        RequestError: NOT_FOUND if no file matches, DATA_LOSS for a file that does not begin as a TFRecord file,
            INVALID_ARGUMENT for one whose records are no PredictionLogs.
        OSError: a file cannot be read.
    """
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    paths = [path for path in sorted(glob.glob(pattern)) if Path(path).is_file()]  # noqa: PTH207 (absolute patterns)
    if not paths:
        raise RequestError(Code.NOT_FOUND, f"no file matches '{pattern}'")
    for path in paths:
        for data in _records(path, warn or logging.getLogger(__name__).warning):
            try:
                log = PredictionLog.FromString(data)
            except DecodeError:
                log = PredictionLog()
            if log.WhichOneof("log_type") is None:
                raise invalid(f"{path}: its records are no PredictionLogs, so it is not a request log")
            yield log


def _records(path: str, warn: Warn) -> Iterator[bytes]:
    count = 0
    with _open_content(path) as stream:
        while True:
            try:
                head = stream.read(_HEAD.size)
                if not head:
                    return
                whole = len(head) == _HEAD.size
                length, crc = _HEAD.unpack(head) if whole else (0, 0)
                if whole and crc != _masked_crc(head[:8]):
                    raise _DamagedError("the length of a record has a wrong checksum")
                rest = stream.read(length + _TAIL.size) if whole else b""
                if not whole or len(rest) < length + _TAIL.size:
                    warn(f"{path} ends within a record, as after a crash: its first {count:,} records were read")
                    return
                data = rest[:length]
                if _TAIL.unpack(rest[length:])[0] != _masked_crc(data):
                    raise _DamagedError("a record has a wrong checksum")
            except EOFError:
                warn(f"{path} ends within its gzip stream: its first {count:,} records were read")
                return
            except (_DamagedError, gzip.BadGzipFile) as error:
                if not count:
                    raise RequestError(Code.DATA_LOSS, f"{path} is not a TFRecord file, or damaged ({error})") from None
                warn(f"{path} is damaged: its first {count:,} records were read ({error})")
                return
            yield data
            count += 1


class _DamagedError(Exception):
    """A damaged file."""


def _open_content(path: str) -> IO[bytes]:
    with Path(path).open("rb") as stream:
        compressed = stream.read(2) == _GZIP_MAGIC
    return cast(IO[bytes], gzip.open(path, "rb") if compressed else Path(path).open("rb"))


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


# --- the rows of a record -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LoggedRows:
    """The rows of a request.

    Attributes:
        examples: each row as a serialized tf.Example.
        outputs: output → [rows, …] of the response, with the names that serving_default uses: for a classification
            `<signature>/classes` and `<signature>/probabilities`, for a regression `<signature>`. Empty if there is no
            response.
    """

    examples: list[bytes]
    outputs: dict[str, np.ndarray]


def model_spec_of(log: "PredictionLog") -> Any:
    """The ModelSpec of a record: its metadata's, else the response's, else the request's; or None."""
    specs = [log.log_metadata.model_spec] if log.log_metadata.HasField("model_spec") else []
    kind = log.WhichOneof("log_type")
    if kind is not None:
        for message in (getattr(log, kind).response, getattr(log, kind).request):
            for part in message if hasattr(message, "__len__") else [message]:
                if "model_spec" in part.DESCRIPTOR.fields_by_name:
                    specs.append(part.model_spec)
                else:
                    specs += [each.model_spec for each in [*getattr(part, "results", []), *getattr(part, "tasks", [])]]
    return next((spec for spec in specs if spec.name), None)


def examples_of(log: "PredictionLog") -> list[LoggedRows]:
    """The rows of a record as tf.Examples, with the predictions for them; one entry for each request in the record.

    Raises:
        RequestError: INVALID_ARGUMENT if the request does not show which values make a row, UNIMPLEMENTED for a
            SessionRun, which feeds tensors of the graph rather than rows.
    """
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        return [_predict_rows(log.predict_log.request, log.predict_log.response)]
    if kind == "predict_streamed_log":
        # The log does not show which response belongs to which request.
        return [_predict_rows(request, None) for request in log.predict_streamed_log.request]
    if kind in ("classify_log", "regress_log"):
        request, response = getattr(log, kind).request, getattr(log, kind).response
        signature = request.model_spec.signature_name or EXAMPLES
        return [LoggedRows(examples_of_input(request.input), _result_outputs(signature, response.result))]
    if kind == "multi_inference_log":
        return [_multi_inference_rows(log.multi_inference_log.request, log.multi_inference_log.response)]
    raise RequestError(Code.UNIMPLEMENTED, f"a {kind} has no rows")


def examples_of_columns(columns: Mapping[str, np.ndarray]) -> list[bytes]:
    """The rows of a request to serving_columns as serialized tf.Examples.

    Args:
        columns: column → values [rows] or [rows, length]; [1] is a value for every row. Objects are strings and
            float64 are whole numbers, as in the signature; "" and NaN are missing values.

    Raises:
        RequestError: INVALID_ARGUMENT for columns of different lengths.
    """
    from tensorflow.core.example import example_pb2

    sizes = {len(values) for values in columns.values()}
    rows = max(sizes, default=0)
    if sizes - {1, rows}:
        raise invalid(f"columns of different lengths: {sorted(sizes)}")
    examples = [example_pb2.Example() for _ in range(rows)]
    for name, values in columns.items():
        flat = values.reshape(len(values), -1)
        if len(flat) < rows:
            flat = np.repeat(flat, rows, axis=0)
        for example, row in zip(examples, flat, strict=True):
            _add_values(example.features.feature, name, row)
    return [example.SerializeToString() for example in examples]


def _add_values(features: Any, name: str, row: np.ndarray) -> None:
    if row.dtype == object:
        present = [value for value in row if value]
        if present:
            features[name].bytes_list.value.extend(present)
    elif row.dtype == np.float64:
        present = row[np.isfinite(row)].astype(np.int64)
        if len(present):
            features[name].int64_list.value.extend(present.tolist())
    elif row.dtype.kind == "f":
        # A vector keeps its missing values, so that the others keep their places.
        if not np.isnan(row).all():
            features[name].float_list.value.extend(row.tolist())
    else:
        features[name].int64_list.value.extend(row.astype(np.int64).tolist())


def _predict_rows(request: Any, response: Any) -> LoggedRows:
    import tensorflow as tf

    inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
    values = list(inputs.values())
    if request.model_spec.signature_name != COLUMNS and len(values) == 1 and values[0].dtype == object:
        examples = [bytes(value) for value in values[0].ravel()]
    elif all(array.ndim for array in values):
        examples = examples_of_columns(inputs)
    else:
        raise invalid("a Predict request with an input that has no rows")
    outputs = response.outputs.items() if response is not None else ()
    return _checked(LoggedRows(examples, {name: tf.make_ndarray(tensor) for name, tensor in outputs}))


def _multi_inference_rows(request: Any, response: Any) -> LoggedRows:
    outputs: dict[str, np.ndarray] = {}
    for result in response.results:
        kind = result.WhichOneof("result")
        if kind is not None:
            outputs.update(_result_outputs(result.model_spec.signature_name, getattr(result, kind)))
    return _checked(LoggedRows(examples_of_input(request.input), outputs))


def _result_outputs(signature: str, result: Any) -> dict[str, np.ndarray]:
    if "regressions" in result.DESCRIPTOR.fields_by_name:
        values = [[row.value] for row in result.regressions]
        return {signature: np.array(values, np.float32)} if values else {}
    rows = [row.classes for row in result.classifications]
    if not rows:
        return {}
    return {
        f"{signature}/classes": np.array([[one.label.encode() for one in row] for row in rows], object),
        f"{signature}/probabilities": np.array([[one.score for one in row] for row in rows], np.float32),
    }


def _checked(rows: LoggedRows) -> LoggedRows:
    """The rows without outputs that do not have one value per row, such as an aggregate over the request."""
    size = len(rows.examples)
    return LoggedRows(rows.examples, {name: v for name, v in rows.outputs.items() if v.ndim and len(v) == size})
