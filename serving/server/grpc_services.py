"""TensorFlow Serving's gRPC services (model_servers/prediction_service_impl.cc, model_service_impl.cc)."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.errors import Code, RequestError
from serving.server.inference import Inference

HEALTH_NAMES = ("", "PredictionService", "ModelService")
"""The services of grpc.health.v1 that TensorFlow Serving reports."""

_OPTIONS = (
    ("grpc.max_receive_message_length", 2**31 - 1),
    ("grpc.max_send_message_length", 2**31 - 1),
    # Otherwise a second server could bind the same port and receive half of the requests.
    ("grpc.so_reuseport", 0),
)
_MESSAGE_LIMIT = 1024
_STATUS = {status.value[0]: status for status in grpc.StatusCode}

log = logging.getLogger(__name__)


def create_server(inference: Inference, servicer: health.HealthServicer, threads: int) -> grpc.Server:
    """A server without a port, not started.

    Args:
        inference: answers the requests.
        servicer: reports whether they can be answered.
        threads: the number of requests that are answered at the same time.
    """
    server = grpc.server(ThreadPoolExecutor(threads, thread_name_prefix="grpc"), options=_OPTIONS)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_PredictionService(inference), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelService(inference), server)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return server


def set_health(servicer: health.HealthServicer, serving: bool) -> None:
    """Sets the status of all services."""
    status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
    for name in HEALTH_NAMES:
        servicer.set(name, status)


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, inference: Inference):
        self._inference = inference

    # The names are the service's.
    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return _answer(self._inference.predict, request, context)

    def Classify(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return _answer(self._inference.classify, request, context)

    def Regress(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return _answer(self._inference.regress, request, context)

    def MultiInference(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return _answer(self._inference.multi_inference, request, context)

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return _answer(self._inference.metadata, request, context)


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, inference: Inference):
        self._inference = inference

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return _answer(self._inference.status, request, context)

    def HandleReloadConfigRequest(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED, "This development server takes its model from the command line only."
        )


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
