"""The signatures of an exported model: their names and methods, how they are read from its file, and what a client
needs of one."""

import base64
import difflib
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from serving.errors import Code, RequestError, invalid

EXAMPLES, COLUMNS = "serving_default", "serving_columns"
"""The signature with one input of serialized tf.Examples, and the one with an input per raw column."""

ERROR = "error"
"""The output with what is wrong with a row, string [rows], empty for most; of models of images only."""

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
"""The methods of the signatures of single tasks."""

FLOAT, DOUBLE, STRING = 1, 2, 7
"""The dtypes of the inputs of `serving_columns`, by their numbers in tensorflow/core/framework/types.proto."""

SAVED_MODEL = "saved_model.pb"
"""The file without which a folder is no model."""


def strings(values: Sequence[Any]) -> np.ndarray:
    """An object array [n] of the values; numpy's own string arrays drop trailing zero bytes."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def meta_graph_of(content: bytes) -> Any:
    """The MetaGraphDef of a SavedModel's first graph.

    Args:
        content: of its `saved_model.pb`.

    Raises:
        ValueError: it is no SavedModel, or holds no graph.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        saved_model = saved_model_pb2.SavedModel.FromString(content)
    except DecodeError as error:
        raise ValueError(f"{SAVED_MODEL} cannot be read: {error}") from error
    if not saved_model.meta_graphs:
        raise ValueError(f"{SAVED_MODEL} holds no graph")
    return saved_model.meta_graphs[0]


def read_meta_graph(model: Path) -> Any:
    """The MetaGraphDef of the model in a folder.

    Raises:
        ValueError: it cannot be read as a SavedModel.
    """
    try:
        return meta_graph_of((model / SAVED_MODEL).read_bytes())
    except OSError as error:
        raise ValueError(f"{SAVED_MODEL} cannot be read: {error}") from error


ASSUMED = (
    "the server's metadata does not say which columns are optional; all are assumed to be, and the model refuses a "
    "missing value where it requires one"
)

log = logging.getLogger(__name__)

_DTYPES: dict[str, tuple[int, Any]] = {
    "DT_FLOAT": (FLOAT, np.float32),
    "DT_DOUBLE": (DOUBLE, np.float64),
    "DT_INT32": (3, np.int32),
    "DT_UINT8": (4, np.uint8),
    "DT_INT16": (5, np.int16),
    "DT_INT8": (6, np.int8),
    "DT_STRING": (STRING, object),
    "DT_INT64": (9, np.int64),
    "DT_BOOL": (10, np.bool_),
    "DT_UINT16": (17, np.uint16),
    "DT_HALF": (19, np.float16),
    "DT_UINT32": (22, np.uint32),
    "DT_UINT64": (23, np.uint64),
}
_NUMPY = dict(_DTYPES.values())


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: `dtype` is the number in types.proto; of `sizes`, -1 is one that differs between requests."""

    dtype: int
    sizes: list[int] = field(default_factory=list)

    @property
    def numpy(self) -> Any:
        """The arrays' dtype; strings are object arrays of bytes.

        Raises:
            RequestError: UNIMPLEMENTED, no client has arrays of it.
        """
        if self.dtype not in _NUMPY:
            raise RequestError(Code.UNIMPLEMENTED, f"tensors of dtype {self.dtype} (see types.proto) are not supported")
        return _NUMPY[self.dtype]


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a model, as a client needs them: without TensorFlow, and so that they can be pickled.

    Attributes:
        inputs: name → its dtype and shape.
        outputs: the same.
        defaults: inputs that a request may leave out → their value then, [1, …].
        assumed: whether the defaults are assumed rather than the server's (`with_assumed_defaults`).
    """

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]
    defaults: dict[str, np.ndarray] = field(default_factory=dict)
    assumed: bool = False

    def arrays(self, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """All inputs of a request in their dtypes; those left out have their defaults in every row.

        They are not left to the server: TF Serving's REST API and its batching require every input in every row.

        Args:
            columns: input → array or list [rows, …]; texts as str or bytes.

        Raises:
            RequestError: INVALID_ARGUMENT, an input is unknown, missing, of another type, or of another number of rows.
        """
        unknown = [name for name in columns if name not in self.inputs]
        if unknown:
            raise invalid(f"the model has no input '{unknown[0]}'{nearest(unknown[0], self.inputs)}")
        missing = [name for name in self.inputs if name not in columns and name not in self.defaults]
        if missing:
            raise invalid(f"input '{missing[0]}' is missing, but required{nearest(missing[0], columns)}")
        if not columns:
            raise invalid("a request must give at least one input")
        given = {name: _array(name, self.inputs[name], values) for name, values in columns.items()}
        rows = {name: len(values) for name, values in given.items()}
        if len(set(rows.values())) > 1:
            (first, some), (other, more) = sorted(rows.items(), key=lambda item: item[1])[:: len(rows) - 1]
            raise invalid(f"input '{first}' has {some} rows, but '{other}' {more}")
        count = next(iter(rows.values()))
        absent = {name: value for name, value in self.defaults.items() if name not in given}
        return given | {name: np.repeat(value, count, axis=0) for name, value in absent.items()}


def signature_of(definition: Any) -> Signature:
    """The signature of a SignatureDef."""
    import tensorflow as tf

    return Signature(
        {name: _info(info) for name, info in sorted(definition.inputs.items())},
        {name: _info(info) for name, info in sorted(definition.outputs.items())},
        {name: tf.make_ndarray(proto) for name, proto in definition.defaults.items() if name in definition.inputs},
    )


def signature_of_json(definition: Mapping[str, Any]) -> Signature:
    """The signature of a SignatureDef in JSON, as TF Serving's `…/metadata` returns it."""
    return Signature(
        {name: _info_of_json(info) for name, info in sorted(definition.get("inputs", {}).items())},
        {name: _info_of_json(info) for name, info in sorted(definition.get("outputs", {}).items())},
        {name: _array_of_json(proto) for name, proto in definition.get("defaults", {}).items()},
    )


def with_assumed_defaults(signature: Signature) -> Signature:
    """The signature `serving_columns` with a missing value as every input's default, if the server gave no defaults.

    TensorFlow Serving leaves them out of its metadata where it is built with TFRT (RELEASE.md of 2.20, "Do not return
    SignatureDef.defaults from GetModelMetadata"). The model itself refuses a missing value in a required column.
    """
    missing = {FLOAT: np.nan, DOUBLE: np.nan, STRING: b""}
    if signature.defaults or not all(info.dtype in missing for info in signature.inputs.values()):
        return signature
    log.warning("%s", ASSUMED)
    return replace(
        signature,
        defaults={
            name: np.full([1, *(max(size, 1) for size in info.sizes[1:])], missing[info.dtype], info.numpy)
            for name, info in signature.inputs.items()
        },
        assumed=True,
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the names that may have been meant, or at the known ones."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return f"; there are {', '.join(names[:20])}{' …' if len(names) > 20 else ''}" if names else ""


def _array(name: str, info: TensorInfo, values: Any) -> np.ndarray:
    try:
        array = _texts(values) if info.dtype == STRING else np.asarray(values).astype(info.numpy, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise invalid(f"input '{name}' cannot be read as {np.dtype(info.numpy).name}: {error}") from error
    if len(info.sizes) == 1 and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if info.sizes and array.ndim != len(info.sizes):
        raise invalid(f"input '{name}' has the shape {list(array.shape)} instead of {info.sizes}")
    if array.ndim == 0:
        raise invalid(f"input '{name}' is one value instead of one per row")
    return array


def _texts(values: Any) -> np.ndarray:
    given = np.asarray(values, object)
    array = np.empty(given.shape, object)
    flat, texts = array.reshape(-1), given.reshape(-1).tolist()
    for index, text in enumerate(texts):
        if isinstance(text, str):
            flat[index] = text.encode()
        elif isinstance(text, bytes):
            flat[index] = text
        else:
            raise TypeError(f"row {index // max(1, math.prod(given.shape[1:])) + 1} holds {text!r}, which is not text")
    return array


def _info(info: Any) -> TensorInfo:
    return TensorInfo(info.dtype, [dim.size for dim in info.tensor_shape.dim])


def _info_of_json(info: Mapping[str, Any]) -> TensorInfo:
    sizes = [int(dim.get("size", 0)) for dim in info.get("tensor_shape", {}).get("dim", [])]
    return TensorInfo(_DTYPES.get(info["dtype"], (0, None))[0], sizes)


def _array_of_json(proto: Mapping[str, Any]) -> np.ndarray:
    number, dtype = _DTYPES[proto["dtype"]]
    dtype = np.dtype(dtype)
    shape = [int(dim["size"]) for dim in proto.get("tensor_shape", {}).get("dim", [])]
    content = base64.b64decode(proto.get("tensor_content") or "")
    if content:
        return np.frombuffer(content, dtype).reshape(shape)
    if number == STRING:
        values: list[Any] = [base64.b64decode(text) for text in proto.get("string_val", [])]
    else:
        keys = ("float_val", "double_val", "int_val", "int64_val", "bool_val", "uint32_val", "uint64_val")
        values = [value for key in keys for value in proto.get(key, [])]
        # Not-a-number and 64-bit integers are texts in protobuf's JSON.
        values = [float(value) if dtype.kind == "f" else int(value) for value in values]
    # As in TensorProto, the last value is repeated for all that are absent.
    values += (values or [b"" if number == STRING else 0])[-1:] * (math.prod(shape) - len(values))
    array = np.empty(len(values), dtype)
    array[:] = values
    return array.reshape(shape)
