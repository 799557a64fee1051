"""Answers PredictionService's and ModelService's requests, whichever protocol they came by.

Checks, codes and messages are TensorFlow Serving's (servables/tensorflow/*.cc).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)

from serving.errors import Code, RequestError
from serving.rows import examples_of_input
from serving.server.manager import ModelManager, ServedVersion, not_found
from serving.server.tensors import to_array, to_proto, type_name
from serving.signatures import CLASSIFY, EXAMPLES, REGRESS, strings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inference:
    """Requests to one model.

    Attributes:
        manager: its versions.
        record: called with request and response after each answer, for the request log.
    """

    manager: ModelManager
    record: Callable[[prediction_log_pb2.PredictionLog], None] | None = None

    @contextmanager
    def servable(self, spec: model_pb2.ModelSpec) -> Iterator[ServedVersion]:
        """Holds the version that a request is for.

        Raises:
            RequestError: INVALID_ARGUMENT, no model's name or an unknown label; NOT_FOUND, it is not loaded.
        """
        if not spec.name:
            raise RequestError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
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
        _require_model_spec(request)
        with self.servable(request.model_spec) as served:
            return self.predict_by(served, request)

    def predict_by(self, served: ServedVersion, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Predict, by a version that the caller holds."""
        response = _predict(served, request)
        self._record(
            prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request, response=response)
            )
        )
        return response

    def classify(self, request: classification_pb2.ClassificationRequest) -> classification_pb2.ClassificationResponse:
        """PredictionService.Classify."""
        _require_model_spec(request)
        with self.servable(request.model_spec) as served:
            signature = _signature_for(served, request.model_spec)
            output_names = _check_classify(signature)
            examples = serialized_examples(request.input)
            outputs = _run(served, [signature.inputs["inputs"].name], output_names, examples)
            response = classification_pb2.ClassificationResponse(
                model_spec=_answered_by(request.model_spec, served),
                result=_classifications(signature, len(examples), outputs),
            )
        self._record(
            prediction_log_pb2.PredictionLog(
                classify_log=prediction_log_pb2.ClassifyLog(request=request, response=response)
            )
        )
        return response

    def regress(self, request: regression_pb2.RegressionRequest) -> regression_pb2.RegressionResponse:
        """PredictionService.Regress."""
        _require_model_spec(request)
        with self.servable(request.model_spec) as served:
            signature = _signature_for(served, request.model_spec)
            output_names = _check_regress(signature)
            examples = serialized_examples(request.input)
            outputs = _run(served, [signature.inputs["inputs"].name], output_names, examples)
            response = regression_pb2.RegressionResponse(
                model_spec=_answered_by(request.model_spec, served),
                result=_regressions(signature, len(examples), outputs),
            )
        self._record(
            prediction_log_pb2.PredictionLog(
                regress_log=prediction_log_pb2.RegressLog(request=request, response=response)
            )
        )
        return response

    def multi_inference(self, request: inference_pb2.MultiInferenceRequest) -> inference_pb2.MultiInferenceResponse:
        """PredictionService.MultiInference: several classify and regress signatures by one run of the graph."""
        first = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
        with self.servable(first) as served:
            response = _multi_inference(served, request)
        self._record(
            prediction_log_pb2.PredictionLog(
                multi_inference_log=prediction_log_pb2.MultiInferenceLog(request=request, response=response)
            )
        )
        return response

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """PredictionService.GetModelMetadata."""
        _require_model_spec(request)
        if not request.metadata_field:
            raise RequestError(
                Code.INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for field in request.metadata_field:
            if field != "signature_def":
                raise RequestError(Code.INVALID_ARGUMENT, f"Metadata field {field} is not supported")
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
        """ModelService.GetModelStatus; a label is not looked at, as in TensorFlow Serving."""
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

    def _record(self, prediction_log: prediction_log_pb2.PredictionLog) -> None:
        if self.record is None:
            return
        try:
            self.record(prediction_log)
        except (OSError, RequestError):
            # The answer is there: a full disk must not take it from the client.
            log.exception("a request could not be logged")


def _require_model_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise RequestError(Code.INVALID_ARGUMENT, "Missing ModelSpec")


def _answered_by(spec: model_pb2.ModelSpec, served: ServedVersion) -> model_pb2.ModelSpec:
    found = model_pb2.ModelSpec(name=spec.name, signature_name=spec.signature_name or EXAMPLES)
    found.version.value = served.version
    return found


# --- Predict ----------------------------------------------------------------------------------------------------


def _predict(served: ServedVersion, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    name = request.model_spec.signature_name or EXAMPLES
    signature = served.model.signature(name)
    _check_inputs(signature, request)
    wanted = list(request.output_filter)
    for output in wanted:
        if wanted.count(output) > 1:
            raise RequestError(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {output}")
    inputs = {name: to_array(tensor, name) for name, tensor in request.inputs.items()}
    response = predict_pb2.PredictResponse(model_spec=_answered_by(request.model_spec, served))
    for output, value in served.model.run(name, inputs, wanted or None).items():
        response.outputs[output].CopyFrom(to_proto(value))
    return response


def _check_inputs(signature: Any, request: predict_pb2.PredictRequest) -> None:
    given, expected = set(request.inputs), set(signature.inputs)
    if len(given) > len(expected) or (len(given) < len(expected) and not signature.defaults):
        raise RequestError(
            Code.INVALID_ARGUMENT,
            f"input size does not match signature: {len(given)}!={len(expected)} "
            f"len({_set(given)}) != len({_set(expected)}). Sent extra: {_set(given - expected)}. "
            f"Missing but required: {_set(expected - given)}.",
        )
    # The words are those of GetInputValues in TensorFlow's cc/saved_model/util.cc.
    for alias in sorted(expected - given - set(signature.defaults)):
        raise RequestError(
            Code.INVALID_ARGUMENT,
            f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found in request and no "
            f"default value provided. Inputs expected to be in the request {_set(given)}, or default input alias set: "
            + ",".join(sorted(signature.defaults)),
        )
    if given - expected:
        raise RequestError(
            Code.INVALID_ARGUMENT,
            f"Inputs contains invalid name. Used request inputs: {','.join(sorted(given & expected))}, request input: "
            + ",".join(sorted(given)),
        )


def _set(names: set[str]) -> str:
    return f"{{{','.join(sorted(names))}}}"


# --- Classify, Regress, MultiInference --------------------------------------------------------------------------


def serialized_examples(given: input_pb2.Input) -> list[bytes]:
    """The tf.Examples of an Input, serialized, each with the context before it.

    Raises:
        RequestError: INVALID_ARGUMENT, there are none.
    """
    examples = examples_of_input(given)
    if not examples:
        raise RequestError(Code.INVALID_ARGUMENT, "Input is empty.")
    return examples


def _run(served: ServedVersion, inputs: list[str], outputs: list[str], examples: list[bytes]) -> dict[str, np.ndarray]:
    value = strings(examples)
    return dict(zip(outputs, served.model.run_tensors([(name, value) for name in inputs], outputs), strict=True))


def _signature_for(served: ServedVersion, spec: model_pb2.ModelSpec) -> Any:
    name = spec.signature_name or EXAMPLES
    if name not in served.model.signatures:
        raise RequestError(Code.INVALID_ARGUMENT, f"No signature was found with the name: {name}")
    return served.model.signatures[name]


def _multi_inference(
    served: ServedVersion, request: inference_pb2.MultiInferenceRequest
) -> inference_pb2.MultiInferenceResponse:
    signatures: dict[str, Any] = {}
    inputs: set[str] = set()
    outputs: set[str] = set()
    for task in request.tasks:
        if not task.model_spec.name:
            raise RequestError(Code.INVALID_ARGUMENT, "Found ModelSpec with an empty model name.")
        if task.model_spec.name != request.tasks[0].model_spec.name:
            raise RequestError(
                Code.INVALID_ARGUMENT,
                "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
            )
        name = task.model_spec.signature_name or EXAMPLES
        if name in signatures:
            raise RequestError(Code.INVALID_ARGUMENT, f"Duplicate evaluation of signature: {name}")
        if name not in served.model.signatures:
            raise RequestError(Code.INVALID_ARGUMENT, f"Requested signature not found in model graph: {name}")
        signature = signatures[name] = served.model.signatures[name]
        if task.method_name == CLASSIFY:
            outputs.update(_check_classify(signature))
        elif task.method_name == REGRESS:
            outputs.update(_check_regress(signature))
        else:
            raise RequestError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}")
        inputs.add(signature.inputs["inputs"].name)
    examples = serialized_examples(request.input)
    found = _run(served, sorted(inputs), sorted(outputs), examples)
    response = inference_pb2.MultiInferenceResponse()
    for task, signature in zip(request.tasks, signatures.values(), strict=True):
        result = response.results.add(model_spec=_answered_by(task.model_spec, served))
        if task.method_name == CLASSIFY:
            result.classification_result.CopyFrom(_classifications(signature, len(examples), found))
        else:
            result.regression_result.CopyFrom(_regressions(signature, len(examples), found))
    return response


def _check_classify(signature: Any) -> list[str]:
    if len(signature.inputs) != 1:
        raise RequestError(Code.INVALID_ARGUMENT, "Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise RequestError(Code.INVALID_ARGUMENT, f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if "inputs" not in signature.inputs:
        raise RequestError(Code.INVALID_ARGUMENT, f"No classification inputs found in SignatureDef: {signature}")
    names = [signature.outputs[output].name for output in ("classes", "scores") if output in signature.outputs]
    if not names:
        raise RequestError(
            Code.INVALID_ARGUMENT,
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {signature}",
        )
    return names


def _classifications(
    signature: Any, rows: int, found: dict[str, np.ndarray]
) -> classification_pb2.ClassificationResult:
    classes = found[signature.outputs["classes"].name] if "classes" in signature.outputs else None
    scores = found[signature.outputs["scores"].name] if "scores" in signature.outputs else None
    for kind, value, dtype in (("classes", classes, "DT_STRING"), ("scores", scores, "DT_FLOAT")):
        if value is not None:
            _check_class_tensor(kind, value, dtype, rows)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise RequestError(
            Code.INVALID_ARGUMENT,
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}",
        )
    result = classification_pb2.ClassificationResult()
    labels = classes.tolist() if classes is not None else None
    values = scores.tolist() if scores is not None else None
    for row in range(rows):
        added = result.classifications.add()
        for index in range(len((labels or values or [])[row])):
            one = added.classes.add()
            if labels is not None:
                one.label = labels[row][index].decode(errors="replace")
            if values is not None:
                one.score = values[row][index]
    return result


def _check_class_tensor(kind: str, value: np.ndarray, dtype: str, rows: int) -> None:
    if value.ndim != 2:
        raise RequestError(
            Code.INVALID_ARGUMENT, f"Expected Tensor shape: [batch_size num_classes] but got {_shape(value)}"
        )
    if _type(value) != dtype:
        raise RequestError(Code.INVALID_ARGUMENT, f"Expected {kind} Tensor of {dtype}. Got: {_type(value)}")
    if len(value) != rows:
        raise RequestError(Code.INVALID_ARGUMENT, f"Expected {kind} output batch size of {rows}. Got: {len(value)}")


def _check_regress(signature: Any) -> list[str]:
    if len(signature.inputs) != 1:
        raise RequestError(Code.INVALID_ARGUMENT, "Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise RequestError(Code.INVALID_ARGUMENT, "Expected one output Tensor.")
    if "inputs" not in signature.inputs:
        raise RequestError(Code.INVALID_ARGUMENT, f"No regression inputs found in SignatureDef: {signature}")
    if "outputs" not in signature.outputs:
        raise RequestError(Code.INVALID_ARGUMENT, f"No regression outputs found in SignatureDef: {signature}")
    return [signature.outputs["outputs"].name]


def _regressions(signature: Any, rows: int, found: dict[str, np.ndarray]) -> regression_pb2.RegressionResult:
    value = found[signature.outputs["outputs"].name]
    if not (value.ndim == 1 or (value.ndim == 2 and value.shape[1] == 1)):
        raise RequestError(
            Code.INVALID_ARGUMENT,
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(value)}",
        )
    if len(value) != rows:
        raise RequestError(
            Code.INVALID_ARGUMENT, f"Input batch size did not match output batch size: {rows} vs. {len(value)}"
        )
    if _type(value) != "DT_FLOAT":
        raise RequestError(Code.INVALID_ARGUMENT, f"Expected output Tensor of DT_FLOAT.  Got: {_type(value)}")
    result = regression_pb2.RegressionResult()
    for number in value.reshape(-1).tolist():
        result.regressions.add(value=number)
    return result


def _type(value: np.ndarray) -> str:
    return f"DT_{type_name(to_proto(value[:0]).dtype).upper()}"


def _shape(value: np.ndarray) -> str:
    return f"[{','.join(map(str, value.shape))}]"
