"""How long the server waits for its clients, and how many it has at a time."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from uvicorn.protocols.http.h11_impl import H11Protocol

from serving.errors import RequestError
from serving.server.bodies import Bodies


@dataclass(frozen=True)
class Patience:
    """Limits on slow clients.

    Attributes:
        header_seconds: for the line and the headers of a request; a connection without a request is closed after it.
        body_seconds: for a request's body; over REST, a body may take longer if it comes at `slowest_rate`.
        slowest_rate: bytes per second.
        answer_seconds: how long a client may take to read the rest of an answer, once all of it has been sent.
        connections: the most connections to the REST port, and the most gRPC requests at a time.
    """

    header_seconds: float = 10.0
    body_seconds: float = 20.0
    slowest_rate: float = 10_000.0
    answer_seconds: float = 60.0
    connections: int = 512


PATIENCE = Patience()
"""The limits without options."""


def http_protocol(patience: Patience) -> type[H11Protocol]:
    """uvicorn's protocol, which itself waits for ever until a request has begun, with these limits."""

    class PatientProtocol(H11Protocol):
        _waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > patience.connections:
                self._end(b"503 Service Unavailable")
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:
                self._wait()
            else:
                self._wait_no_longer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait_no_longer()
            super().connection_lost(exc)

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            # A closed connection stays open until the client has read all that it was sent.
            self.loop.call_later(patience.answer_seconds, self.transport.abort)

        def _wait(self) -> None:
            if self._waiting is None:
                self._waiting = self.loop.call_later(patience.header_seconds, self._end, b"408 Request Timeout")

        def _wait_no_longer(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

        def _end(self, status: bytes) -> None:
            if not self.transport.is_closing():
                self.transport.write(b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % status)
                self.transport.close()
            self.loop.call_later(patience.answer_seconds, self.transport.abort)

    return PatientProtocol


class BodyTimeout(grpc.ServerInterceptor):
    """Cancels a request whose message has not arrived in time: meanwhile it keeps one of the server's few threads.

    Refuses one for which there is no room beside the others in progress.
    """

    def __init__(self, seconds: float, bodies: Bodies):
        self._seconds, self._bodies = seconds, bodies

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Takes the message of a call as the first one of a stream, whose end a timer can bring."""
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        def answer(messages: Iterator[bytes], context: grpc.ServicerContext) -> Any:
            timer = threading.Timer(self._seconds, context.cancel)
            timer.start()
            try:
                message = next(messages, None)
            finally:
                timer.cancel()
            if message is None:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, "The request has no message.")
                return None
            with self._bodies.held() as hold:
                try:
                    hold(len(message))
                    request = handler.request_deserializer(message)
                except RequestError as error:
                    context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
                except DecodeError as error:
                    context.abort(grpc.StatusCode.INTERNAL, f"Exception deserializing request! {error}")
                return handler.unary_unary(request, context)

        return grpc.stream_unary_rpc_method_handler(answer, None, handler.response_serializer)
