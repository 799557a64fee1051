"""Answers the requests of PredictionService and ModelService, over either protocol, by the version that they name.

Checks, codes and messages are TensorFlow Serving's (servables/tensorflow/*.cc).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)

from serving import signature_calls
from serving.errors import Code, RequestError, invalid
from serving.saved_model import LoadedModel
from serving.server.manager import ModelManager, ServedVersion, not_found
from serving.signatures import EXAMPLES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inference:
    """Answers requests to one model.

    Attributes:
        manager: holds the model's versions.
        record: is called with request and response after each answer, for the request log.
    """

    manager: ModelManager
    record: Callable[[prediction_log_pb2.PredictionLog], None] | None = None

    @contextmanager
    def servable(self, spec: model_pb2.ModelSpec) -> Iterator[ServedVersion]:
        """Holds the version that a request names.

        Raises:
            RequestError: INVALID_ARGUMENT, no model's name or an unknown label; NOT_FOUND, it is not loaded.
        """
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        version = spec.version.value if choice == "version" else None
        if choice == "version_label":
            version = self.manager.version_of(spec.version_label)
        if spec.name != self.manager.name:
            raise not_found(spec.name, version)
        with self.manager.use(version) as served:
            yield served

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """PredictionService.Predict."""
        return self._single("predict_log", signature_calls.predict, request)

    def predict_by(self, served: ServedVersion, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Predict, by a version that the caller holds."""
        return self._answered("predict_log", signature_calls.predict, served, request)

    def classify(self, request: classification_pb2.ClassificationRequest) -> classification_pb2.ClassificationResponse:
        """PredictionService.Classify."""
        return self._single("classify_log", signature_calls.classify, request)

    def regress(self, request: regression_pb2.RegressionRequest) -> regression_pb2.RegressionResponse:
        """PredictionService.Regress."""
        return self._single("regress_log", signature_calls.regress, request)

    def multi_inference(self, request: inference_pb2.MultiInferenceRequest) -> inference_pb2.MultiInferenceResponse:
        """PredictionService.MultiInference: several classify and regress signatures by one run of the graph."""
        first = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
        with self.servable(first) as served:
            response = signature_calls.multi_inference(served.model, request)
            for result in response.results:
                result.model_spec.CopyFrom(_answered_by(result.model_spec, served))
        self._record("multi_inference_log", request, response)
        return response

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """PredictionService.GetModelMetadata."""
        _require_model_spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self.servable(request.model_spec) as served:
            signatures = get_model_metadata_pb2.SignatureDefMap(
                signature_def=dict(served.model.meta_graph.signature_def)
            )
            response.model_spec.name = self.manager.name
            response.model_spec.version.value = served.version
        response.metadata["signature_def"].Pack(signatures)
        return response

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """ModelService.GetModelStatus; a label is ignored, as in TensorFlow Serving."""
        _require_model_spec(request)
        spec = request.model_spec
        statuses = self.manager.statuses() if spec.name == self.manager.name else []
        if spec.HasField("version"):
            statuses = [status for status in statuses if status.version == spec.version.value]
            if not statuses:
                raise RequestError(Code.NOT_FOUND, f"Could not find version {spec.version.value} of model {spec.name}")
        if not statuses:
            raise RequestError(Code.NOT_FOUND, f"Could not find any versions of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in statuses:
            added = response.model_version_status.add(version=status.version)
            added.state = get_model_status_pb2.ModelVersionStatus.State.Value(status.state.value)
            added.status.error_code = status.code
            added.status.error_message = status.error
        return response

    def _single(self, kind: str, call: Callable[[LoadedModel, Any], Any], request: Any) -> Any:
        """Answers a request that names one signature of one model."""
        _require_model_spec(request)
        with self.servable(request.model_spec) as served:
            return self._answered(kind, call, served, request)

    def _answered(self, kind: str, call: Callable[[LoadedModel, Any], Any], served: ServedVersion, request: Any) -> Any:
        response = call(served.model, request)
        response.model_spec.CopyFrom(_answered_by(request.model_spec, served))
        self._record(kind, request, response)
        return response

    def _record(self, kind: str, request: Any, response: Any) -> None:
        if self.record is None:
            return
        entry = prediction_log_pb2.PredictionLog()
        getattr(entry, kind).request.CopyFrom(request)
        getattr(entry, kind).response.CopyFrom(response)
        try:
            self.record(entry)
        except (OSError, RequestError):
            # The client gets its answer even if the disk is full.
            log.exception("a request could not be logged")


def _require_model_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")


def _answered_by(spec: model_pb2.ModelSpec, served: ServedVersion) -> model_pb2.ModelSpec:
    answered = model_pb2.ModelSpec(name=spec.name, signature_name=spec.signature_name or EXAMPLES)
    answered.version.value = served.version
    return answered
