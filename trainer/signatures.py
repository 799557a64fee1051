"""The exported model: TF Serving's signatures over the raw columns."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.saved_model import (
    CLASSIFY_INPUTS,
    CLASSIFY_METHOD_NAME,
    CLASSIFY_OUTPUT_CLASSES,
    CLASSIFY_OUTPUT_SCORES,
    REGRESS_METHOD_NAME,
    REGRESS_OUTPUTS,
)
from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader

from serving.signatures import ERROR
from trainer.assertions import Column, per_row, require_finite, require_values
from trainer.config import TrainerConfig
from trainer.encoders import ENCODERS
from trainer.heads.base import Head
from trainer.names import column_arguments, label_name, weight_name

Spec: TypeAlias = Any
"""tf.io.FixedLenFeature or tf.io.VarLenFeature."""


class ServingModule(tf.Module):
    """Transform's graph, the network and the heads as one exportable object: TF core operations only."""

    def __init__(
        self, config: TrainerConfig, transform: tft.TFTransformOutput, network: keras.Model, heads: Mapping[str, Head]
    ):
        super().__init__(name="janus")
        raw_spec = transform.raw_feature_spec()
        # Column → the length of its lists, if they have one, and whether they are of any length.
        self._shapes = config.column_shapes()
        columns = list(self._shapes)
        self._feature_spec: dict[str, Spec] = {column: raw_spec[column] for column in columns}
        self.arguments = column_arguments(columns)
        label_columns = [c for task in config.tasks.values() for c in (task.label, task.sample_weight) if c is not None]
        self._refusals = {
            name: partial(refusals, name, feature)
            for name, feature in config.features.items()
            if (refusals := ENCODERS[feature.kind].refusals)
        }
        self._label_spec: dict[str, Spec] = {column: raw_spec[column] for column in label_columns}
        self.tasks = list(config.tasks)
        self._heads = dict(heads)
        self._network = network
        # Tracking a Keras object would add Keras metadata to the SavedModel; the variables are enough.
        self.weights = [variable.value for variable in network.variables]
        # Not TFT's Keras layer: saving one takes seconds, since it traces functions that nothing calls.
        self._transform = SavedModelLoader(transform.transform_savedmodel_dir)
        self.transform_resources = self._transform._imported

    def signatures(self) -> dict[str, Any]:
        """The concrete functions to export, by signature name."""
        serialized = tf.TensorSpec([None], tf.string, name="examples")
        columns = {self.arguments[name]: spec for name, spec in self._column_specs().items()}
        return {
            "serving_default": _traced(self._serve_examples, examples=serialized),
            "serving_columns": _traced(self._serve_columns, **columns),
            "transform_features": _traced(self._labels_of_examples, examples=serialized),
        }

    def column_defaults(self) -> dict[str, tf.Tensor]:
        """The value of a column that a request to `serving_columns` leaves out: one missing value."""
        missing = {tf.string: "", tf.float32: float("nan"), tf.float64: float("nan")}
        return {
            name: tf.constant(missing[spec.dtype], spec.dtype, shape=[1, *(size or 1 for size in spec.shape[1:])])
            for name, spec in self._column_specs().items()
            if isinstance(self._feature_spec[name], tf.io.VarLenFeature)
        }

    def _serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._predict(tf.io.parse_example(examples, self._feature_spec))

    def _serve_columns(self, **arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = [self._column(name) for name in self.arguments]
        given = [arguments[argument] for argument in self.arguments.values()]
        table = list(zip(columns, per_row(list(zip(columns, given, strict=True))), strict=True))
        raw = {column.name: self._raw(column.name, values) for column, values in table}
        return self._predict(raw, require_values(table))

    def _labels_of_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        transformed = self._transform.apply_transform_model(tf.io.parse_example(examples, self._label_spec))
        names = [name(task) for task in self.tasks for name in (label_name, weight_name)]
        labels = {name: transformed[name] for name in names}
        return labels | {
            label_name(task): head.with_offset(labels[label_name(task)]) for task, head in self._heads.items()
        }

    def _predict(self, raw: Mapping[str, Any], required: Sequence[tf.Operation] = ()) -> dict[str, tf.Tensor]:
        """The outputs, each of which depends on the assertions.

        A row with a value that cannot be decoded has NaN or empty texts in all of them but `ERROR`, which names it: an
        assertion would fail the other rows too, and with a server's batching these may be of other clients.
        """
        transformed = self._transform.apply_transform_model(raw)
        features = {name: transformed[name] for name in self._network.input}
        raw_outputs = self._network(features, training=False)
        outputs: dict[str, tf.Tensor] = {}
        for name, head in self._heads.items():
            outputs.update(head.outputs(raw_outputs[name]))
        outputs |= self._without_refused(outputs, transformed)
        with tf.control_dependencies([*required, *require_finite(features)]):
            return {name: tf.identity(values) for name, values in outputs.items()}

    def _without_refused(
        self, outputs: Mapping[str, tf.Tensor], transformed: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """The outputs with nothing in the rows that have an error, and the errors; empty if no feature can have one."""
        texts = [refusals(transformed[name]) for name, refusals in self._refusals.items()]
        if not texts:
            return {}
        error = texts[0]
        for text in texts[1:]:
            error = tf.strings.join([error, tf.where((error != "") & (text != ""), "; ", ""), text])

        def known(values: tf.Tensor) -> tf.Tensor:
            good = tf.reshape(error == "", [-1, *[1] * (values.shape.rank - 1)])
            return tf.where(good, values, tf.constant("" if values.dtype == tf.string else math.nan, values.dtype))

        return {name: known(values) for name, values in outputs.items()} | {ERROR: error}

    def _column(self, name: str) -> Column:
        spec = self._feature_spec[name]
        required = isinstance(spec, tf.io.FixedLenFeature)
        length, many = self._shapes[name]
        return Column(name, None if many else length or 1, required, spec.dtype == tf.int64)

    def _column_specs(self) -> dict[str, tf.TensorSpec]:
        specs = {}
        for name, spec in self._feature_spec.items():
            # Whole numbers are float64 in requests, which has a value for "missing" and is exact to 2^53.
            dtype = tf.float64 if spec.dtype == tf.int64 else spec.dtype
            length, many = self._shapes[name]
            shape = [None, length] if many or length is not None else [None]
            specs[name] = tf.TensorSpec(shape, dtype, name=self.arguments[name])
        return specs

    def _raw(self, name: str, values: tf.Tensor) -> Any:
        """A column [rows, width] in the form that Transform's graph expects."""
        spec = self._feature_spec[name]
        if isinstance(spec, tf.io.FixedLenFeature):
            return tf.reshape(tf.cast(values, spec.dtype), [-1, *spec.shape])
        present = values != "" if values.dtype == tf.string else tf.logical_not(tf.math.is_nan(values))
        indices = tf.where(present)
        kept = tf.gather_nd(values, indices)
        if spec.dtype != values.dtype:
            kept = tf.cast(kept, spec.dtype)
        return tf.SparseTensor(indices, kept, tf.shape(values, out_type=tf.int64))


def _traced(function: Callable[..., Any], **specs: tf.TensorSpec) -> Any:
    # AutoGraph would translate the source of all that is called, Keras' layers included, which takes seconds.
    return tf.function(function, autograph=False).get_concrete_function(**specs)


def export(module: ServingModule, path: str) -> None:
    """Writes the SavedModel with the signatures serving_default, serving_columns and transform_features.

    In addition, a task that classifies or predicts one number has a signature of its own name, for TF Serving's
    Classify, Regress and MultiInference. These share the placeholder of serving_default, since MultiInference requires
    the same input of all its tasks (tensorflow_serving/servables/tensorflow/multi_inference.cc). They exist only in
    the SignatureDefs, which TF Serving reads; Python's `tf.saved_model.load` reads the object graph, and does not show
    them. In the object graph, a column whose name cannot be an argument's has a substitute (`column_arguments`).
    """
    tf.saved_model.save(module, path, signatures=module.signatures())
    file = f"{path}/saved_model.pb"
    saved_model = saved_model_pb2.SavedModel()
    with tf.io.gfile.GFile(file, "rb") as stream:
        saved_model.ParseFromString(stream.read())
    definitions = saved_model.meta_graphs[0].signature_def
    inputs = definitions["serving_columns"].inputs
    for name, argument in module.arguments.items():
        if argument != name:
            inputs[name].CopyFrom(inputs[argument])
            del inputs[argument]
    # Signature → values of inputs that a request leaves out (SignatureDef.defaults in meta_graph.proto).
    for name, value in module.column_defaults().items():
        definitions["serving_columns"].defaults[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
    for task in module.tasks:
        signature = task_signature(task, definitions["serving_default"])
        if signature is not None:
            definitions[task].CopyFrom(signature)
    with tf.io.gfile.GFile(file, "wb") as stream:
        stream.write(saved_model.SerializeToString(deterministic=True))


def task_signature(task: str, whole: Any) -> Any | None:
    """A task's own signature, for TF Serving's Classify or Regress, made of that of serving_default.

    None if the task fits neither. Of several quantiles, Regress returns that of the output named after the task: the
    nearest to 0.5.
    """
    signature = meta_graph_pb2.SignatureDef()
    signature.inputs[CLASSIFY_INPUTS].CopyFrom(whole.inputs["examples"])
    if f"{task}/classes" in whole.outputs:
        signature.method_name = CLASSIFY_METHOD_NAME
        signature.outputs[CLASSIFY_OUTPUT_CLASSES].CopyFrom(whole.outputs[f"{task}/classes"])
        signature.outputs[CLASSIFY_OUTPUT_SCORES].CopyFrom(whole.outputs[f"{task}/probabilities"])
        return signature
    shape = [dimension.size for dimension in whole.outputs[task].tensor_shape.dim]
    # Regress returns float32 only, which would round predictions with an offset.
    if shape[1:] != [1] or whole.outputs[task].dtype != tf.float32.as_datatype_enum:
        return None
    signature.method_name = REGRESS_METHOD_NAME
    signature.outputs[REGRESS_OUTPUTS].CopyFrom(whole.outputs[task])
    return signature
