"""Requests that TF Serving answers before a version receives its first real one (SavedModel Warmup).

They are in `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLog messages. Without them, the
first requests have to wait for TensorFlow's lazy initialisation.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from janus_core.files import replacing
from serving.errors import Code, RequestError, invalid
from serving.rows import columns_of_examples, only_columns
from serving.saved_model import LoadedModel
from serving.signatures import CLASSIFY, COLUMNS, EXAMPLES, REGRESS, read_meta_graph, signature_of, strings

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
"""Relative to the model's folder."""

MOST_RECORDS = 1000
"""TF Serving refuses a file with more (WarmupConsts::kMaxNumRecords)."""

MODEL_NAME = "warmup"
"""MultiInference refuses tasks that name no model. When TF Serving warms a model up, it uses that model whatever the
name is."""


def write_warmup(model: Path, rows: Sequence[bytes]) -> int:
    """Writes requests with these rows for each signature that clients call; the same rows give the same bytes.

    Args:
        model: the SavedModel's folder.
        rows: serialized raw tf.Examples; columns that no signature reads, such as labels, are removed.

    Returns:
        The number of requests, at most `MOST_RECORDS`; without rows it is 0 and no file is written.

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
    """The PredictionLog messages beside a model; none if there is no file.

    Raises:
        RequestError: DATA_LOSS, the file is damaged.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import prediction_log_pb2

    path = Path(model) / FILE
    if not path.exists():
        return []
    try:
        records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
        return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    except (tf.errors.OpError, DecodeError) as error:
        raise RequestError(Code.DATA_LOSS, f"{path} is damaged: {error}") from error


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
        model: the model beside which the request was recorded.
        log: a PredictionLog.

    Raises:
        RequestError: the model cannot answer it; TF Serving would not load the model.
    """
    from serving import signature_calls

    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        signature_calls.predict(model, log.predict_log.request)
    elif kind == "classify_log":
        _require_methods(model, [(log.classify_log.request.model_spec, CLASSIFY)])
        signature_calls.classify(model, log.classify_log.request)
    elif kind == "regress_log":
        _require_methods(model, [(log.regress_log.request.model_spec, REGRESS)])
        signature_calls.regress(model, log.regress_log.request)
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        _require_methods(model, [(task.model_spec, task.method_name) for task in request.tasks])
        signature_calls.multi_inference(model, request)
    else:
        raise RequestError(Code.UNIMPLEMENTED, f"a {kind} cannot warm a model up")


def _require_methods(model: LoadedModel, calls: Sequence[tuple[Any, str]]) -> None:
    """Refuses what some releases and settings of TF Serving refuse: another method, or several input tensors."""
    inputs: set[str] = set()
    for spec, method in calls:
        name = spec.signature_name or EXAMPLES
        definition = model.signature(name)
        if method not in (CLASSIFY, REGRESS) or definition.method_name != method:
            raise invalid(f"signature {name} has the method {definition.method_name}, not {method}")
        inputs.update(info.name for info in definition.inputs.values())
    if len(inputs) > 1:
        raise invalid("Input tensor must be the same for all Signatures.")


def _logs(definitions: dict[str, Any], rows: Sequence[bytes]) -> Iterator[Any]:
    from tensorflow_serving.apis import prediction_log_pb2

    batches = [list(rows)] + ([list(rows[:1])] if len(rows) > 1 else [])
    for batch in batches:
        if EXAMPLES in definitions:
            yield _predict(EXAMPLES, {"examples": strings(batch)})
        if COLUMNS in definitions:
            yield _predict(COLUMNS, _all_columns(definitions[COLUMNS], batch))
    methods = {name: definition.method_name for name, definition in sorted(definitions.items())}
    by_task = {name: method for name, method in methods.items() if method in (CLASSIFY, REGRESS)}
    for name, method in by_task.items():
        log = prediction_log_pb2.PredictionLog()
        request = (log.classify_log if method == CLASSIFY else log.regress_log).request
        request.model_spec.signature_name = name
        _add_examples(request, rows)
        yield log
    if by_task:
        log = prediction_log_pb2.PredictionLog()
        request = log.multi_inference_log.request
        for name, method in by_task.items():
            task = request.tasks.add(method_name=method)
            task.model_spec.name = MODEL_NAME
            task.model_spec.signature_name = name
        _add_examples(request, rows)
        yield log


def _all_columns(definition: Any, rows: Sequence[bytes]) -> dict[str, np.ndarray]:
    """The inputs of serving_columns including the defaults: a TF Serving that does not know defaults would refuse the
    request, and so the model."""
    import tensorflow as tf

    inputs = columns_of_examples(signature_of(definition), rows)
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
