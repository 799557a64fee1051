"""Answers by REST, in all the forms that TensorFlow Serving's API has."""

import gzip
import json

import numpy as np
import pytest

from tests.serving.server.conftest import Client
from tests.serving.server.tiny_model import CLASSES

COLUMNS = "serving_columns"
ROW = {"distance": 1.0, "carrier": "UA", "stops": 3}


def probability(distance: float) -> float:
    return float(1 / (1 + np.exp(-distance)))


def ok(client: Client, path: str, body: object) -> dict:
    answer = client.http.post(f"/v1/models/tiny{path}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def test_rows(client: Client) -> None:
    found = ok(client, ":predict", {"signature_name": COLUMNS, "instances": [ROW, {**ROW, "carrier": "EV"}]})
    first, second = found["predictions"]
    assert set(first) == {"delay", "late", "late/classes", "late/probabilities"}
    assert (first["delay"], second["delay"]) == ([5.0], [10.0])
    assert first["late/classes"] == list(CLASSES)
    np.testing.assert_allclose(first["late"], [1 - probability(1), probability(1)], rtol=1e-6)


def test_columns(client: Client) -> None:
    inputs = {"distance": [1, 2], "carrier": ["UA", "EV"], "stops": [0, 1]}
    found = ok(client, ":predict", {"signature_name": COLUMNS, "inputs": inputs})["outputs"]
    assert found["delay"] == [[2.0], [10.0]]
    assert found["late/classes"] == [list(CLASSES)] * 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"instances": [[1, 2], [3, 4.5]]}, {"predictions": [3.0, 7.5]}),
        ({"instances": [{"pairs": [1, 2]}]}, {"predictions": [3.0]}),
        ({"inputs": [[1, 2]]}, {"outputs": [3.0]}),
        ({"inputs": {"pairs": [[1, 2]]}}, {"outputs": [3.0]}),
    ],
)
def test_one_input_and_one_output_need_no_names(client: Client, body: dict, expected: dict) -> None:
    assert ok(client, ":predict", {"signature_name": "sums", **body}) == expected


def test_bytes_go_in_as_base64_and_come_out_so_where_the_name_says_bytes(client: Client) -> None:
    body = {"signature_name": "echo", "instances": [{"b64": "aGk="}, "naïve"]}
    assert ok(client, ":predict", body)["predictions"] == [
        {"text": "hi", "text_bytes": {"b64": "aGk="}},
        {"text": "naïve", "text_bytes": {"b64": "bmHDr3Zl"}},
    ]


def test_whole_numbers_and_booleans_stay_what_they_are(client: Client) -> None:
    body = {"signature_name": "kinds", "instances": [{"whole": 1, "long": 2**53 + 1, "flag": True}]}
    assert ok(client, ":predict", body)["predictions"] == [{"whole": 2, "long": 2**53 + 2, "flag": False}]


def test_nan_and_infinity_are_numbers_in_and_out(client: Client) -> None:
    body = b'{"signature_name": "sums", "instances": [[NaN, 1], [Infinity, 1], [-Infinity, 1], [0.1, 0.2]]}'
    answer = client.http.post("/v1/models/tiny:predict", content=body)
    assert answer.status_code == 200
    assert "[NaN, Infinity, -Infinity, 0.3]" in answer.text
    missing = b'{"signature_name": "serving_columns", "instances": [{"distance": 1, "carrier": "", "stops": NaN}]}'
    assert client.http.post("/v1/models/tiny:predict", content=missing).json()["predictions"][0]["delay"] == [2.0]


def test_a_number_has_the_digits_that_tell_it_from_its_neighbours(client: Client) -> None:
    values = np.array([1 / 3, 0.1, 123456.789, 1e-20, 3e38, 16777217.0], np.float32)
    body = {"signature_name": "sums", "instances": [[float(value), 0.0] for value in values]}
    found = ok(client, ":predict", body)["predictions"]
    np.testing.assert_array_equal(np.array(found, np.float32), values)
    assert found[:2] == [0.333333343, 0.1]


def test_classify(client: Client) -> None:
    found = ok(client, ":classify", {"signature_name": "late", "examples": [{"distance": 1.0}, {"distance": [2.0]}]})
    assert [[label for label, _ in row] for row in found["results"]] == [list(CLASSES)] * 2
    np.testing.assert_allclose([row[1][1] for row in found["results"]], [probability(1), probability(2)], rtol=1e-6)


def test_regress_with_a_context_that_all_examples_share(client: Client) -> None:
    body = {"signature_name": "delay", "context": {"stops": 3}, "examples": [{"distance": 1.5}, {"distance": 2.0}]}
    assert ok(client, ":regress", body) == {"results": [6.0, 7.0]}


def test_versions_and_labels(client: Client) -> None:
    body = {"signature_name": "delay", "examples": [{"distance": 0.0}]}
    answers = {path: ok(client, f"{path}:regress", body)["results"] for path in ("", "/versions/1", "/labels/stable")}
    assert answers == {"": [0.0], "/versions/1": [100.0], "/labels/stable": [100.0]}


def test_status(client: Client) -> None:
    known = {"error_code": "OK", "error_message": ""}
    versions = [{"version": str(version), "state": "AVAILABLE", "status": known} for version in (3, 1)]
    assert client.http.get("/v1/models/tiny").json() == {"model_version_status": versions}
    assert client.http.get("/v1/models/tiny/versions/1").json() == {"model_version_status": versions[1:]}
    assert client.http.get("/v1/models/tiny/versions/2").status_code == 404


def test_metadata(client: Client) -> None:
    found = client.http.get("/v1/models/tiny/versions/1/metadata").json()
    assert found["model_spec"] == {"name": "tiny", "signature_name": "", "version": "1"}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert signatures["late"]["method_name"] == "tensorflow/serving/classify"
    distance = signatures[COLUMNS]["inputs"]["distance"]
    assert distance["dtype"] == "DT_FLOAT"
    assert distance["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}


def test_what_follows_the_json_object_is_not_looked_at(client: Client) -> None:
    body = json.dumps({"signature_name": "sums", "instances": [[1, 2]]}) + " trailing"
    assert client.http.post("/v1/models/tiny:predict", content=body).json() == {"predictions": [3.0]}


@pytest.mark.slow
def test_a_body_of_ten_megabytes_is_answered(client: Client) -> None:
    rows = 1_000_000
    body = json.dumps({"signature_name": "sums", "inputs": [[1.5, 2.25]] * rows}).encode()
    assert len(body) > 10_000_000
    answer = client.http.post("/v1/models/tiny:predict", content=body)
    assert answer.json() == {"outputs": [3.75] * rows}


def test_a_body_may_be_gzipped(client: Client) -> None:
    body = gzip.compress(json.dumps({"signature_name": "sums", "instances": [[1, 2]]}).encode())
    for encoding in ("gzip", "x-gzip"):
        answer = client.http.post("/v1/models/tiny:predict", content=body, headers={"Content-Encoding": encoding})
        assert (answer.status_code, answer.json()) == (200, {"predictions": [3.0]})


@pytest.mark.parametrize(
    "body", [b'{"instances": [1]}', gzip.compress(b"{" * 1000, mtime=0)[:-20], b""], ids=["plain", "cut", "empty"]
)
def test_a_body_that_is_no_gzip_is_an_empty_one(client: Client, body: bytes) -> None:
    answer = client.http.post("/v1/models/tiny:predict", content=body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert "JSON Parse error: The document is empty" in answer.json()["error"]


def test_the_api_is_described(client: Client) -> None:
    paths = client.http.get("/openapi.json").json()["paths"]
    assert "/v1/models/{model}/labels/{label}:predict" in paths


def test_preflight(client: Client) -> None:
    assert client.http.options("/v1/models/tiny:predict", headers={"Origin": "http://a.b"}).status_code == 200
    assert client.http.options("/v1/models/tiny:predict").status_code == 400
