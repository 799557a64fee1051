"""gRPC requests."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, input_pb2, predict_pb2, regression_pb2


def predict_request(
    signature: str, inputs: Mapping[str, object], model: str = "tiny", outputs: tuple[str, ...] = ()
) -> predict_pb2.PredictRequest:
    """A Predict request of these inputs."""
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def example(**features: float | int | str) -> tf.train.Example:
    """A tf.Example with one value per feature."""
    found = tf.train.Example()
    for name, value in features.items():
        feature = found.features.feature[name]
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        elif isinstance(value, float):
            feature.float_list.value.append(value)
        else:
            feature.int64_list.value.append(value)
    return found


def example_list(*examples: tf.train.Example) -> input_pb2.Input:
    """An Input of these."""
    return input_pb2.Input(example_list=input_pb2.ExampleList(examples=examples))


def regress_request(*examples: tf.train.Example, signature: str = "delay") -> regression_pb2.RegressionRequest:
    """A Regress request."""
    request = regression_pb2.RegressionRequest(input=example_list(*examples))
    request.model_spec.name, request.model_spec.signature_name = "tiny", signature
    return request


def classify_request(*examples: tf.train.Example, signature: str = "late") -> classification_pb2.ClassificationRequest:
    """A Classify request."""
    request = classification_pb2.ClassificationRequest(input=example_list(*examples))
    request.model_spec.name, request.model_spec.signature_name = "tiny", signature
    return request


def good_request() -> predict_pb2.PredictRequest:
    """One whose `delay` is [[5.0]] at offset 0."""
    inputs = {"distance": np.float32([1]), "carrier": [b"UA"], "stops": np.float64([3])}
    return predict_request("serving_columns", inputs)
