"""Thousands of requests that nobody would write: each is answered by what is documented, and the server lives on."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from serving.server.bodies import Bodies
from serving.server.inference import Inference
from serving.server.manager import ModelManager
from serving.server.patience import PATIENCE
from serving.server.rest import MAX_BODY_BYTES, create_app
from tests.serving.server.conftest import Client
from tests.serving.server.requests import example, example_list, good_request, predict_request, regress_request

DESCRIBED = 75
"""Requests per operation of the description and mode."""

ROWS, EXAMPLES = 1_000, 1_000

pytestmark = [pytest.mark.slow, pytest.mark.very_slow]


def many(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def app(publish: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starlette]:
    base = tmp_path_factory.mktemp("fuzzed")
    publish(base, 1)
    manager = ModelManager("tiny", base, labels={"stable": 1})
    manager.poll()
    yield create_app(Inference(manager), MAX_BODY_BYTES, PATIENCE, Bodies())
    manager.close()


def test_requests_made_of_the_description(app: Starlette) -> None:
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import response_schema_conformance
    from schemathesis.specs.openapi.checks import status_code_conformance

    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    answers: Counter[int] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if operation.method == "get" and mode == GenerationMode.NEGATIVE:
                # A path of these that does not fit the description is another operation's.
                continue

            @many(DESCRIBED)
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case) -> None:
                response = case.call()
                answers[response.status_code] += 1
                # Of the codes above 500 only 501 and 503 are documented.
                case.validate_response(response, checks=[status_code_conformance, response_schema_conformance])

            ask()
    assert answers.total() >= 1_000, answers
    assert min(answers[code] for code in (200, 400, 404)) >= 5, answers


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.builds(lambda text: {"b64": text}, st.text("aGk=/+-_ ")),
    st.just({}),
)
NESTED = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
NAMES = st.sampled_from(["distance", "carrier", "stops", "text", "pairs", "whole", "long", "flag", "half", "other"])
SIGNATURES = st.sampled_from(
    ["serving_default", "serving_columns", "late", "delay", "echo", "sums", "kinds", "halves", "none", ""]
)
NEAR = st.fixed_dictionaries(
    {"distance": st.floats(width=32) | NESTED, "carrier": st.text() | NESTED, "stops": st.integers(0, 9) | NESTED}
)


def test_bodies_that_are_almost_right(client: Client) -> None:
    answers: Counter[int] = Counter()

    @many(ROWS)
    @given(
        verb=st.sampled_from(["predict", "predict", "predict", "classify", "regress"]),
        signature=SIGNATURES,
        rows=st.lists(NEAR | st.dictionaries(NAMES, NESTED, max_size=4) | NESTED, max_size=3),
        near=NEAR,
        form=st.sampled_from(["instances", "inputs", "examples"]),
        fits=st.booleans(),
    )
    def ask(verb: str, signature: str, rows: list[Any], near: dict[str, Any], form: str, fits: bool) -> None:
        body: dict[str, Any] = {"signature_name": signature, form: near if form == "inputs" else rows}
        if fits:
            verb = "predict"
            body = {"signature_name": "serving_columns", "instances": [near]}
        answer = client.http.post(f"/v1/models/tiny:{verb}", content=json.dumps(body))
        answers[answer.status_code] += 1
        assert answer.status_code in (200, 400, 501), (body, answer.text)
        assert (answer.status_code == 200) != ("error" in answer.json())

    ask()
    assert answers.total() == ROWS
    assert answers[200] > 20, answers
    assert answers[400] > 100, answers


FEATURE = st.one_of(
    st.builds(
        lambda values: tf.train.Feature(bytes_list={"value": values}), st.lists(st.binary(max_size=8), max_size=3)
    ),
    st.builds(lambda values: tf.train.Feature(float_list={"value": values}), st.lists(st.floats(width=32), max_size=3)),
    st.builds(
        lambda values: tf.train.Feature(int64_list={"value": values}),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    ),
    st.builds(tf.train.Feature),
)
MESSAGE = st.builds(
    lambda features: tf.train.Example(features={"feature": features}).SerializeToString(),
    st.dictionaries(NAMES, FEATURE, max_size=5),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A serialized tf.Example with some bytes overwritten, or cut off."""
    data = bytearray(draw(st.just(example(distance=1.0, carrier="UA", stops=3).SerializeToString()) | MESSAGE))
    for _ in range(draw(st.integers(0, 3))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


def test_bytes_that_are_almost_a_tf_example(client: Client) -> None:
    answers: Counter[str] = Counter()

    @many(EXAMPLES)
    @given(rows=st.lists(st.binary(max_size=40) | damaged(), min_size=1, max_size=3), signature=SIGNATURES)
    def ask(rows: list[bytes], signature: str) -> None:
        calls = [lambda: client.grpc.Predict(predict_request("serving_default", {"examples": rows}), timeout=30)]
        raw = example_list_bytes(rows)
        for method in ("Classify", "Regress"):
            generic = client.channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
            calls.append(lambda generic=generic: generic(request_bytes(signature, raw), timeout=30))
        for call in calls:
            code, details = outcome(call)
            answers[code] += 1
            # What the protocol itself cannot read never comes to the service.
            expected = code in ("OK", "INVALID_ARGUMENT") or "deserializing" in details
            assert expected, (code, details)

    ask()
    assert tf.make_ndarray(client.grpc.Predict(good_request()).outputs["delay"]).tolist() == [[5.0]]
    assert answers.total() == 3 * EXAMPLES
    assert min(answers[name] for name in ("OK", "INVALID_ARGUMENT", "INTERNAL")) >= 5, answers


def outcome(call: Callable[[], object]) -> tuple[str, str]:
    """Status and details of a call."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


def example_list_bytes(rows: list[bytes]) -> bytes:
    """An Input's example_list field, whose examples may be any bytes."""
    examples = b"".join(_field(1, row) for row in rows)
    assert _field(1, example().SerializeToString()) in example_list(example()).SerializeToString()
    return _field(1, examples)


def request_bytes(signature: str, given_input: bytes) -> bytes:
    """A Classify or Regress request: both have their model spec and input in the same fields."""
    request = regress_request(signature=signature)
    request.ClearField("input")
    return request.SerializeToString() + _field(2, given_input)


def _field(number: int, data: bytes) -> bytes:
    size, length = len(data), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data
