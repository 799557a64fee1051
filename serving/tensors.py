"""Conversions between tensors in messages (TensorProto) and arrays."""

import math

import numpy as np
from tensorflow import dtypes
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.errors import RequestError, invalid
from serving.signatures import strings

_FIELDS = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT8: "int_val",
    types_pb2.DT_INT16: "int_val",
    types_pb2.DT_INT32: "int_val",
    types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_UINT16: "int_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_UINT64: "uint64_val",
    types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_STRING: "string_val",
    types_pb2.DT_HALF: "half_val",
    types_pb2.DT_BFLOAT16: "half_val",
}
_HALVES = (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16)

LARGEST_FILL = 1 << 16
"""The most elements of a tensor whose message has only its first values, the last of which is repeated.

Without a limit, as in TensorFlow, a request of 40 bytes takes gigabytes.
"""

MOST_DIMENSIONS = 32
"""NumPy's limit before its version 2; TensorFlow allows 254."""


def type_name(dtype: int) -> str:
    """TensorFlow's name of a dtype, such as `float` or `int64`."""
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()


def to_array(proto: tensor_pb2.TensorProto, name: str) -> np.ndarray:
    """The array of a message, strings as an object array of bytes.

    Args:
        proto: the message.
        name: of the input, for the error.

    Raises:
        RequestError: INVALID_ARGUMENT, the message is no tensor.
    """
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.dtype not in _FIELDS or proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise _parsing_error(name)
    if len(shape) > MOST_DIMENSIONS:
        raise too_many_dimensions(name, len(shape))
    if proto.dtype == types_pb2.DT_STRING:
        if proto.tensor_content:
            raise _parsing_error(name)
        return _filled(strings(proto.string_val), shape, b"", name)
    dtype = np.dtype(dtypes.as_dtype(proto.dtype).as_numpy_dtype)
    if proto.tensor_content:
        if len(proto.tensor_content) != math.prod(shape) * dtype.itemsize:
            raise _parsing_error(name)
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    field = getattr(proto, _FIELDS[proto.dtype])
    if proto.dtype in _HALVES:
        values = np.array(field, np.int64).astype(np.uint16).view(dtype)
    elif dtype.kind in "iu" and dtype.itemsize < 4:
        # As in TensorFlow, values that do not fit wrap around.
        values = np.array(field, np.int64).astype(dtype)
    else:
        values = np.array(field, dtype)
    return _filled(values, shape, dtype.type(0), name)


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """The message of an array, its values in the dtype's own field as TensorFlow Serving writes them."""
    dtype = types_pb2.DT_STRING if array.dtype == object else dtypes.as_dtype(array.dtype).as_datatype_enum
    proto = tensor_pb2.TensorProto(dtype=dtype)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    flat = array.reshape(-1)
    if dtype in _HALVES:
        flat = flat.view(np.uint16)
    if dtype in _FIELDS:
        getattr(proto, _FIELDS[dtype]).extend(flat.tolist())
    else:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
    return proto


def _filled(values: np.ndarray, shape: list[int], default: object, name: str) -> np.ndarray:
    # A dimension of 0 makes an array empty, but not what the model computes for each element of another one.
    extent = math.prod(max(size, 1) for size in shape)
    if extent > max(len(values), LARGEST_FILL):
        raise _parsing_error(
            f"{name}: its shape is {shape}, but the message has {len(values)} values; at most {LARGEST_FILL} elements "
            "are filled in"
        )
    count = math.prod(shape)
    filled = np.empty(count, values.dtype)
    filled[: len(values)] = values[:count]
    filled[len(values) :] = values[-1] if len(values) else default
    return filled.reshape(shape)


def too_many_dimensions(name: str, dimensions: int) -> RequestError:
    """The error for a tensor with more dimensions than an array can have."""
    return invalid(f"input '{name}' has {dimensions} dimensions; at most {MOST_DIMENSIONS} are supported")


def _parsing_error(name: str) -> RequestError:
    return invalid(f"tensor parsing error: {name}")
