"""TensorFlow Serving's gRPC services (model_servers/prediction_service_impl.cc, model_service_impl.cc)."""

import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.errors import Code, RequestError
from serving.server.bodies import Bodies
from serving.server.inference import Inference
from serving.server.patience import BodyTimeout, Patience

HEALTH_NAMES = ("", "PredictionService", "ModelService")
"""The services of grpc.health.v1 that TensorFlow Serving reports."""

_OPTIONS = (
    ("grpc.max_send_message_length", 2**31 - 1),
    # Otherwise a second server could bind the same port and receive half of the requests.
    ("grpc.so_reuseport", 0),
)
_MESSAGE_LIMIT = 1024
_STATUS = {status.value[0]: status for status in grpc.StatusCode}

log = logging.getLogger(__name__)


def create_server(
    inference: Inference,
    servicer: health.HealthServicer,
    threads: int,
    max_body_bytes: int,
    patience: Patience,
    bodies: Bodies,
) -> grpc.Server:
    """A server without a port, not started.

    Args:
        inference: answers the requests.
        servicer: reports whether they can be answered.
        threads: the number of requests that are answered at the same time.
        max_body_bytes: the largest message.
        patience: limits on slow clients.
        bodies: counts the messages in progress.
    """
    server = grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
        interceptors=[BodyTimeout(patience.body_seconds, bodies)],
        options=[("grpc.max_receive_message_length", max_body_bytes), *_OPTIONS],
        maximum_concurrent_rpcs=patience.connections,
    )
    predictions = _answering(
        prediction_service_pb2_grpc.PredictionServiceServicer(),
        Predict=inference.predict,
        Classify=inference.classify,
        Regress=inference.regress,
        MultiInference=inference.multi_inference,
        GetModelMetadata=inference.metadata,
    )
    models = _answering(
        model_service_pb2_grpc.ModelServiceServicer(),
        GetModelStatus=inference.status,
        HandleReloadConfigRequest=_refuse_reload,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(predictions, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(models, server)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return server


def set_health(servicer: health.HealthServicer, serving: bool) -> None:
    """Sets the status of all services."""
    status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
    for name in HEALTH_NAMES:
        servicer.set(name, status)


def _answering(servicer: Any, **answers: Callable[[Any], Any]) -> Any:
    """The servicer, whose methods of these names answer requests."""
    for method, answer in answers.items():
        setattr(servicer, method, functools.partial(_answer, answer))
    return servicer


def _refuse_reload(request: Any) -> Any:
    del request
    raise RequestError(Code.UNIMPLEMENTED, "This development server takes its model from the command line only.")


def _answer(answer: Callable[[Any], Any], request: Any, context: grpc.ServicerContext) -> Any:
    try:
        return answer(request)
    except RequestError as error:
        code, message = error.code, str(error)
    except Exception as error:
        log.exception("a request failed")
        code, message = Code.INTERNAL, f"{type(error).__name__}: {error}"
    if len(message) > _MESSAGE_LIMIT:
        message = f"{message[:_MESSAGE_LIMIT]}...TRUNCATED"
    # abort raises an exception, and so must be called outside of the try block.
    context.abort(_STATUS[code], message.encode("utf-8", errors="replace").decode())
    return None
