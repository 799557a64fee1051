"""Reads REST bodies into PredictionService's requests, as TensorFlow Serving's util/json_tensor.cc does."""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import numpy as np
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import classification_pb2, predict_pb2, regression_pb2

from serving.errors import Code, RequestError, invalid
from serving.signatures import strings
from serving.tensors import MOST_DIMENSIONS, to_proto, too_many_dimensions, type_name

Format = Literal["row", "columnar"]

_ExamplesRequest = TypeVar(
    "_ExamplesRequest", classification_pb2.ClassificationRequest, regression_pb2.RegressionRequest
)

_DEBUG_CHARACTERS = 256
FLOATS = {types_pb2.DT_FLOAT: np.float32, types_pb2.DT_DOUBLE: np.float64}
INTS = {
    types_pb2.DT_INT8: (np.int8, -(2**31), 2**31),
    types_pb2.DT_INT16: (np.int16, -(2**31), 2**31),
    types_pb2.DT_INT32: (np.int32, -(2**31), 2**31),
    types_pb2.DT_UINT8: (np.uint8, -(2**31), 2**31),
    types_pb2.DT_INT64: (np.int64, -(2**63), 2**63),
    types_pb2.DT_UINT32: (np.uint32, 0, 2**32),
    types_pb2.DT_UINT64: (np.uint64, 0, 2**64),
}
"""dtype → the array's dtype, the least JSON number that is allowed, and the least above it that is not."""


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; NaN, Infinity and -Infinity are numbers, and any text after the object is ignored.

    Raises:
        RequestError: INVALID_ARGUMENT, it is not a JSON object.
    """
    # Bytes that are not UTF-8 are passed on to the tensors, as in TensorFlow Serving.
    text = body.decode("utf-8-sig", errors="surrogateescape").lstrip(" \t\r\n")
    if not text:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document, _ = json.JSONDecoder(parse_float=_parse_float).raw_decode(text)
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from None
    except RecursionError:
        raise invalid("JSON Parse error: nested too deeply") from None
    except ValueError as error:
        # A number of more digits than Python converts.
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(document, dict):
        raise _malformed(document, "Is not object")
    return document


def signature_name(document: Mapping[str, Any]) -> str:
    """The body's signature_name; empty if it has none.

    Raises:
        RequestError: INVALID_ARGUMENT, it is no string.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise _malformed(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return _text(name).decode(errors="replace")


# --- predict ----------------------------------------------------------------------------------------------------


def fill_predict(document: Mapping[str, Any], inputs: Mapping[str, Any], request: predict_pb2.PredictRequest) -> Format:
    """Adds the body's tensors to a request.

    Args:
        document: the body.
        inputs: the signature's inputs: name → TensorInfo.
        request: the request, with the signature's name.

    Returns:
        The format of the body, which the response must have too.

    Raises:
        RequestError: the body does not fit the signature.
    """
    if not inputs:
        name = request.model_spec.signature_name or "DEFAULT"
        raise invalid(f"Failed to get input map for signature: {name}")
    if "instances" in document and "inputs" in document:
        raise _malformed(
            document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise _malformed(document, "Expecting 'instances' to be an list/array")
        if not instances:
            raise _malformed(document, "No values in 'instances' array")
        columns = _rows(instances, inputs)
        form: Format = "row"
    elif "inputs" in document:
        columns = _columns(document["inputs"], inputs)
        form = "columnar"
    else:
        raise invalid("Missing 'inputs' or 'instances' key")
    for name, column in columns.items():
        request.inputs[name].CopyFrom(to_proto(column.array()))
    return form


class _Column:
    """The values of one input, collected item by item; all items must have the same shape.

    With `batched` the items are rows; otherwise there is one item, whose first dimension is the batch.
    """

    def __init__(self, name: str, dtype: int, batched: bool):
        self.name = name
        self.batched = batched
        self.dtype = dtype
        self.values: list[Any] = []
        self.shape: list[int] | None = None
        self.size = 0
        self.items = 0

    def add(self, item: Any) -> None:
        shape: list[int] = []
        probe = item
        while isinstance(probe, list):
            shape.append(len(probe))
            if not probe:
                break
            probe = probe[0]
        dimensions = len(shape) + self.batched
        if dimensions > MOST_DIMENSIONS:
            raise too_many_dimensions(self.name, dimensions)
        before = len(self.values)
        _collect(item, 0, shape, self.dtype, self.values)
        size = len(self.values) - before
        if self.shape is None:
            self.shape, self.size = shape, size
        elif size != self.size:
            raise invalid(f"Expecting tensor size: {self.size} but got: {size}")
        elif shape != self.shape:
            raise invalid(f"Expecting shape {_brackets(self.shape)} but got: {_brackets(shape)}")
        self.items += 1

    def array(self) -> np.ndarray:
        shape = [self.items, *(self.shape or [])] if self.batched else (self.shape or [])
        if self.dtype == types_pb2.DT_STRING:
            return strings(self.values).reshape(shape)
        if self.dtype == types_pb2.DT_BOOL:
            return np.array(self.values, np.bool_).reshape(shape)
        if self.dtype in FLOATS:
            with np.errstate(over="ignore"):
                return np.array(self.values, np.float64).astype(FLOATS[self.dtype]).reshape(shape)
        if self.dtype not in INTS:
            # An empty list has no value that the conversion could have refused.
            _element([], self.dtype)
        dtype, _, above = INTS[self.dtype]
        wide = np.uint64 if above > 2**63 else np.int64
        return np.array(self.values, wide).astype(dtype).reshape(shape)


def _rows(instances: list[Any], inputs: Mapping[str, Any]) -> dict[str, _Column]:
    first = instances[0]
    if not isinstance(first, dict) and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    columns = {name: _Column(name, info.dtype, batched=True) for name, info in inputs.items()}
    if not _is_object(first):
        column = next(iter(columns.values()))
        for index, item in enumerate(instances):
            if _is_object(item):
                raise invalid(f"Expecting value/list but got object at item {index} of input list")
            with_place = f"Failed to process element: {index} of 'instances' list."
            _add(column, item, with_place)
        return columns
    for index, item in enumerate(instances):
        if not _is_object(item):
            raise invalid(f"Expecting object but got list at item {index} of input list")
        for name, value in item.items():
            place = f"Failed to process element: {index} key: {name} of 'instances' list."
            if name not in columns:
                raise invalid(f"{place} Error: INVALID_ARGUMENT: JSON object: does not have named input: {name}")
            _add(columns[name], value, place)
        if len(item) != len(columns):
            raise invalid(
                f"Failed to process element: {index} of 'instances' list. JSON object: {_debug(item)} "
                f"keys must be equal to: {','.join(sorted(inputs))}"
            )
    return columns


def _add(column: _Column, item: Any, place: str) -> None:
    try:
        column.add(item)
    except RequestError as error:
        raise invalid(f"{place} Error: {error.code.name}: {error}") from None


def _columns(given: Any, inputs: Mapping[str, Any]) -> dict[str, _Column]:
    if not _is_object(given):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        given = {next(iter(inputs)): given}
    columns = {}
    for name, info in inputs.items():
        if name not in given:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        columns[name] = _Column(name, info.dtype, batched=False)
        columns[name].add(given[name])
    return columns


def _collect(value: Any, level: int, shape: list[int], dtype: int, collected: list[Any]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise _malformed(
                value, f"found at incorrect level: {level + 1} in the JSON DOM. Expected at level: {len(shape)}"
            )
        collected.append(_element(value, dtype))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _collect(item, level + 1, shape, dtype, collected)


def _element(value: Any, dtype: int) -> Any:
    """A JSON value as an element of a tensor; unlike in Python, booleans are no numbers."""
    kind = type(value)
    if dtype in FLOATS and kind in (float, int):
        return _float(value)
    if dtype in INTS and kind is int and INTS[dtype][1] <= value < INTS[dtype][2]:
        return value
    if dtype == types_pb2.DT_BOOL and kind is bool:
        return value
    if dtype == types_pb2.DT_STRING and kind in (str, dict):
        return _text(value) if kind is str else _base64(value)
    if dtype in (*FLOATS, *INTS, types_pb2.DT_BOOL, types_pb2.DT_STRING):
        raise _malformed(value, f"Type: {_json_type(value)} is not of expected type: {type_name(dtype)}")
    raise RequestError(Code.UNIMPLEMENTED, f"Conversion of JSON Value: {_debug(value)} to type: {type_name(dtype)}")


# --- classify, regress ------------------------------------------------------------------------------------------


def with_examples(body: bytes, request: _ExamplesRequest) -> _ExamplesRequest:
    """The request with the body's signature_name, `examples` and `context`.

    Raises:
        RequestError: INVALID_ARGUMENT, there are no examples, or one is no tf.Example.
    """
    document = parse_body(body)
    request.model_spec.signature_name = signature_name(document)
    given = request.input
    target = given.example_list.examples
    if "context" in document:
        given.example_list_with_context.context.CopyFrom(_example(document["context"]))
        target = given.example_list_with_context.examples
    examples = document.get("examples")
    if "examples" not in document:
        raise _malformed(document, "When method is classify, key 'examples' is expected and was not found")
    if not isinstance(examples, list):
        raise _malformed(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _malformed(document, "'examples' value is an empty array")
    target.extend(_example(value) for value in examples)
    return request


def _example(value: Any) -> example_pb2.Example:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {_json_type(value)}")
    example = example_pb2.Example()
    for name, content in value.items():
        feature = example.features.feature[_text(name).decode(errors="replace")]
        for element in content if isinstance(content, list) else [content]:
            _add_to_feature(element, name, feature)
    return example


def _add_to_feature(value: Any, name: str, feature: Any) -> None:
    element: Any
    if isinstance(value, bool):
        kind, element = "int64_list", int(value)
    elif isinstance(value, str):
        kind, element = "bytes_list", _text(value)
    elif isinstance(value, dict) and _is_base64(value):
        kind, element = "bytes_list", _base64(value)
    elif isinstance(value, int) and -(2**63) <= value < 2**64:
        kind, element = "int64_list", value
    elif isinstance(value, (int, float)):
        # Whole numbers beyond 64 bits are read as floating point.
        with np.errstate(over="ignore"):
            kind, element = "float_list", float(np.float32(_float(value)))
    else:
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {_json_type(value)}")
    present = feature.WhichOneof("kind")
    if present not in (None, kind):
        raise invalid(f"Unexpected element type in feature: {name} expecting type: {present.removesuffix('_list')}")
    if kind == "int64_list" and element >= 2**63:
        raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
    getattr(feature, kind).value.append(element)


# --- values and errors ------------------------------------------------------------------------------------------


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _base64(value: dict[str, Any]) -> bytes:
    if not _is_base64(value):
        raise _malformed(value, "not formatted correctly for base64 data")
    text = _text(value["b64"]).translate(None, b" \t\r\n").rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise invalid("Unable to base64 decode") from None


def _text(value: str) -> bytes:
    try:
        return value.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError:
        raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from None


def _parse_float(text: str) -> float:
    """A number; Python reads 1e400 as infinity, RapidJSON refuses it."""
    number = float(text)
    if math.isinf(number):
        raise invalid("JSON Parse error: Number too big to be stored in double.")
    return number


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise invalid("JSON Parse error: Number too big to be stored in double.") from None


def _json_type(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "Null", True: "True", False: "False"}[value]
    names: dict[type, str] = {dict: "Object", list: "Array", str: "String"}
    return names.get(type(value), "Number")


def _debug(value: Any) -> str:
    text = ""
    # Piece by piece, so that of a body of many megabytes only the beginning is written.
    for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        text += piece[:_DEBUG_CHARACTERS]
        if len(text) >= _DEBUG_CHARACTERS:
            break
    return text[:_DEBUG_CHARACTERS]


def _brackets(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _malformed(value: Any, what: str) -> RequestError:
    return invalid(f"JSON Value: {_debug(value)} {what}")
