"""Bad requests: TensorFlow Serving's own codes, its words as far as they are its, and a server that lives on.

The parse errors are RapidJSON's there and the graph's errors TensorFlow's: of those only the beginning is compared.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.server.run import ServerOptions, running
from tests.serving.server.conftest import Client
from tests.serving.server.requests import (
    classify_request,
    example,
    example_list,
    good_request,
    predict_request,
    regress_request,
)

ROW = {"distance": 1.0, "carrier": "UA", "stops": 3}
GOOD = {"signature_name": "serving_columns", "instances": [ROW]}


@pytest.fixture(autouse=True)
def _lives_on(client: Client) -> Iterator[None]:
    yield
    assert client.http.post("/v1/models/tiny:predict", json=GOOD).json()["predictions"][0]["delay"] == [5.0]
    assert tf.make_ndarray(client.grpc.Predict(good_request()).outputs["delay"]).tolist() == [[5.0]]


def rows(*instances: Any, signature: str = "serving_columns") -> dict[str, Any]:
    return {"signature_name": signature, "instances": list(instances)}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ROW.items() if key != name}


PREDICT: dict[str, tuple[Any, int, str]] = {
    "not JSON": (b"{", 400, "JSON Parse error: "),
    "empty": (b"", 400, "JSON Parse error: The document is empty"),
    "no object": (b"[1]", 400, "Is not object"),
    "nested too deeply": (b'{"instances": ' + b"[" * 100_000, 400, "JSON Parse error: "),
    "number too large": (b'{"instances": [1e400]}', 400, "JSON Parse error: Number too big to be stored in double."),
    "number of too many digits": (b'{"instances": [' + b"9" * 10_000 + b"]}", 400, "JSON Parse error: "),
    "lone surrogate": (b'{"signature_name": "echo", "instances": ["\\ud800"]}', 400, "surrogate pair"),
    "no instances": ({"signature_name": "sums"}, 400, "Missing 'inputs' or 'instances' key"),
    "both forms": ({"instances": [], "inputs": {}}, 400, "expecting only one of"),
    "instances no list": ({"instances": {}}, 400, "Expecting 'instances' to be an list/array"),
    "no rows": ({"instances": []}, 400, "No values in 'instances' array"),
    "signature no string": ({"signature_name": 1, "instances": [1]}, 400, "'signature_name' key must be a string"),
    "unknown signature": (
        rows(ROW, signature="none"),
        400,
        'Serving signature name: "none" not found in signature def',
    ),
    "wrong name": (rows({**ROW, "speed": 1}), 400, "JSON object: does not have named input: speed"),
    "missing required": (rows(without("distance")), 400, "keys must be equal to: carrier,distance,stops"),
    # TensorFlow Serving's JSON knows no defaults; NaN and "" say that a value is missing.
    "missing optional": (rows(without("stops")), 400, "keys must be equal to: carrier,distance,stops"),
    "wrong dtype": (
        rows({**ROW, "distance": "far"}),
        400,
        'JSON Value: "far" Type: String is not of expected type: float',
    ),
    "boolean for a number": (rows({**ROW, "distance": True}), 400, "Type: True is not of expected type: float"),
    "number for a string": (rows({**ROW, "carrier": 1}), 400, "is not of expected type: string"),
    "null": (rows({**ROW, "distance": None}), 400, "Type: Null is not of expected type: float"),
    "object for a number": (rows({**ROW, "distance": {"a": 1}}), 400, "Type: Object is not of expected type: float"),
    "fraction for a whole number": (rows({"whole": 1.5, "long": 1, "flag": True}, signature="kinds"), 400, "int32"),
    "whole number too large": (rows({"whole": 2**31, "long": 1, "flag": True}, signature="kinds"), 400, "int32"),
    "wrong shape": (rows(1, 2, signature="sums"), 400, "has the shape [2], but the signature's is [rows,2]"),
    "rows of different shapes": (rows([1, 2], [3], signature="sums"), 400, "Expecting tensor size: 2 but got: 1"),
    "ragged": (rows([[1, 2], [3]], signature="sums"), 400, "Encountered list at unexpected size: 1 at level: 1"),
    "too many dimensions": (
        b'{"signature_name": "sums", "instances": [' + b"[" * 32 + b"1" + b"]" * 32 + b"]}",
        400,
        "input 'pairs' has 33 dimensions; at most 32 are supported",
    ),
    "lists as deep as JSON is read": (
        b'{"signature_name": "sums", "inputs": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}",
        400,
        "input 'pairs' has 900 dimensions",
    ),
    "mixed levels": (rows([1, [2]], signature="sums"), 400, "Encountered list at unexpected level: 1"),
    "values after objects": (rows(ROW, 1), 400, "Expecting object but got list at item 1 of input list"),
    "plain rows for many inputs": (rows(1), 400, "instances is a plain list, but expecting list of objects"),
    "columns of different lengths": (
        {"signature_name": "serving_columns", "inputs": {"distance": [1, 2], "carrier": ["A"], "stops": [0, 1, 2]}},
        400,
        "Incompatible shapes",
    ),
    "missing column": (
        {"signature_name": "serving_columns", "inputs": {"distance": [1], "carrier": ["A"]}},
        400,
        "Missing named input: stops in 'inputs' object.",
    ),
    "plain column for many inputs": ({"signature_name": "serving_columns", "inputs": [1]}, 400, "inputs is a plain"),
    "wrong base64": (rows({"b64": "a"}, signature="echo"), 400, "Unable to base64 decode"),
    "base64 with other keys": (rows({"text": {"b64": "aGk=", "c": 1}}, signature="echo"), 400, "for base64 data"),
    "malformed tf.Example": (rows({"b64": "/////w=="}, signature="serving_default"), 400, "Could not parse example"),
    "tf.Example without what is required": (rows({"b64": ""}, signature="serving_default"), 400, "is required"),
    "dtype that JSON cannot give": ({"signature_name": "halves", "inputs": [1]}, 501, "to type: half"),
}


@pytest.mark.parametrize(("body", "code", "message"), PREDICT.values(), ids=PREDICT)
def test_predict_by_rest(client: Client, body: Any, code: int, message: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body)
    answer = client.http.post("/v1/models/tiny:predict", content=content)
    assert (answer.status_code, list(answer.json())) == (code, ["error"])
    assert message in answer.json()["error"]


PATHS: dict[str, tuple[str, str, int, str]] = {
    "unknown model": ("POST", "/v1/models/none:predict", 404, "Servable not found for request: Latest(none)"),
    "version not loaded": (
        "POST",
        "/v1/models/tiny/versions/2:predict",
        404,
        "Servable not found for request: Specific(tiny, 2)",
    ),
    "label of a version that is not there": (
        "POST",
        "/v1/models/tiny/labels/canary:predict",
        404,
        "Servable not found for request: Specific(tiny, 2000)",
    ),
    "unknown label": (
        "POST",
        "/v1/models/tiny/labels/none:predict",
        400,
        "Unrecognized servable version label: none",
    ),
    "version too large": (
        "POST",
        f"/v1/models/tiny/versions/{2**63}:predict",
        400,
        f"Failed to convert version: {2**63} to numeric.",
    ),
    "version with the digits of another script": (
        "POST",
        "/v1/models/tiny/versions/%D9%A1:predict",
        400,
        "Malformed request: POST /v1/models/tiny/versions/%D9%A1:predict",
    ),
    "unknown verb": ("POST", "/v1/models/tiny:explain", 400, "Malformed request: POST /v1/models/tiny:explain"),
    "verb in capitals": ("POST", "/v1/models/tiny:Predict", 400, "Malformed request: POST /v1/models/tiny:Predict"),
    "wrong method": ("PUT", "/v1/models/tiny:predict", 400, "Malformed request: PUT /v1/models/tiny:predict"),
    "no model": ("GET", "/v1/models", 400, "Missing model name in request."),
    "status of an unknown model": ("GET", "/v1/models/none", 404, "Could not find any versions of model none"),
    "status of an unknown version": (
        "GET",
        "/v1/models/tiny/versions/9",
        404,
        "Could not find version 9 of model tiny",
    ),
    "metadata of an unknown model": (
        "GET",
        "/v1/models/none/metadata",
        404,
        "Servable not found for request: Latest(none)",
    ),
    "not of the API": ("GET", "/v1/other", 400, "Malformed request: GET /v1/other"),
}


@pytest.mark.parametrize(("method", "path", "code", "message"), PATHS.values(), ids=PATHS)
def test_paths(client: Client, method: str, path: str, code: int, message: str) -> None:
    answer = client.http.request(method, path, json=GOOD if method == "POST" else None)
    assert (answer.status_code, answer.json()) == (code, {"error": message})


EXAMPLES: dict[str, tuple[str, Any, str]] = {
    "not JSON": ("classify", b"nothing", "JSON Parse error"),
    "no examples": ("classify", {}, "key 'examples' is expected and was not found"),
    "examples no list": ("classify", {"examples": {}}, "Expecting 'examples' value to be an list/array"),
    "empty": ("classify", {"examples": []}, "'examples' value is an empty array"),
    "example no object": ("classify", {"examples": [1]}, "Example must be JSON object but got JSON Number"),
    "context no object": (
        "regress",
        {"context": 1, "examples": [{}]},
        "Example must be JSON object but got JSON Number",
    ),
    "null": ("classify", {"examples": [{"distance": None}]}, "distance has element with unexpected JSON type: Null"),
    "list in a list": ("classify", {"examples": [{"distance": [[1]]}]}, "unexpected JSON type: Array"),
    "mixed": ("classify", {"examples": [{"distance": [1.5, "a"]}]}, "feature: distance expecting type: float"),
    "too large": ("classify", {"examples": [{"distance": 2**63}]}, "Only int64_t is supported"),
    "wrong dtype": ("classify", {"examples": [{"distance": "far"}]}, "distance"),
    # tensorflow_serving/util/json_tensor.cc, AddValueToFeature: a JSON number without a point is an int64.
    "whole number for a float": (
        "classify",
        {"examples": [{"distance": 41}]},
        "Key: distance, Index: 0.  Data types don't match. Data type: int64 but expected type: float",
    ),
    "float for a whole number": (
        "classify",
        {"examples": [{"distance": 41.0, "stops": 719.0}]},
        "Key: stops, Index: 0.  Data types don't match. Data type: float but expected type: int64",
    ),
    "both forms in a list": ("regress", {"examples": [{"distance": [1.0, 2]}]}, "distance expecting type: float"),
    "missing": ("classify", {"examples": [{"stops": 1}]}, "distance (data type: float) is required"),
    "no signature of this name": (
        "classify",
        {"signature_name": "none", "examples": [{}]},
        "No signature was found with the name: none",
    ),
    "signature of another kind": (
        "classify",
        {"signature_name": "serving_default", "examples": [{}]},
        "Expected one or two output Tensors, found 4",
    ),
    "regress by classify's": ("regress", {"examples": [{}]}, "Expected one output Tensor."),
}


@pytest.mark.parametrize(("verb", "body", "message"), EXAMPLES.values(), ids=EXAMPLES)
def test_examples_by_rest(client: Client, verb: str, body: Any, message: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps({"signature_name": "late", **body})
    answer = client.http.post(f"/v1/models/tiny:{verb}", content=content)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert message in answer.json()["error"]


def changed(change: Callable[[predict_pb2.PredictRequest], None]) -> predict_pb2.PredictRequest:
    request = good_request()
    change(request)
    return request


def _huge(request: predict_pb2.PredictRequest) -> None:
    """A few bytes that claim to be a tensor of terabytes."""
    tensor = request.inputs["distance"]
    tensor.tensor_content = b""
    tensor.float_val[:] = [1.0]
    tensor.tensor_shape.dim[0].size = 2**40


def _filled(signature: str, name: str, dtype: int, *shape: int) -> predict_pb2.PredictRequest:
    """About 40 bytes that claim to be a tensor of any size: the value that is not there would be repeated."""
    request = predict_request(signature, {})
    tensor = request.inputs[name]
    tensor.dtype = dtype
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return request


def _negative(request: predict_pb2.PredictRequest) -> None:
    request.inputs["distance"].tensor_shape.dim[0].size = -1


COLUMN = np.float32([1])
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
BY_GRPC: dict[str, tuple[Any, grpc.StatusCode, str]] = {
    "no model spec": (predict_pb2.PredictRequest(), INVALID, "Missing ModelSpec"),
    "no model name": (predict_request("", {}, model=""), INVALID, "ModelSpec has no name specified."),
    "unknown model": (predict_request("", {}, model="none"), NOT_FOUND, "Servable not found for request: Latest(none)"),
    "version not loaded": (
        changed(lambda request: setattr(request.model_spec.version, "value", 2)),
        NOT_FOUND,
        "Servable not found for request: Specific(tiny, 2)",
    ),
    "unknown label": (
        changed(lambda request: setattr(request.model_spec, "version_label", "none")),
        INVALID,
        "Unrecognized servable version label: none",
    ),
    "unknown signature": (
        predict_request("none", {}),
        grpc.StatusCode.FAILED_PRECONDITION,
        'Serving signature key "none" not found.',
    ),
    "wrong name": (
        predict_request("serving_columns", {"distance": COLUMN, "speed": COLUMN}),
        INVALID,
        "Inputs contains invalid name. Used request inputs: distance, request input: distance,speed",
    ),
    "missing required": (
        predict_request("serving_columns", {"carrier": [b"UA"]}),
        INVALID,
        "not found in request and no default value provided. Inputs expected to be in the request {carrier}, or "
        "default input alias set: carrier,stops",
    ),
    "missing without defaults": (predict_request("sums", {}), INVALID, "input size does not match signature: 0!=1"),
    "more than there are": (
        predict_request("sums", {"pairs": COLUMN, "speed": COLUMN}),
        INVALID,
        "Sent extra: {speed}. Missing but required: {}.",
    ),
    "wrong dtype": (predict_request("serving_columns", {"distance": [b"far"]}), INVALID, "string"),
    "number for a string": (predict_request("", {"examples": COLUMN}), INVALID, "float"),
    "wrong shape": (
        predict_request("sums", {"pairs": COLUMN}),
        INVALID,
        "has the shape [1], but the signature's is [rows,2]",
    ),
    "too many dimensions": (
        predict_request("serving_columns", {"distance": np.ones([2, 3], np.float32), "stops": np.ones([7])}),
        INVALID,
        "input 'distance' has the shape [2,3], but the signature's is [rows]",
    ),
    "what would be broadcast to rows squared": (
        predict_request("serving_columns", {"distance": np.ones(2**17, np.float32), "stops": np.ones([2**17, 1])}),
        INVALID,
        "input 'stops' has the shape [131072,1], but the signature's is [rows]",
    ),
    "unknown output": (
        predict_request("sums", {"pairs": np.ones([1, 2], np.float32)}, outputs=("none",)),
        INVALID,
        "output tensor alias not found in signature: none",
    ),
    "output twice": (
        predict_request("sums", {"pairs": COLUMN}, outputs=("sum", "sum")),
        INVALID,
        "duplicate output tensor alias: sum",
    ),
    "tensor without its values": (changed(_huge), INVALID, "tensor parsing error: distance"),
    "strings without their values": (
        _filled("", "examples", types_pb2.DT_STRING, 2**25),
        INVALID,
        "its shape is [33554432], but the message has 0 values; at most 65536 elements are filled in",
    ),
    "numbers without their values": (_filled("sums", "pairs", types_pb2.DT_FLOAT, 2**17), INVALID, "0 values"),
    # The sums over the last dimension would be 2^40 zeros.
    "empty, but of many rows": (_filled("sums", "pairs", types_pb2.DT_FLOAT, 2**40, 0), INVALID, "0 values"),
    "sizes beyond 64 bits": (_filled("sums", "pairs", types_pb2.DT_FLOAT, 0, *[2**40] * 3), INVALID, "0 values"),
    "more dimensions than NumPy has": (
        _filled("sums", "pairs", types_pb2.DT_FLOAT, *[1] * 33),
        INVALID,
        "input 'pairs' has 33 dimensions; at most 32 are supported",
    ),
    "negative size": (changed(_negative), INVALID, "tensor parsing error: distance"),
    "malformed tf.Example": (predict_request("", {"examples": [b"\xff\xff\xff"]}), INVALID, "Could not parse example"),
    "classify without examples": (classify_request(), INVALID, "Input is empty."),
    "classify by an unknown signature": (
        classify_request(example(distance=1.0), signature="none"),
        INVALID,
        "No signature was found with the name: none",
    ),
    "classify with a wrong dtype": (classify_request(example(distance="far")), INVALID, "distance"),
    "classify without model spec": (classification_pb2.ClassificationRequest(), INVALID, "Missing ModelSpec"),
    "regress by classify's": (regress_request(example(), signature="late"), INVALID, "Expected one output Tensor."),
    "regress without what is required": (regress_request(example(stops=1)), INVALID, "is required"),
    "metadata of nothing": (
        get_model_metadata_pb2.GetModelMetadataRequest(model_spec=good_request().model_spec),
        INVALID,
        "must specify at least one metadata_field",
    ),
    "metadata of another kind": (
        get_model_metadata_pb2.GetModelMetadataRequest(model_spec=good_request().model_spec, metadata_field=["x"]),
        INVALID,
        "Metadata field x is not supported",
    ),
}


def call(client: Client, request: Any) -> Any:
    methods = {
        predict_pb2.PredictRequest: client.grpc.Predict,
        classification_pb2.ClassificationRequest: client.grpc.Classify,
        regression_pb2.RegressionRequest: client.grpc.Regress,
        inference_pb2.MultiInferenceRequest: client.grpc.MultiInference,
        get_model_metadata_pb2.GetModelMetadataRequest: client.grpc.GetModelMetadata,
    }
    return methods[type(request)](request, timeout=30)


@pytest.mark.parametrize(("request_", "code", "message"), BY_GRPC.values(), ids=BY_GRPC)
def test_by_grpc(client: Client, request_: Any, code: grpc.StatusCode, message: str) -> None:
    with pytest.raises(grpc.RpcError) as error:
        call(client, request_)
    assert error.value.code() == code
    assert message in error.value.details()


@pytest.mark.parametrize(
    ("tasks", "code", "message"),
    [
        ([], INVALID, "ModelSpec has no name specified."),
        ([("none", "late", "classify")], NOT_FOUND, "Latest(none)"),
        ([("tiny", "late", "classify"), ("other", "delay", "regress")], INVALID, "must access the same model name"),
        (
            [("tiny", "late", "classify"), ("tiny", "late", "classify")],
            INVALID,
            "Duplicate evaluation of signature: late",
        ),
        ([("tiny", "none", "classify")], INVALID, "Requested signature not found in model graph: none"),
        ([("tiny", "late", "predict")], grpc.StatusCode.UNIMPLEMENTED, "Unsupported signature method_name"),
    ],
)
def test_multi_inference(client: Client, tasks: list, code: grpc.StatusCode, message: str) -> None:
    request = inference_pb2.MultiInferenceRequest(input=example_list(example(distance=1.0)))
    for model, signature, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = model, signature
    with pytest.raises(grpc.RpcError) as error:
        call(client, request)
    assert error.value.code() == code
    assert message in error.value.details()


def test_a_value_is_repeated_as_in_tensorflow(client: Client) -> None:
    request = predict_request("serving_columns", {})
    request.inputs["distance"].CopyFrom(tf.make_tensor_proto(1.0, shape=[2**16]))
    assert tf.make_ndarray(call(client, request).outputs["delay"]).shape == (2**16, 1)


def test_a_string_without_dimensions_is_answered(client: Client) -> None:
    assert tf.make_ndarray(call(client, predict_request("echo", {"text": b"a"})).outputs["text"]) == b"a"


def test_nan_is_a_value(client: Client) -> None:
    response = call(client, predict_request("serving_columns", {"distance": np.float32([np.nan])}))
    assert np.isnan(tf.make_ndarray(response.outputs["delay"])).all()


def test_a_long_message_is_cut_by_grpc(client: Client) -> None:
    request = predict_request("x" * 5000, {})
    with pytest.raises(grpc.RpcError) as error:
        call(client, request)
    assert error.value.details().endswith("...TRUNCATED")
    assert len(error.value.details()) == 1024 + len("...TRUNCATED")


def test_bytes_that_are_no_message(client: Client) -> None:
    method = client.channel.unary_unary("/tensorflow.serving.PredictionService/Classify")
    with pytest.raises(grpc.RpcError) as error:
        method(b"\xff\xff\xff", timeout=30)
    assert error.value.code() == grpc.StatusCode.INTERNAL


def test_a_body_above_the_limit_is_refused(client: Client) -> None:
    options = ServerOptions(
        "tiny", client.server.manager.base_path, rest_port=0, grpc_port=0, poll_seconds=60, max_body_bytes=1000
    )
    with running(options) as server:
        client_of = type(client.http)(base_url=server.rest, timeout=30)
        with client_of:
            sized = client_of.post("/v1/models/tiny:predict", content=b" " * 1001)
            chunked = client_of.post("/v1/models/tiny:predict", content=iter([b" " * 600] * 2))
            packed = {"Content-Encoding": "gzip"}
            bomb = client_of.post("/v1/models/tiny:predict", content=gzip.compress(b" " * 10**6)[:900], headers=packed)
            within = client_of.post("/v1/models/tiny:predict", content=b" " * 1000)
    assert [answer.status_code for answer in (sized, chunked, bomb, within)] == [413, 413, 413, 400]
    assert sized.json() == {"error": "The body is larger than 1000 bytes"}
