"""Executors of the Evaluator: the batch engine, and TFMA's own."""

from collections.abc import Mapping
from typing import Any

import tensorflow_model_analysis as tfma
from absl import logging
from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as stock
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils, json_utils, path_utils, proto_utils

from components.artifacts import Artifacts, read_schema
from components.evaluator.baseline import comparable_outputs, compare_only
from components.evaluator.changes import write_errors
from components.evaluator.evaluate import batch_evaluator, batch_extractors
from components.evaluator.gates import Gates, judge
from components.evaluator.plan import EvaluationPlan, NotBatchedError, make_plan
from components.evaluator.reading import column_types, read_batches
from components.evaluator.result import ChangeErrors, read_errors, read_metrics
from janus_core.examples.shards import holds_tf_examples, shard_files

GATES = "gates"
"""The execution property with the `Gates`, as JSON."""


class StockExecutor(stock.Executor):
    """TFX's own executor, but a baseline that lacks a task does not fail the run, and there are gates beyond TFMA's."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Called by TFX; see its Evaluator."""
        arguments = _with_fitting_baseline(input_dict, output_dict, exec_properties)
        super().Do(*arguments)
        _judge(*arguments)


class BatchExecutor(stock.Executor):
    """Computes metrics from batches; leaves what cannot be computed this way to TFX's own executor."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Called by TFX; see its Evaluator."""
        arguments = _with_fitting_baseline(input_dict, output_dict, exec_properties)
        self._evaluate_and_bless(*arguments)
        _judge(*arguments)

    def _evaluate_and_bless(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        config = tfma.utils.update_eval_config_with_defaults(
            _eval_config(exec_properties), has_baseline=bool(_baseline(input_dict)), rubber_stamp=True
        )
        tfma.utils.verify_eval_config(config)
        try:
            plan = make_plan(config)
            _check_inputs(input_dict, exec_properties)
        except NotBatchedError as reason:
            logging.warning("Falling back to TFMA's row-wise evaluation, which is slower: %s", reason)
            super().Do(input_dict, output_dict, exec_properties)
            return
        self._log_startup(input_dict, output_dict, exec_properties)
        evaluation_uri = artifact_utils.get_single_uri(output_dict[specs.EVALUATION_KEY])
        self._evaluate(config, plan, input_dict, exec_properties, evaluation_uri)
        if tfma.metrics.metric_thresholds_from_metrics_specs(config.metrics_specs, eval_config=config):
            _bless(input_dict, output_dict, exec_properties, evaluation_uri)

    def _evaluate(
        self,
        config: config_pb2.EvalConfig,
        plan: EvaluationPlan,
        input_dict: Artifacts,
        exec_properties: Mapping[str, Any],
        output_path: str,
    ) -> None:
        files = _files(input_dict, exec_properties)
        columns = column_types(read_schema(input_dict), {column for names in plan.slices for column in names})
        models = [
            tfma.default_eval_shared_model(
                eval_saved_model_path=_model_path(
                    input_dict[specs.BASELINE_MODEL_KEY if spec.is_baseline else specs.MODEL_KEY]
                ),
                model_name=spec.name,
                eval_config=config,
            )
            for spec in config.model_specs
        ]
        shared = models[0] if len(models) == 1 else models
        with self._make_beam_pipeline() as pipeline:
            batches = read_batches(pipeline, files, columns)
            _ = batches | "ExtractEvaluateAndWriteResults" >> tfma.ExtractEvaluateAndWriteResults(
                eval_shared_model=shared,
                eval_config=config,
                extractors=batch_extractors(eval_shared_model=shared, eval_config=config),
                evaluators=[batch_evaluator(config, plan)],
                output_path=output_path,
            )


def _files(input_dict: Artifacts, exec_properties: Mapping[str, Any]) -> list[str]:
    splits = json_utils.loads(exec_properties.get(specs.EXAMPLE_SPLITS_KEY) or "null") or ["eval"]
    uris = [uri for split in splits for uri in artifact_utils.get_split_uris(input_dict[specs.EXAMPLES_KEY], split)]
    return [file for uri in uris for file in shard_files(uri)]


def _check_inputs(input_dict: Artifacts, exec_properties: Mapping[str, Any]) -> None:
    if not input_dict.get(specs.SCHEMA_KEY):
        raise NotBatchedError("there is no schema")
    if not holds_tf_examples(input_dict[specs.EXAMPLES_KEY]):
        raise NotBatchedError("the examples are not tf.Examples")
    if exec_properties.get(specs.MODULE_PATH_KEY) or exec_properties.get(specs.MODULE_FILE_KEY):
        raise NotBatchedError("a module file changes how examples are evaluated")


def _with_fitting_baseline(
    input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
) -> tuple[Artifacts, Artifacts, dict[str, Any]]:
    """The arguments without the comparisons for which the baseline cannot be used."""
    config = _eval_config(exec_properties)
    baseline = _baseline(input_dict)
    if not baseline or len(config.model_specs) != 1 or not config.model_specs[0].label_keys:
        return input_dict, output_dict, exec_properties
    (spec,) = config.model_specs
    outputs = comparable_outputs(spec, _model_path(input_dict[specs.MODEL_KEY]), _model_path(baseline))
    missing = sorted(set(spec.label_keys) - outputs)
    if not missing:
        return input_dict, output_dict, exec_properties
    logging.warning("The baseline does not have these tasks as they are now: %s", ", ".join(missing))
    if not outputs:
        return {**input_dict, specs.BASELINE_MODEL_KEY: []}, output_dict, exec_properties
    changed = proto_utils.proto_to_json(compare_only(config, outputs))
    return input_dict, output_dict, {**exec_properties, specs.EVAL_CONFIG_KEY: changed}


def _eval_config(exec_properties: Mapping[str, Any]) -> config_pb2.EvalConfig:
    config = config_pb2.EvalConfig()
    proto_utils.json_to_proto(exec_properties[specs.EVAL_CONFIG_KEY], config)
    return config


def _baseline(input_dict: Artifacts) -> list[types.Artifact]:
    return input_dict.get(specs.BASELINE_MODEL_KEY) or []


def _model_path(artifacts: list[types.Artifact]) -> str:
    artifact = artifact_utils.get_single_instance(artifacts)
    return str(path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact)))


def _bless(
    input_dict: Artifacts, output_dict: Artifacts, exec_properties: Mapping[str, Any], evaluation_uri: str
) -> None:
    """Writes the blessing as TFX's own executor does, which has no method for it."""
    blessing = artifact_utils.get_single_instance(output_dict[specs.BLESSING_KEY])
    model = artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY])
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    for baseline in _baseline(input_dict):
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline.id)
    if "current_component_id" in exec_properties:
        blessing.set_string_custom_property("component_id", exec_properties["current_component_id"])
    passed = bool(tfma.load_validation_result(evaluation_uri).validation_ok)
    name = constants.BLESSED_FILE_NAME if passed else constants.NOT_BLESSED_FILE_NAME
    value = constants.BLESSED_VALUE if passed else constants.NOT_BLESSED_VALUE
    io_utils.write_string_file(f"{blessing.uri}/{name}", "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)


def _judge(input_dict: Artifacts, output_dict: Artifacts, exec_properties: Mapping[str, Any]) -> None:
    """Estimates the noise of changes, and takes the blessing back if a gate fails that TFMA does not judge."""
    evaluation_uri = artifact_utils.get_single_uri(output_dict[specs.EVALUATION_KEY])
    gates = Gates.model_validate_json(exec_properties.get(GATES) or "{}")
    if _baseline(input_dict):
        config, files = _eval_config(exec_properties), _files(input_dict, exec_properties)
        paths = [_model_path(input_dict[key]) for key in (specs.MODEL_KEY, specs.BASELINE_MODEL_KEY)]
        write_errors(evaluation_uri, config, paths[0], paths[1], files, gates.gates, gates.seed)
    own = [gate for gate in gates.gates if not gate.by_tfma]
    metrics, errors = (read_metrics(evaluation_uri), read_errors(evaluation_uri)) if own else ({}, ChangeErrors())
    failed = [gate for gate in own if not judge(gate, metrics, errors).passed]
    blessing = artifact_utils.get_single_instance(output_dict[specs.BLESSING_KEY])
    if failed and blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY):
        logging.info("Not blessed: %s", failed)
        fileio.remove(f"{blessing.uri}/{constants.BLESSED_FILE_NAME}")
        io_utils.write_string_file(f"{blessing.uri}/{constants.NOT_BLESSED_FILE_NAME}", "")
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.NOT_BLESSED_VALUE)
