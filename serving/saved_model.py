"""A SavedModel in memory, whose signatures are called as TF Serving calls them."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving.errors import Code, RequestError, invalid

_CALLABLES = 64
"""How many combinations of inputs and outputs stay prepared; clients may ask for any subset of the outputs."""


class LoadedModel:
    """A SavedModel and its signatures.

    Like TF Serving, it restores the serialized graph and its variables into a session, by names. `tf.saved_model.load`
    restores Python objects instead, which do not have every signature, and takes longer per call.

    Attributes:
        path: its folder.
        signatures: name → SignatureDef.
        meta_graph: the MetaGraphDef.
    """

    def __init__(self, path: Path | str, threads: int | None = None):
        """Loads a SavedModel.

        Args:
            path: the version's folder.
            threads: the number of TensorFlow's threads, within an operation and between them; by default one per core.

        Raises:
            RequestError: it cannot be loaded.
        """
        import tensorflow as tf
        from tensorflow.python.saved_model.loader_impl import SavedModelLoader

        self.path = Path(path)
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads or 0, inter_op_parallelism_threads=threads or 0
        )
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        try:
            self.meta_graph = SavedModelLoader(str(path)).load(self._session, ["serve"])
        except (tf.errors.OpError, OSError, RuntimeError, ValueError) as error:
            self._session.close()
            raise _loading_error(error) from error
        self._callable = functools.lru_cache(_CALLABLES)(self._prepared)
        self.signatures: dict[str, Any] = {
            name: definition
            for name, definition in self.meta_graph.signature_def.items()
            if not name.startswith("__saved_model")
        }

    def run(
        self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Answers one request.

        Args:
            signature: its name.
            inputs: the inputs by name, strings as object arrays of bytes; those with a default may be absent.
            outputs: the outputs to return; by default all.

        Returns:
            Output → value.

        Raises:
            RequestError: FAILED_PRECONDITION for an unknown signature, INVALID_ARGUMENT for wrong inputs or outputs,
                else TensorFlow's own.
        """
        definition = self.signature(signature)
        feeds = [
            (definition.inputs[name].name, value) for name, value in self._complete(definition, dict(inputs)).items()
        ]
        names = list(outputs or sorted(definition.outputs))
        unknown = [name for name in names if name not in definition.outputs]
        if unknown:
            raise invalid(
                f"output tensor alias not found in signature: {unknown[0]} "
                f"Outputs expected to be in the set {{{','.join(sorted(definition.outputs))}}}."
            )
        return dict(zip(names, self.run_tensors(feeds, [definition.outputs[name].name for name in names]), strict=True))

    def run_tensors(self, feeds: Sequence[tuple[str, np.ndarray]], fetches: Sequence[str]) -> list[np.ndarray]:
        """Runs the graph by the names of its tensors, which allows several signatures at once; so may several threads.

        Raises:
            RequestError: TensorFlow's own.
        """
        import tensorflow as tf

        try:
            run = self._callable(tuple(name for name, _ in feeds), tuple(fetches))
            # A string without dimensions comes as bytes.
            return [
                np.array(value, object) if isinstance(value, bytes) else value
                for value in run(*(value for _, value in feeds))
            ]
        except tf.errors.OpError as error:
            raise RequestError(Code(error.error_code), error.message) from error
        except UnicodeDecodeError as error:
            # The message, which TensorFlow's binding decodes, quotes bytes of the request.
            raise invalid(error.object.decode(errors="replace")) from error

    def signature(self, name: str) -> Any:
        """A SignatureDef.

        Raises:
            RequestError: FAILED_PRECONDITION, there is none of this name.
        """
        if name not in self.signatures:
            raise RequestError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        return self.signatures[name]

    def close(self) -> None:
        """Frees the memory; no request may be in progress."""
        self._callable.cache_clear()
        self._session.close()
        del self._session

    def _prepared(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Callable[..., Any]:
        """A function of the feeds' values. Unlike `Session.run`, it casts none and leaves all checks to the graph."""
        from tensorflow.core.protobuf import config_pb2

        return self._session._make_callable_from_options(config_pb2.CallableOptions(feed=feeds, fetch=fetches))

    def _complete(self, definition: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        import tensorflow as tf

        expected = set(definition.inputs)
        absent = expected - set(inputs)
        for name in sorted(absent):
            if name in definition.defaults:
                inputs[name] = tf.make_ndarray(definition.defaults[name])
        wrong = sorted(set(inputs) - expected)
        missing = sorted(expected - set(inputs))
        if wrong or missing:
            what = f"sent extra: {{{','.join(wrong)}}}" if wrong else ""
            what += "; " if wrong and missing else ""
            what += f"missing but required: {{{','.join(missing)}}}" if missing else ""
            # Not in TensorFlow Serving's words: the server checks the names before, in those.
            raise invalid(
                f"input keys do not match the signature's: {what}; expected: {{{','.join(sorted(expected))}}}"
            )
        return inputs


def _loading_error(error: Exception) -> RequestError:
    """The error with the code of TF Serving's loader: NOT_FOUND without a file or a graph of the tag `serve`."""
    import tensorflow as tf

    if isinstance(error, tf.errors.OpError):
        return RequestError(Code(error.error_code), error.message)
    return RequestError(Code.INVALID_ARGUMENT if isinstance(error, ValueError) else Code.NOT_FOUND, str(error))
