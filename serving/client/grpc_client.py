"""TF Serving's gRPC API: PredictionService."""

from collections.abc import Callable, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2, predict_pb2, prediction_service_pb2_grpc

from serving.client.base import Client, RemoteModel
from serving.errors import Code, RequestError
from serving.signatures import COLUMNS, Signature, signature_of, with_assumed_defaults

_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # gRPC's own pause between attempts to connect grows to minutes; our retries must reach a server that came back.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class GrpcClient(Client):
    """See `connect`."""

    def __init__(self, address: str, secure: bool, model: RemoteModel):
        super().__init__(model.signature)
        self._address = address
        self._policy = model.policy
        self._metadata = [(name.lower(), value) for name, value in model.headers.items()]
        self._spec = model_pb2.ModelSpec(name=model.name, signature_name=model.signature)
        if model.version is not None:
            self._spec.version.value = model.version
        elif model.label is not None:
            self._spec.version_label = model.label
        if secure:
            trusted = model.certificates.read_bytes() if model.certificates else None
            credentials = grpc.ssl_channel_credentials(trusted)
            self._channel = grpc.secure_channel(address, credentials, _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address, _OPTIONS)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _read_signature(self) -> Signature:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec, metadata_field=["signature_def"]
        )
        request.model_spec.ClearField("signature_name")
        answer = self._call(self._stub.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        try:
            unpacked = answer.metadata["signature_def"].Unpack(signatures)
        except DecodeError as error:
            raise RequestError(Code.INTERNAL, f"{self._address}: the model's metadata is damaged: {error}") from error
        if not unpacked:
            raise RequestError(Code.INTERNAL, f"{self._address}: the server gave no signatures of {self._spec.name}")
        signature = signature_of(self._definition(signatures.signature_def))
        return with_assumed_defaults(signature) if self.signature_name == COLUMNS else signature

    def _predict(self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None) -> dict[str, np.ndarray]:
        request = predict_pb2.PredictRequest(model_spec=self._spec, output_filter=list(outputs or ()))
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values, self.signature.inputs[name].dtype))
        answer = self._call(self._stub.Predict, request)
        wanted = sorted(self.signature.outputs) if outputs is None else list(outputs)
        absent = [name for name in wanted if name not in answer.outputs]
        if absent:
            raise RequestError(Code.INTERNAL, f"{self._address}: the answer has no output '{absent[0]}'")
        return {name: self._array(name, answer.outputs[name]) for name in wanted}

    def _array(self, name: str, proto: Any) -> np.ndarray:
        try:
            return tf.make_ndarray(proto)
        except (TypeError, ValueError) as error:
            raise RequestError(Code.INTERNAL, f"{self._address}: output '{name}' is no tensor: {error}") from error

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        def attempt(seconds: float) -> Any:
            try:
                return method(request, timeout=seconds, metadata=self._metadata)
            except grpc.RpcError as error:
                raise RequestError(Code(error.code().value[0]), f"{self._address}: {error.details()}") from error

        return self._policy.call(attempt)
