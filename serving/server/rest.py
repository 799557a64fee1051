"""TensorFlow Serving's REST API as an ASGI application (model_servers/http_rest_api_handler.cc)."""

import asyncio
import logging
import re
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import yaml
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from janus_core.templates import templates_of
from serving.errors import Code, RequestError, invalid
from serving.server import json_requests, json_responses
from serving.server.bodies import Bodies
from serving.server.inference import Inference
from serving.server.manager import GREATEST
from serving.server.page import page_routes
from serving.server.patience import Patience
from serving.signatures import EXAMPLES

MAX_BODY_BYTES = 256 << 20
_DEFLATE_RATIO = 1032
"""How many times larger than a gzip body its content can be."""

log = logging.getLogger(__name__)

_VERSION = r"(?:(?:/versions/(?P<version>[0-9]+))|(?:/labels/(?P<label>[^/:]+)))?"
_PREDICTION = re.compile(rf"(?is)/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)")
_STATUS = re.compile(rf"(?is)/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<method>metadata))?")
_HTTP = {
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}
"""All others are 500, as in model_servers/http_server.cc."""


def create_app(inference: Inference, max_body_bytes: int, patience: Patience, bodies: Bodies) -> Starlette:
    """The application: the API below /v1/, its description at /openapi.json, and the page at /."""

    def openapi(request: Request) -> Response:
        manager = inference.manager
        try:
            with manager.use() as served:
                signatures = set(served.model.signatures)
        except RequestError:
            signatures = set()
        template = templates_of("serving.server").get_template("openapi.yaml.j2")
        described = template.render(name=manager.name, signatures=sorted(signatures), labels=sorted(manager.labels))
        return _json(200, yaml.safe_load(described))

    return Starlette(
        routes=[
            Route("/v1/{path:path}", _Api(inference, max_body_bytes, patience, bodies)),
            Route("/openapi.json", openapi),
            *page_routes(inference.manager),
        ]
    )


@dataclass(frozen=True)
class _Api:
    """All paths below /v1/, for any method: TensorFlow Serving calls those that it does not know malformed."""

    inference: Inference
    max_body_bytes: int
    patience: Patience
    bodies: Bodies

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        with self.bodies.held() as hold:
            response = await self._response(scope, Request(scope, receive), hold)
            if response is not None:
                await response(scope, receive, send)

    async def _response(self, scope: dict[str, Any], request: Request, hold: Callable[[int], None]) -> Response | None:
        packed = "gzip" in request.headers.get("content-encoding", "")
        try:
            body = await self._body(request, hold)
            if packed and body:
                hold(min(self.max_body_bytes, _DEFLATE_RATIO * len(body)))
        except ClientDisconnect:
            return None
        except RequestError as error:
            return _closing(_HTTP[error.code], str(error))
        except TimeoutError:
            return _closing(408, "The body does not arrive")
        if body is None:
            return _too_large(self.max_body_bytes)
        if request.method == "OPTIONS":
            return _preflight(request)
        # In a thread, so that neither a large body nor the model delays other connections.
        most = self.max_body_bytes if packed else None
        return await run_in_threadpool(_answer, self.inference, request.method, _target(scope), body, most)

    async def _body(self, request: Request, hold: Callable[[int], None]) -> bytes | None:
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self.max_body_bytes:
            return None
        parts, size = [], 0
        async with asyncio.timeout(self.patience.body_seconds) as limit:
            latest = limit.when() or 0.0
            async for part in request.stream():
                size += len(part)
                if size > self.max_body_bytes:
                    return None
                hold(len(part))
                parts.append(part)
                limit.reschedule(latest + size / self.patience.slowest_rate)
        return b"".join(parts)


def _answer(inference: Inference, method: str, target: str, body: bytes, unpack_to: int | None) -> Response:
    """Answers a request; unless `unpack_to` is None, the body is gzip, and is unpacked to at most so many bytes."""
    try:
        if unpack_to is not None:
            body = _unpacked(body, unpack_to + 1)
            if len(body) > unpack_to:
                return _too_large(unpack_to)
        return Response(_process(inference, method, target, body), 200, media_type="application/json")
    except RequestError as error:
        return _error(_HTTP.get(error.code, 500), str(error))
    except Exception as error:
        log.exception("%s %s failed", method, target)
        return _error(500, f"{type(error).__name__}: {error}")


def _unpacked(body: bytes, most: int) -> bytes:
    """The body unpacked; one that is not gzip becomes an empty one, as in TensorFlow Serving's evhttp_request.cc."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(body, most)
    except zlib.error:
        return b""
    return unpacked if unpacker.eof or len(unpacked) == most else b""


def _too_large(most: int) -> Response:
    return _error(413, f"The body is larger than {most} bytes")


def _process(inference: Inference, method: str, target: str, body: bytes) -> bytes:
    match = {"POST": _PREDICTION, "GET": _STATUS}[method].fullmatch(target) if method in ("POST", "GET") else None
    if match is None:
        raise invalid(f"Malformed request: {method} {target}")
    spec = _model_spec(match["name"], match["version"], match["label"])
    kind = match["method"]
    if method == "POST":
        # The path is matched case-insensitively, the verb is not.
        known = {"predict": _predict, "classify": _classify, "regress": _regress}
        if kind not in known:
            raise invalid(f"Malformed request: {method} {target}")
        return json_responses.encode(known[kind](inference, spec, body))
    if not spec.name:
        raise invalid("Missing model name in request.")
    if kind == "metadata":
        return json_responses.encode(_metadata(inference, spec))
    status = inference.status(get_model_status_pb2.GetModelStatusRequest(model_spec=spec))
    return json_responses.encode(json_responses.status(status))


def _model_spec(name: str | None, version: str | None, label: str | None) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=unquote(name or ""))
    if version is not None:
        if len(version) > len(str(GREATEST)) or int(version) > GREATEST:
            raise invalid(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(version)
    elif label is not None:
        spec.version_label = unquote(label)
    return spec


def _predict(inference: Inference, spec: model_pb2.ModelSpec, body: bytes) -> dict[str, Any]:
    document = json_requests.parse_body(body)
    spec.signature_name = json_requests.signature_name(document)
    request = predict_pb2.PredictRequest(model_spec=spec)
    with inference.servable(spec) as served:
        name = spec.signature_name or EXAMPLES
        if name not in served.model.signatures:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        form = json_requests.fill_predict(document, served.model.signatures[name].inputs, request)
        response = inference.predict_by(served, request)
    return json_responses.predictions(response.outputs, form)


def _classify(inference: Inference, spec: model_pb2.ModelSpec, body: bytes) -> dict[str, Any]:
    request = json_requests.with_examples(body, classification_pb2.ClassificationRequest(model_spec=spec))
    return json_responses.classifications(inference.classify(request).result)


def _regress(inference: Inference, spec: model_pb2.ModelSpec, body: bytes) -> dict[str, Any]:
    request = json_requests.with_examples(body, regression_pb2.RegressionRequest(model_spec=spec))
    return json_responses.regressions(inference.regress(request).result)


def _metadata(inference: Inference, spec: model_pb2.ModelSpec) -> dict[str, Any]:
    request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
    return json_responses.metadata(inference.metadata(request))


def _preflight(request: Request) -> Response:
    if re.search("https?://", request.headers.get("origin", "")):
        return Response(b"", 200)
    return _error(400, "Origin header is missing in CORS preflight")


def _target(scope: dict[str, Any]) -> str:
    """Path and query as the client sent them, still encoded: an encoded `:` or `/` in a name is no separator."""
    path = scope.get("raw_path") or scope["path"].encode()
    # Test transports include the query in the raw path.
    path = path.partition(b"?")[0]
    query = scope.get("query_string", b"")
    return (path + (b"?" + query if query else b"")).decode("utf-8", errors="replace")


def _error(code: int, message: str) -> Response:
    return _json(code, {"error": message.encode("utf-8", errors="replace").decode()})


def _closing(code: int, message: str) -> Response:
    """An error after which the rest of the body is not read."""
    response = _error(code, message)
    response.headers["connection"] = "close"
    return response


def _json(code: int, content: dict[str, Any]) -> Response:
    return Response(json_responses.encode(content), code, media_type="application/json")
