"""Compares a model with its baseline only where the baseline answers the same question."""

from dataclasses import dataclass

import tensorflow_model_analysis as tfma
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.saved_model import loader_impl
from tensorflow_model_analysis.proto import config_pb2


@dataclass(frozen=True)
class _Signatures:
    predictions: meta_graph_pb2.SignatureDef | None
    features: meta_graph_pb2.SignatureDef | None


def comparable_outputs(spec: config_pb2.ModelSpec, model_path: str, baseline_path: str) -> set[str]:
    """The outputs, of those with a label, that both models have, output and label, in the same type and shape.

    A baseline from before a task was added, or a class, or a task became one of another kind, does not have it.

    Args:
        spec: the model spec that both are evaluated by.
        model_path, baseline_path: SavedModels.
    """
    model, baseline = _signatures(spec, model_path), _signatures(spec, baseline_path)

    def comparable(output: str) -> bool:
        keys = (spec.label_keys[output], spec.example_weight_keys.get(output, spec.label_keys[output]))
        pairs = [
            (_form(model.predictions, output), _form(baseline.predictions, output)),
            *((_form(model.features, key), _form(baseline.features, key)) for key in keys),
        ]
        return all(own is not None and own == theirs for own, theirs in pairs)

    return {output for output in spec.label_keys if comparable(output)}


def compare_only(config: config_pb2.EvalConfig, outputs: set[str]) -> config_pb2.EvalConfig:
    """The EvalConfig with a baseline for these outputs alone; the others pass their change thresholds.

    Args:
        config: has one model spec, without a name.
        outputs: at least one.
    """
    changed = tfma.utils.update_eval_config_with_defaults(config, has_baseline=True, rubber_stamp=True)
    for spec in changed.model_specs:
        if spec.is_baseline:
            for output in set(spec.label_keys) - outputs:
                del spec.label_keys[output]
                spec.example_weight_keys.pop(output, None)
    for spec in changed.metrics_specs:
        if set(spec.output_names) - outputs:
            del spec.model_names[:]
            spec.model_names.append(tfma.CANDIDATE_KEY)
            for metric in spec.metrics:
                metric.threshold.ClearField("change_threshold")
                for threshold in metric.per_slice_thresholds:
                    threshold.threshold.ClearField("change_threshold")
    return changed


def _signatures(spec: config_pb2.ModelSpec, path: str) -> _Signatures:
    found: dict[str, meta_graph_pb2.SignatureDef] = {}
    for graph in loader_impl.parse_saved_model(path).meta_graphs:
        found.update(graph.signature_def)
    return _Signatures(
        predictions=found.get(spec.signature_name),
        features=found.get(next(iter(spec.preprocessing_function_names), "")),
    )


def _form(signature: meta_graph_pb2.SignatureDef | None, output: str) -> tuple[int, int] | None:
    """The output's type and the size of its last dimension, -1 if it is open; None if there is no such output."""
    if signature is None or output not in signature.outputs:
        return None
    info = signature.outputs[output]
    dimensions = info.tensor_shape.dim
    return int(info.dtype), int(dimensions[-1].size) if dimensions else -1
