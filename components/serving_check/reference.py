"""The predictions of the Trainer's model by TensorFlow's Python API."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from serving.check.answers import Answers
from serving.check.requests import inputs_of, signatures_of
from serving.rows import only_columns
from serving.signatures import COLUMNS, EXAMPLES, read_meta_graph
from trainer.names import column_arguments


def reference_answers(model: Path, rows: Sequence[bytes]) -> dict[str, Answers]:
    """The signatures' answers in this process: Transform's graph and the trained network, as the Trainer ran them.

    The Trainer itself sees transformed examples only, and so has no predictions for raw rows, but its exported
    functions do. They are restored here as Python objects and called eagerly: variables and tables are restored from
    the object graph, whereas the check's process, like TF Serving, uses the serialized session graph with its
    initializers and restores by names. A value that one of the two ways loses shows as a difference.

    Args:
        model: a SavedModel that the check's process has loaded and run already, so that it neither hangs nor crashes.
        rows: serialized tf.Examples.

    Returns:
        Signature → output → values, for serving_default and serving_columns, and for the signatures of tasks. Those
        are no functions of the export, but give tensors of serving_default under other names.

    Raises:
        ValueError, tf.errors.OpError: the model cannot be loaded or called so.
    """
    definitions = read_meta_graph(model).signature_def
    rows = only_columns(rows, definitions[COLUMNS].inputs)
    loaded = tf.saved_model.load(str(model))
    answers: dict[str, Answers] = {}
    for signature in (EXAMPLES, COLUMNS):
        definition = definitions[signature]
        # Python's functions know nothing of a signature's defaults.
        given = {name: tf.make_ndarray(value) for name, value in definition.defaults.items()}
        given |= inputs_of(signature, definition, rows)
        arguments = column_arguments(definition.inputs)
        inputs = {arguments[name]: tf.constant(value, definition.inputs[name].dtype) for name, value in given.items()}
        answers[signature] = {name: value.numpy() for name, value in loaded.signatures[signature](**inputs).items()}
    for signature in signatures_of(definitions):
        if signature not in answers:
            renamed = _renamed(definitions[signature], definitions[EXAMPLES])
            answers[signature] = {name: answers[EXAMPLES][of_default] for name, of_default in renamed.items()}
    return answers


def _renamed(definition: Any, default: Any) -> dict[str, str]:
    """Output of a task's signature → the output of serving_default that is the same tensor."""
    outputs = {info.name: name for name, info in default.outputs.items()}
    return {name: outputs[info.name] for name, info in definition.outputs.items() if info.name in outputs}
