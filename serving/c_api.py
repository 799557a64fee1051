"""TensorFlow's C API, as far as it loads a SavedModel and runs it (tensorflow/c/c_api.h).

It is the C++ loader and session that TF Serving uses, without Python's own reading of the object graph.
"""

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving.errors import Code, RequestError

STRING = 7
STRING_BYTES = 24
"""Size of a TF_TString (tensorflow/c/tf_tstring.h)."""


class _Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocator", ctypes.c_void_p))


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


@functools.cache
def library() -> ctypes.CDLL:
    """The library, with the types of the functions that are used."""
    import tensorflow as tf

    loaded = ctypes.CDLL(str(Path(tf.sysconfig.get_lib()) / "libtensorflow_cc.so.2"))
    pointer, size, text, whole = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "TF_NewStatus": (pointer, []),
        "TF_DeleteStatus": (None, [pointer]),
        "TF_GetCode": (whole, [pointer]),
        "TF_Message": (text, [pointer]),
        "TF_NewSessionOptions": (pointer, []),
        "TF_SetConfig": (None, [pointer, pointer, size, pointer]),
        "TF_DeleteSessionOptions": (None, [pointer]),
        "TF_NewGraph": (pointer, []),
        "TF_DeleteGraph": (None, [pointer]),
        "TF_NewBuffer": (ctypes.POINTER(_Buffer), []),
        "TF_DeleteBuffer": (None, [ctypes.POINTER(_Buffer)]),
        "TF_LoadSessionFromSavedModel": (
            pointer,
            [pointer, pointer, text, ctypes.POINTER(text), whole, pointer, ctypes.POINTER(_Buffer), pointer],
        ),
        "TF_CloseSession": (None, [pointer, pointer]),
        "TF_DeleteSession": (None, [pointer, pointer]),
        "TF_GraphOperationByName": (pointer, [pointer, text]),
        "TF_SessionRun": (
            None,
            [
                pointer,
                pointer,
                ctypes.POINTER(_Output),
                ctypes.POINTER(pointer),
                whole,
                ctypes.POINTER(_Output),
                ctypes.POINTER(pointer),
                whole,
                pointer,
                whole,
                pointer,
                pointer,
            ],
        ),
        "TF_AllocateTensor": (pointer, [whole, ctypes.POINTER(ctypes.c_int64), whole, size]),
        "TF_DeleteTensor": (None, [pointer]),
        "TF_TensorType": (whole, [pointer]),
        "TF_NumDims": (whole, [pointer]),
        "TF_Dim": (ctypes.c_int64, [pointer, whole]),
        "TF_TensorByteSize": (size, [pointer]),
        "TF_TensorData": (pointer, [pointer]),
        "TF_StringInit": (None, [pointer]),
        "TF_StringCopy": (None, [pointer, text, size]),
        "TF_StringDealloc": (None, [pointer]),
        "TF_StringGetDataPointer": (pointer, [pointer]),
        "TF_StringGetSize": (size, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


class Status:
    """A TF_Status, freed with the block."""

    def __enter__(self) -> "Status":
        self.handle = library().TF_NewStatus()
        return self

    def __exit__(self, *_: object) -> None:
        library().TF_DeleteStatus(self.handle)

    def check(self) -> None:
        """Raises RequestError unless the last call went well."""
        code = library().TF_GetCode(self.handle)
        if code:
            raise RequestError(Code(code), library().TF_Message(self.handle).decode(errors="replace"))


class Session:
    """A SavedModel in memory: its graph, its variables, its tables.

    Attributes:
        meta_graph: the serialized MetaGraphDef.
    """

    def __init__(self, path: str, tag: str = "serve", config: bytes = b""):
        """Loads a SavedModel.

        Args:
            path: its folder.
            tag: of the graph in it.
            config: a serialized ConfigProto.

        Raises:
            RequestError: it cannot be loaded.
        """
        self._handle: Any = None
        c = library()
        options, self._graph = c.TF_NewSessionOptions(), c.TF_NewGraph()
        buffer = c.TF_NewBuffer()
        try:
            with Status() as status:
                if config:
                    c.TF_SetConfig(options, config, len(config), status.handle)
                    status.check()
                tags = (ctypes.c_char_p * 1)(tag.encode())
                self._handle = c.TF_LoadSessionFromSavedModel(
                    options, None, path.encode(), tags, 1, self._graph, buffer, status.handle
                )
                status.check()
            self.meta_graph = ctypes.string_at(buffer.contents.data, buffer.contents.length)
        except RequestError:
            self.close()
            raise
        finally:
            c.TF_DeleteBuffer(buffer)
            c.TF_DeleteSessionOptions(options)

    def run(self, feeds: Sequence[tuple[str, np.ndarray]], fetches: Sequence[str]) -> list[np.ndarray]:
        """Runs the graph; several threads may do so at once.

        Args:
            feeds: tensors' names and values, strings as object arrays of bytes.
            fetches: tensors' names.

        Returns:
            The fetched values.

        Raises:
            RequestError: the graph failed, or a name is not one of its tensors.
        """
        c = library()
        inputs = (_Output * len(feeds))(*(self._tensor(name) for name, _ in feeds))
        outputs = (_Output * len(fetches))(*(self._tensor(name) for name in fetches))
        values = (ctypes.c_void_p * len(feeds))()
        results = (ctypes.c_void_p * len(fetches))()
        try:
            for index, (_, value) in enumerate(feeds):
                values[index] = _to_tensor(value)
            with Status() as status:
                c.TF_SessionRun(
                    self._handle,
                    None,
                    inputs,
                    values,
                    len(feeds),
                    outputs,
                    results,
                    len(fetches),
                    None,
                    0,
                    None,
                    status.handle,
                )
                status.check()
            return [_from_tensor(handle) for handle in results if handle]
        finally:
            for handle in values:
                _free_input(handle)
            for handle in results:
                if handle:
                    c.TF_DeleteTensor(handle)

    def close(self) -> None:
        """Frees everything; no run may be under way."""
        c = library()
        with Status() as status:
            if self._handle:
                c.TF_CloseSession(self._handle, status.handle)
                c.TF_DeleteSession(self._handle, status.handle)
                self._handle = None
            if self._graph:
                c.TF_DeleteGraph(self._graph)
                self._graph = None

    def _tensor(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        handle = library().TF_GraphOperationByName(self._graph, operation.encode())
        if not handle:
            raise RequestError(Code.NOT_FOUND, f"the graph has no tensor {name}")
        return _Output(handle, int(index or 0))


def _to_tensor(value: np.ndarray) -> int:
    from tensorflow import dtypes

    c = library()
    shape = (ctypes.c_int64 * value.ndim)(*value.shape)
    if value.dtype == object or value.dtype.kind == "S":
        handle = c.TF_AllocateTensor(STRING, shape, value.ndim, value.size * STRING_BYTES)
        start = c.TF_TensorData(handle)
        for index, text in enumerate(value.reshape(-1).tolist()):
            place = start + index * STRING_BYTES
            c.TF_StringInit(place)
            c.TF_StringCopy(place, text, len(text))
        return handle
    value = np.ascontiguousarray(value)
    handle = c.TF_AllocateTensor(dtypes.as_dtype(value.dtype).as_datatype_enum, shape, value.ndim, value.nbytes)
    if value.nbytes:
        ctypes.memmove(c.TF_TensorData(handle), value.ctypes.data, value.nbytes)
    return handle


def _from_tensor(handle: int) -> np.ndarray:
    from tensorflow import dtypes

    c = library()
    kind = c.TF_TensorType(handle)
    shape = [c.TF_Dim(handle, axis) for axis in range(c.TF_NumDims(handle))]
    start = c.TF_TensorData(handle)
    if kind == STRING:
        array = np.empty(int(np.prod(shape, dtype=np.int64)), object)
        for index in range(array.size):
            place = start + index * STRING_BYTES
            array[index] = ctypes.string_at(c.TF_StringGetDataPointer(place), c.TF_StringGetSize(place))
        return array.reshape(shape)
    content = ctypes.string_at(start, c.TF_TensorByteSize(handle)) if start else b""
    return np.frombuffer(content, dtypes.as_dtype(kind).as_numpy_dtype).reshape(shape)


def _free_input(handle: int | None) -> None:
    """Strings that do not fit into a TF_TString are not freed with their tensor."""
    if not handle:
        return
    c = library()
    if c.TF_TensorType(handle) == STRING:
        start = c.TF_TensorData(handle)
        for index in range(c.TF_TensorByteSize(handle) // STRING_BYTES):
            c.TF_StringDealloc(start + index * STRING_BYTES)
    c.TF_DeleteTensor(handle)
