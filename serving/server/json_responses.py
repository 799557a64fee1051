"""Writes PredictionService's and ModelService's responses as REST bodies, as util/json_tensor.cc does."""

import base64
import inspect
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import json_format, message
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import classification_pb2, get_model_metadata_pb2, get_model_status_pb2, regression_pb2

from serving.errors import invalid
from serving.server.json_requests import FLOATS, INTS, Format
from serving.signatures import strings
from serving.tensors import to_array, type_name

BYTES_SUFFIX = "_bytes"
"""The suffix of outputs whose strings are written as {"b64": ...}."""


def encode(value: Any) -> bytes:
    """A body; NaN and infinities are written as NaN, Infinity, -Infinity."""
    return json.dumps(value, ensure_ascii=False, indent=None).encode("utf-8", errors="surrogateescape")


def predictions(outputs: Mapping[str, tensor_pb2.TensorProto], form: Format) -> dict[str, Any]:
    """`predictions` for rows, `outputs` for columns; a single output is written without its name.

    Raises:
        RequestError: INVALID_ARGUMENT, these outputs cannot be written in this format.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if form == "columnar":
        columns = {name: _values(name, tensor) for name, tensor in sorted(outputs.items())}
        return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    batch = None
    for name, tensor in sorted(outputs.items()):
        if not tensor.tensor_shape.dim:
            raise invalid(f"Tensor name: {name} has no shape information ")
        size = tensor.tensor_shape.dim[0].size
        if batch is not None and size != batch:
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {size} expecting: {batch}")
        batch = size
    columns = {name: _values(name, tensor) for name, tensor in sorted(outputs.items())}
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def classifications(result: classification_pb2.ClassificationResult) -> dict[str, Any]:
    """`results`: per example [[label, score], ...]."""
    if not result.classifications:
        raise invalid("Cannot convert empty ClassificationResults to JSON")
    rows = [row.classes for row in result.classifications]
    scores = iter(_decimals(np.array([one.score for row in rows for one in row], np.float32)))
    return {"results": [[[one.label, next(scores)] for one in row] for row in rows]}


def regressions(result: regression_pb2.RegressionResult) -> dict[str, Any]:
    """`results`: a number per example."""
    if not result.regressions:
        raise invalid("Cannot convert empty RegressionResults to JSON")
    return {"results": _decimals(np.array([one.value for one in result.regressions], np.float32))}


def status(response: get_model_status_pb2.GetModelStatusResponse) -> dict[str, Any]:
    """`model_version_status`, whose versions are strings as all int64 in proto3's JSON are."""
    return _message(response)


def metadata(response: get_model_metadata_pb2.GetModelMetadataResponse) -> dict[str, Any]:
    """`model_spec` and the signatures, below `metadata.signature_def.signature_def`."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return {"model_spec": _message(response.model_spec), "metadata": {"signature_def": _message(signatures)}}


def _message(content: message.Message) -> dict[str, Any]:
    # protobuf 5 renamed the option.
    known = inspect.signature(json_format.MessageToDict).parameters
    new = "always_print_fields_with_no_presence"
    option = new if new in known else "including_default_value_fields"
    options: dict[str, Any] = {"preserving_proto_field_name": True, option: True}
    return json_format.MessageToDict(content, **options)


def _values(name: str, tensor: tensor_pb2.TensorProto) -> Any:
    dtype = tensor.dtype
    if dtype in INTS or dtype == types_pb2.DT_BOOL:
        return to_array(tensor, name).tolist()
    if dtype in FLOATS:
        array = to_array(tensor, name)
        return _nested(_decimals(array), array.shape)
    if dtype == types_pb2.DT_STRING:
        array = to_array(tensor, name)
        as_base64 = name.endswith(BYTES_SUFFIX)
        return _nested([_string(value, as_base64) for value in array.reshape(-1).tolist()], array.shape)
    raise invalid(f"Failed to write JSON value for tensor type: {type_name(dtype)}")


def _nested(flat: list[Any], shape: tuple[int, ...]) -> Any:
    return strings(flat).reshape(shape).tolist()


def _string(value: bytes, as_base64: bool) -> Any:
    if as_base64:
        return {"b64": base64.b64encode(value).decode()}
    return value.decode("utf-8", errors="surrogateescape")


def _decimals(array: np.ndarray) -> list[float]:
    """Numbers with as few digits as TensorFlow Serving writes: six, or as many as make the value unique."""
    values = array.reshape(-1)
    short = [float(f"{value:.6g}") for value in values.tolist()]
    with np.errstate(over="ignore"):
        exact = np.array(short, array.dtype) == values
    if array.dtype != np.float32:
        return np.where(exact, short, values).tolist()
    for index in np.flatnonzero(~exact & ~np.isnan(values)).tolist():
        short[index] = float(f"{values[index]:.9g}")
    return short
