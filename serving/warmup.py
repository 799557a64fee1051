"""Requests that TF Serving answers before a version takes its first real one (SavedModel Warmup).

They lie in `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLog messages. Without them the first
requests wait for what TensorFlow does lazily.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from janus_core.files import replacing
from serving.errors import Code, RequestError
from serving.rows import columns_of_examples, examples_of_input, only_columns
from serving.saved_model import LoadedModel
from serving.signatures import CLASSIFY, COLUMNS, EXAMPLES, REGRESS, read_meta_graph, strings

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
"""Relative to the model's folder."""

MOST_RECORDS = 1000
"""TF Serving refuses a file with more (WarmupConsts::kMaxNumRecords)."""

MODEL_NAME = "warmup"
"""MultiInference refuses tasks that name no model; when TF Serving warms a model up, it takes that one, whatever its
name is."""


def write_warmup(model: Path, rows: Sequence[bytes]) -> int:
    """Writes requests of these rows for each signature that clients call; the same rows give the same bytes.

    Args:
        model: the SavedModel's folder.
        rows: serialized raw tf.Examples; what no signature reads, such as labels, is stripped.

    Returns:
        How many requests: at most `MOST_RECORDS`; without rows none, and no file is written.

    Raises:
        RequestError: a row has no value of a required column, or one of the wrong type.
    """
    import tensorflow as tf

    if not rows:
        return 0
    definitions = dict(read_meta_graph(model).signature_def)
    if COLUMNS in definitions:
        rows = only_columns(rows, definitions[COLUMNS].inputs)
    logs = list(_logs(definitions, rows))[:MOST_RECORDS]
    with replacing(model / FILE) as staging, tf.io.TFRecordWriter(str(staging)) as writer:
        for log in logs:
            writer.write(log.SerializeToString(deterministic=True))
    return len(logs)


def read_warmup(model: Path | str) -> list[Any]:
    """The PredictionLog messages beside a model; none if there is no file."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    path = Path(model) / FILE
    if not path.exists():
        return []
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]


def warmup_rows(model: Path | str) -> list[bytes]:
    """The rows of the requests, serialized raw tf.Examples."""
    import tensorflow as tf

    for log in read_warmup(model):
        request = log.predict_log.request
        if request.model_spec.signature_name == EXAMPLES and "examples" in request.inputs:
            return list(tf.make_ndarray(request.inputs["examples"]))
    return []


def replay(model: LoadedModel, log: Any) -> None:
    """Answers a recorded request with the demands that TF Serving makes when it loads the model.

    Args:
        model: the model that the request lies beside.
        log: a PredictionLog.

    Raises:
        RequestError: the model cannot answer it; TF Serving would not load the model.
    """
    import tensorflow as tf

    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        model.run(request.model_spec.signature_name or EXAMPLES, inputs, list(request.output_filter))
    elif kind == "classify_log":
        request = log.classify_log.request
        _replay_tasks(model, [(request.model_spec.signature_name, CLASSIFY)], request.input)
    elif kind == "regress_log":
        request = log.regress_log.request
        _replay_tasks(model, [(request.model_spec.signature_name, REGRESS)], request.input)
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        names = {task.model_spec.name for task in request.tasks}
        if len(names) != 1 or "" in names:
            raise RequestError(Code.INVALID_ARGUMENT, f"MultiInference needs one model's name, got {sorted(names)}")
        tasks = [(task.model_spec.signature_name, task.method_name) for task in request.tasks]
        _replay_tasks(model, tasks, request.input)
    else:
        raise RequestError(Code.UNIMPLEMENTED, f"a {kind} cannot warm a model up")


def _replay_tasks(model: LoadedModel, tasks: Sequence[tuple[str, str]], given: Any) -> None:
    """Runs classify and regress signatures at once, and checks what they answer."""
    definitions = {name or EXAMPLES: model.signature(name or EXAMPLES) for name, _ in tasks}
    if len(definitions) < len(tasks):
        raise RequestError(Code.INVALID_ARGUMENT, "a signature is asked twice")
    for (name, definition), (_, method) in zip(definitions.items(), tasks, strict=True):
        if method not in (CLASSIFY, REGRESS) or definition.method_name != method:
            raise RequestError(
                Code.INVALID_ARGUMENT, f"signature {name} has the method {definition.method_name}, not {method}"
            )
    places = {definition.inputs["inputs"].name for definition in definitions.values()}
    if len(places) != 1:
        raise RequestError(Code.INVALID_ARGUMENT, "Input tensor must be the same for all Signatures.")
    examples = strings(examples_of_input(given))
    if not len(examples):
        raise RequestError(Code.INVALID_ARGUMENT, "Input is empty.")
    fetches = sorted({tensor.name for found in definitions.values() for tensor in found.outputs.values()})
    values = dict(zip(fetches, model.run_tensors([(places.pop(), examples)], fetches), strict=True))
    for name, definition in definitions.items():
        outputs = {output: values[tensor.name] for output, tensor in definition.outputs.items()}
        _check_outputs(name, definition.method_name, outputs, len(examples))


def _check_outputs(signature: str, method: str, outputs: dict[str, np.ndarray], rows: int) -> None:
    """As PostProcessClassificationResult and PostProcessRegressionResult do (TF Serving's classifier, regressor)."""
    shapes = {name: values.shape for name, values in outputs.items()}
    if method == CLASSIFY:
        fits = (
            bool(shapes)
            and set(shapes) <= {"classes", "scores"}
            and len(set(shapes.values())) == 1
            and all(len(shape) == 2 and shape[0] == rows for shape in shapes.values())
            and outputs.get("scores", np.float32(0)).dtype == np.float32
        )
    else:
        fits = shapes.get("outputs") in ((rows,), (rows, 1)) and outputs["outputs"].dtype == np.float32
    if not fits:
        raise RequestError(
            Code.INVALID_ARGUMENT, f"signature {signature} does not answer {rows} rows as {method} must: {shapes}"
        )


def _logs(definitions: dict[str, Any], rows: Sequence[bytes]) -> Iterator[Any]:
    from tensorflow_serving.apis import prediction_log_pb2

    batches = [list(rows)] + ([list(rows[:1])] if len(rows) > 1 else [])
    for batch in batches:
        if EXAMPLES in definitions:
            yield _predict(EXAMPLES, {"examples": strings(batch)})
        if COLUMNS in definitions:
            yield _predict(COLUMNS, _all_columns(definitions[COLUMNS], batch))
    by_task = {
        name: found.method_name for name, found in definitions.items() if found.method_name in (CLASSIFY, REGRESS)
    }
    for name, method in sorted(by_task.items()):
        log = prediction_log_pb2.PredictionLog()
        request = (log.classify_log if method == CLASSIFY else log.regress_log).request
        request.model_spec.signature_name = name
        _add_examples(request, rows)
        yield log
    if by_task:
        log = prediction_log_pb2.PredictionLog()
        request = log.multi_inference_log.request
        for name, method in sorted(by_task.items()):
            task = request.tasks.add(method_name=method)
            task.model_spec.name = MODEL_NAME
            task.model_spec.signature_name = name
        _add_examples(request, rows)
        yield log


def _all_columns(definition: Any, rows: Sequence[bytes]) -> dict[str, np.ndarray]:
    """The inputs of serving_columns, with the defaults too: a TF Serving that does not know them refuses the request,
    and with it the model."""
    import tensorflow as tf

    inputs = columns_of_examples(definition, rows)
    for name in set(definition.inputs) - set(inputs):
        inputs[name] = np.repeat(tf.make_ndarray(definition.defaults[name]), len(rows), axis=0)
    return inputs


def _predict(signature: str, inputs: dict[str, Any]) -> Any:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    for name, values in sorted(inputs.items()):
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return log


def _add_examples(request: Any, rows: Sequence[bytes]) -> None:
    for row in rows:
        request.input.example_list.examples.add().MergeFromString(row)
