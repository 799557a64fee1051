"""Answers by gRPC."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    regression_pb2,
)
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.serving.server.conftest import Client
from tests.serving.server.requests import (
    classify_request,
    example,
    example_list,
    good_request,
    predict_request,
    regress_request,
)


def test_predict(client: Client) -> None:
    response = client.grpc.Predict(good_request())
    assert response.model_spec.name == "tiny"
    assert response.model_spec.signature_name == "serving_columns"
    assert response.model_spec.version.value == 3
    assert set(response.outputs) == {"delay", "late", "late/classes", "late/probabilities"}
    assert tf.make_ndarray(response.outputs["delay"]).tolist() == [[5.0]]
    assert tf.make_ndarray(response.outputs["late/classes"]).tolist() == [[b"no", b"yes"]]
    # Clients in other languages read the values' own field.
    assert list(response.outputs["delay"].float_val) == [5.0]


def test_the_default_signature_takes_examples(client: Client) -> None:
    rows = [example(distance=1.0, carrier="EV", stops=2).SerializeToString(), example(distance=2.0).SerializeToString()]
    response = client.grpc.Predict(predict_request("", {"examples": rows}))
    assert response.model_spec.signature_name == "serving_default"
    assert tf.make_ndarray(response.outputs["delay"]).tolist() == [[9.0], [4.0]]


def test_optional_inputs_may_be_left_out(client: Client) -> None:
    response = client.grpc.Predict(predict_request("serving_columns", {"distance": np.float32([1])}))
    assert tf.make_ndarray(response.outputs["delay"]).tolist() == [[2.0]]


def test_output_filter(client: Client) -> None:
    request = good_request()
    request.output_filter.append("delay")
    assert list(client.grpc.Predict(request).outputs) == ["delay"]


def test_version_and_label(client: Client) -> None:
    by_version, by_label = good_request(), good_request()
    by_version.model_spec.version.value = 1
    by_label.model_spec.version_label = "stable"
    for request in (by_version, by_label):
        response = client.grpc.Predict(request)
        assert response.model_spec.version.value == 1
        assert response.model_spec.version_label == ""
        assert tf.make_ndarray(response.outputs["delay"]).tolist() == [[105.0]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(client: Client, dtype: str) -> None:
    half = tf.constant([1.5, -2.0], dtype)
    request = predict_request("halves", {"half": half.numpy()})
    if dtype == "float16":
        assert tf.make_ndarray(client.grpc.Predict(request).outputs["half"]).tolist() == [3.0, -4.0]
    else:
        with pytest.raises(grpc.RpcError) as error:
            client.grpc.Predict(request)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_one_value_stands_for_all_in_a_tensor_message(client: Client) -> None:
    request = predict_request("sums", {"pairs": np.float32([[1, 1]])})
    del request.inputs["pairs"].float_val[:]
    request.inputs["pairs"].tensor_content = b""
    request.inputs["pairs"].float_val.append(2.5)
    request.inputs["pairs"].tensor_shape.dim[0].size = 3
    assert tf.make_ndarray(client.grpc.Predict(request).outputs["sum"]).tolist() == [5.0] * 3


def test_classify(client: Client) -> None:
    response = client.grpc.Classify(classify_request(example(distance=0.0)))
    assert response.model_spec.signature_name == "late"
    (found,) = response.result.classifications
    assert [(one.label, one.score) for one in found.classes] == [("no", 0.5), ("yes", 0.5)]


def test_regress(client: Client) -> None:
    response = client.grpc.Regress(regress_request(example(distance=1.0), example(distance=2.0, stops=1)))
    assert [one.value for one in response.result.regressions] == [2.0, 5.0]
    assert response.model_spec.version.value == 3


def test_regress_with_context(client: Client) -> None:
    given = input_pb2.Input()
    given.example_list_with_context.context.CopyFrom(example(stops=7))
    given.example_list_with_context.examples.append(example(distance=1.0))
    request = regression_pb2.RegressionRequest(input=given)
    request.model_spec.name, request.model_spec.signature_name = "tiny", "delay"
    assert [one.value for one in client.grpc.Regress(request).result.regressions] == [9.0]


def test_multi_inference(client: Client) -> None:
    request = inference_pb2.MultiInferenceRequest(input=example_list(example(distance=0.0, stops=4)))
    for name, method in (("late", "classify"), ("delay", "regress")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "tiny", name
    late, delay = client.grpc.MultiInference(request).results
    assert late.model_spec.signature_name == "late"
    assert [one.score for one in late.classification_result.classifications[0].classes] == [0.5, 0.5]
    assert [one.value for one in delay.regression_result.regressions] == [4.0]
    assert delay.model_spec.version.value == 3


def test_metadata(client: Client) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "tiny"
    response = client.grpc.GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert response.model_spec.version.value == 3
    assert {"serving_default", "serving_columns", "late", "delay"} <= set(signatures.signature_def)


def test_status(client: Client) -> None:
    stub = model_service_pb2_grpc.ModelServiceStub(client.channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "tiny"
    found = stub.GetModelStatus(request).model_version_status
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert [(status.version, status.state, status.status.error_code) for status in found] == [
        (3, available, 0),
        (1, available, 0),
    ]


def test_the_configuration_cannot_be_changed(client: Client) -> None:
    stub = model_service_pb2_grpc.ModelServiceStub(client.channel)
    with pytest.raises(grpc.RpcError) as error:
        stub.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest())
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_health(client: Client) -> None:
    stub = health_pb2_grpc.HealthStub(client.channel)
    for name in ("", "PredictionService", "ModelService"):
        response = stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_a_message_of_ten_megabytes_is_answered(client: Client) -> None:
    pairs = np.ones([1_300_000, 2], np.float32)
    request = predict_request("sums", {"pairs": pairs})
    assert request.ByteSize() > 10_000_000
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(client.server.grpc, unlimited) as channel:
        response = PredictionServiceStub(channel).Predict(request, timeout=60)
    found = tf.make_ndarray(response.outputs["sum"])
    np.testing.assert_array_equal(found, np.full(1_300_000, 2, np.float32))
