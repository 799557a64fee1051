"""Calls of a model's signatures by the requests of TensorFlow Serving's PredictionService.

Checks, codes and messages are TensorFlow Serving's (servables/tensorflow/*.cc). Each function answers one request by a
loaded model, or raises RequestError. The response's model_spec is for the caller to set.
"""

from typing import Any

import numpy as np
from tensorflow_serving.apis import classification_pb2, inference_pb2, input_pb2, model_pb2, predict_pb2, regression_pb2

from serving.description import has_description
from serving.errors import Code, RequestError, invalid
from serving.rows import examples_of_input
from serving.saved_model import LoadedModel
from serving.signatures import CLASSIFY, EXAMPLES, REGRESS, strings
from serving.tensors import to_array, to_proto, type_name


def predict(model: LoadedModel, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    """Predict: any signature, by named tensors."""
    name = request.model_spec.signature_name or EXAMPLES
    signature = model.signature(name)
    _check_inputs(signature, request)
    wanted = list(request.output_filter)
    for output in wanted:
        if wanted.count(output) > 1:
            raise invalid(f"duplicate output tensor alias: {output}")
    inputs = {name: to_array(tensor, name) for name, tensor in request.inputs.items()}
    if not has_description(model.path):
        _check_ranks(signature, inputs)
    response = predict_pb2.PredictResponse()
    for output, value in model.run(name, inputs, wanted or None).items():
        response.outputs[output].CopyFrom(to_proto(value))
    return response


def classify(
    model: LoadedModel, request: classification_pb2.ClassificationRequest
) -> classification_pb2.ClassificationResponse:
    """Classify: the classes and scores of a task."""
    signature = _signature_for(model, request.model_spec)
    output_names = _check_classify(signature)
    examples = _serialized_examples(request.input)
    outputs = _run(model, [signature.inputs["inputs"].name], output_names, examples)
    return classification_pb2.ClassificationResponse(result=_classifications(signature, len(examples), outputs))


def regress(model: LoadedModel, request: regression_pb2.RegressionRequest) -> regression_pb2.RegressionResponse:
    """Regress: the number that a task predicts."""
    signature = _signature_for(model, request.model_spec)
    output_names = _check_regress(signature)
    examples = _serialized_examples(request.input)
    outputs = _run(model, [signature.inputs["inputs"].name], output_names, examples)
    return regression_pb2.RegressionResponse(result=_regressions(signature, len(examples), outputs))


def multi_inference(
    model: LoadedModel, request: inference_pb2.MultiInferenceRequest
) -> inference_pb2.MultiInferenceResponse:
    """MultiInference: several classify and regress signatures by one run of the graph."""
    signatures: dict[str, Any] = {}
    inputs: set[str] = set()
    outputs: set[str] = set()
    for task in request.tasks:
        if not task.model_spec.name:
            raise invalid("Found ModelSpec with an empty model name.")
        if task.model_spec.name != request.tasks[0].model_spec.name:
            raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = task.model_spec.signature_name or EXAMPLES
        if name in signatures:
            raise invalid(f"Duplicate evaluation of signature: {name}")
        if name not in model.signatures:
            raise invalid(f"Requested signature not found in model graph: {name}")
        signature = signatures[name] = model.signatures[name]
        if task.method_name == CLASSIFY:
            outputs.update(_check_classify(signature))
        elif task.method_name == REGRESS:
            outputs.update(_check_regress(signature))
        else:
            raise RequestError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}")
        inputs.add(signature.inputs["inputs"].name)
    examples = _serialized_examples(request.input)
    values = _run(model, sorted(inputs), sorted(outputs), examples)
    response = inference_pb2.MultiInferenceResponse()
    for task, signature in zip(request.tasks, signatures.values(), strict=True):
        result = response.results.add(model_spec=task.model_spec)
        if task.method_name == CLASSIFY:
            result.classification_result.CopyFrom(_classifications(signature, len(examples), values))
        else:
            result.regression_result.CopyFrom(_regressions(signature, len(examples), values))
    return response


def _check_inputs(signature: Any, request: predict_pb2.PredictRequest) -> None:
    given, expected = set(request.inputs), set(signature.inputs)
    if len(given) > len(expected) or (len(given) < len(expected) and not signature.defaults):
        raise invalid(
            f"input size does not match signature: {len(given)}!={len(expected)} "
            f"len({_set(given)}) != len({_set(expected)}). Sent extra: {_set(given - expected)}. "
            f"Missing but required: {_set(expected - given)}."
        )
    # The words are those of GetInputValues in TensorFlow's cc/saved_model/util.cc.
    for alias in sorted(expected - given - set(signature.defaults)):
        raise invalid(
            f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found in request and no "
            f"default value provided. Inputs expected to be in the request {_set(given)}, or default input alias set: "
            + ",".join(sorted(signature.defaults))
        )
    if given - expected:
        raise invalid(
            f"Inputs contains invalid name. Used request inputs: {','.join(sorted(given & expected))}, request input: "
            + ",".join(sorted(given))
        )


def _check_ranks(signature: Any, inputs: dict[str, np.ndarray]) -> None:
    """Refuses what a graph may broadcast: [N, 1] beside [N] are N^2 values, as which TensorFlow Serving computes them.

    The graph of a model of Janus checks the shapes of its inputs itself, and also takes [N, 1] for [N].
    """
    for name, value in inputs.items():
        shape = signature.inputs[name].tensor_shape
        if not shape.unknown_rank and value.ndim not in (0, len(shape.dim)):
            wanted = ",".join("rows" if dim.size < 0 else str(dim.size) for dim in shape.dim)
            raise invalid(f"input '{name}' has the shape {_shape(value)}, but the signature's is [{wanted}]")


def _set(names: set[str]) -> str:
    return f"{{{','.join(sorted(names))}}}"


def _serialized_examples(given: input_pb2.Input) -> list[bytes]:
    examples = examples_of_input(given)
    if not examples:
        raise invalid("Input is empty.")
    return examples


def _run(model: LoadedModel, inputs: list[str], outputs: list[str], examples: list[bytes]) -> dict[str, np.ndarray]:
    value = strings(examples)
    return dict(zip(outputs, model.run_tensors([(name, value) for name in inputs], outputs), strict=True))


def _signature_for(model: LoadedModel, spec: model_pb2.ModelSpec) -> Any:
    name = spec.signature_name or EXAMPLES
    if name not in model.signatures:
        raise invalid(f"No signature was found with the name: {name}")
    return model.signatures[name]


def _check_classify(signature: Any) -> list[str]:
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if "inputs" not in signature.inputs:
        raise invalid(f"No classification inputs found in SignatureDef: {signature}")
    names = [signature.outputs[output].name for output in ("classes", "scores") if output in signature.outputs]
    if not names:
        raise invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {signature}"
        )
    return names


def _classifications(
    signature: Any, rows: int, values: dict[str, np.ndarray]
) -> classification_pb2.ClassificationResult:
    classes = values[signature.outputs["classes"].name] if "classes" in signature.outputs else None
    scores = values[signature.outputs["scores"].name] if "scores" in signature.outputs else None
    for kind, value, dtype in (("classes", classes, "DT_STRING"), ("scores", scores, "DT_FLOAT")):
        if value is not None:
            _check_class_tensor(kind, value, dtype, rows)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    result = classification_pb2.ClassificationResult()
    labels = classes.tolist() if classes is not None else None
    numbers = scores.tolist() if scores is not None else None
    for row in range(rows):
        added = result.classifications.add()
        for index in range(len((labels or numbers or [])[row])):
            one = added.classes.add()
            if labels is not None:
                one.label = labels[row][index].decode(errors="replace")
            if numbers is not None:
                one.score = numbers[row][index]
    return result


def _check_class_tensor(kind: str, value: np.ndarray, dtype: str, rows: int) -> None:
    if value.ndim != 2:
        raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(value)}")
    if _type(value) != dtype:
        raise invalid(f"Expected {kind} Tensor of {dtype}. Got: {_type(value)}")
    if len(value) != rows:
        raise invalid(f"Expected {kind} output batch size of {rows}. Got: {len(value)}")


def _check_regress(signature: Any) -> list[str]:
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if "inputs" not in signature.inputs:
        raise invalid(f"No regression inputs found in SignatureDef: {signature}")
    if "outputs" not in signature.outputs:
        raise invalid(f"No regression outputs found in SignatureDef: {signature}")
    return [signature.outputs["outputs"].name]


def _regressions(signature: Any, rows: int, values: dict[str, np.ndarray]) -> regression_pb2.RegressionResult:
    value = values[signature.outputs["outputs"].name]
    if not (value.ndim == 1 or (value.ndim == 2 and value.shape[1] == 1)):
        raise invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(value)}"
        )
    if len(value) != rows:
        raise invalid(f"Input batch size did not match output batch size: {rows} vs. {len(value)}")
    if _type(value) != "DT_FLOAT":
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {_type(value)}")
    result = regression_pb2.RegressionResult()
    for number in value.reshape(-1).tolist():
        result.regressions.add(value=number)
    return result


def _type(value: np.ndarray) -> str:
    return f"DT_{type_name(to_proto(value[:0]).dtype).upper()}"


def _shape(value: np.ndarray) -> str:
    return f"[{','.join(map(str, value.shape))}]"
