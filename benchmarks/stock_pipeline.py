"""The same pipeline of stock TFX components with stock settings, against which Janus is measured."""

import json
from pathlib import Path

from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator.component import Evaluator
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_gen.csv_example_gen.component import CsvExampleGen
from tfx.components.example_gen.custom_executors import parquet_executor
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.pusher.component import Pusher
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2, pusher_pb2, trainer_pb2

from janus_core.tables.config import HashSplit
from pipeline.config import JanusConfig
from pipeline.evaluation import LABELLED_COUNT, PRESENT_CLASSES, eval_config

HASH_BUCKETS = 6
"""The number of hash buckets, of which one is evaluated: a sixth of the rows."""

TFMA_METRICS: dict[str, dict[str, config_pb2.MetricConfig]] = {
    "binary": {
        "log_loss": config_pb2.MetricConfig(class_name="BinaryCrossentropy", config='{"name": "log_loss"}'),
    },
    "multiclass": {
        "accuracy": config_pb2.MetricConfig(class_name="SparseCategoricalAccuracy", config='{"name": "accuracy"}'),
        "log_loss": config_pb2.MetricConfig(class_name="SparseCategoricalCrossentropy", config='{"name": "log_loss"}'),
    },
    "regression": {
        "mae": config_pb2.MetricConfig(class_name="MeanAbsoluteError", config='{"name": "mae"}'),
        "rmse": config_pb2.MetricConfig(class_name="RootMeanSquaredError", config='{"name": "rmse"}'),
    },
}
"""TFMA's own metrics, where it has them."""
STOCK_COUNT = config_pb2.MetricConfig(class_name="ExampleCount", config=json.dumps({"name": LABELLED_COUNT}))
RANKING_METRICS = {"auc": "AUC", "auc_pr": "AUCPrecisionRecall"}


def create_stock_pipeline(config: JanusConfig, folder: Path, buckets: int = HASH_BUCKETS) -> Pipeline:
    """Stock components, in order; evaluated is one of `buckets` hash buckets of the rows.

    Args:
        config: of the same features, model, metrics and slices; only a split by hash, which is all that stock has.
        folder: pipeline root, metadata and pushed models.
    """
    if not isinstance(config.data.split, HashSplit) or config.schema_ is None:
        raise ValueError("the stock pipeline needs a split by hash and a curated schema")
    example_gen = stock_example_gen(config, buckets)
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = ImportSchemaGen(schema_file=config.schema_)
    validator = ExampleValidator(statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"])
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        preprocessing_fn="trainer.preprocessing.preprocessing_fn",
        custom_config={"preprocessing": config.trainer_config().preprocessing().model_dump_json()},
    )
    trainer = Trainer(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema_gen.outputs["schema"],
        run_fn="trainer.run.run_fn",
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={"trainer": config.trainer_config().model_dump_json()},
    )
    evaluator = Evaluator(
        examples=example_gen.outputs["examples"],
        example_splits=["eval"],
        model=trainer.outputs["model"],
        eval_config=stock_eval_config(config),
        schema=schema_gen.outputs["schema"],
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(folder / "serving"))
        ),
    )
    return Pipeline(
        pipeline_name=f"{config.name}_stock",
        pipeline_root=str(folder / "root"),
        components=[example_gen, statistics_gen, schema_gen, validator, transform, trainer, evaluator, pusher],
        enable_cache=False,
        metadata_connection_config=sqlite_metadata_connection_config(str(folder / "metadata.db")),
    )


def stock_example_gen(config: JanusConfig, buckets: int) -> BaseNode:
    """CsvExampleGen, or the file-based ExampleGen with TFX's Parquet executor."""
    splits = [
        example_gen_pb2.SplitConfig.Split(name="train", hash_buckets=buckets - 1),
        example_gen_pb2.SplitConfig.Split(name="eval", hash_buckets=1),
    ]
    output = example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits))
    if config.data.format == "csv":
        return CsvExampleGen(input_base=config.data.path, output_config=output).with_id("ExampleGen")
    return FileBasedExampleGen(
        input_base=config.data.path,
        output_config=output,
        custom_executor_spec=executor_spec.BeamExecutorSpec(parquet_executor.Executor),
    ).with_id("ExampleGen")


def stock_eval_config(config: JanusConfig) -> config_pb2.EvalConfig:
    """The pipeline's EvalConfig with TFMA's own metrics where it has them, without gates, for TFMA's own engine."""
    result = eval_config(config)
    # The classes decided at a binary task's own threshold are text, which TFMA's metrics cannot count.
    kept = [spec for spec in result.metrics_specs if all(name in config.tasks for name in spec.output_names)]
    del result.metrics_specs[:]
    result.metrics_specs.extend(kept)
    for spec in list(result.metrics_specs):
        tasks = [config.tasks[name] for name in spec.output_names]
        if not tasks:
            continue
        own = {**TFMA_METRICS[tasks[0].kind], LABELLED_COUNT: STOCK_COUNT}
        names = [_name(metric) for metric in spec.metrics]
        kept = [metric for metric in spec.metrics if _name(metric) not in {*own, *RANKING_METRICS, PRESENT_CLASSES}]
        ranking = [name for name in names if name in RANKING_METRICS]
        if ranking:
            _add_ranking(result, spec, ranking, len(getattr(tasks[0], "classes", ())))
        replaced = [*kept, *(own[name] for name in names if name in own)]
        del spec.metrics[:]
        spec.metrics.extend(replaced)
    for spec in result.metrics_specs:
        for metric in spec.metrics:
            metric.ClearField("per_slice_thresholds")
    return result


def _add_ranking(result: config_pb2.EvalConfig, source: config_pb2.MetricsSpec, names: list[str], classes: int) -> None:
    """One-vs-rest by TFMA's own aggregation over the classes."""
    spec = result.metrics_specs.add()
    spec.output_names.extend(source.output_names)
    spec.example_weights.CopyFrom(source.example_weights)
    spec.metrics.extend(
        config_pb2.MetricConfig(class_name=RANKING_METRICS[name], config=json.dumps({"name": name})) for name in names
    )
    if classes > 2:
        spec.binarize.class_ids.values.extend(range(classes))
        spec.aggregate.macro_average = True
        for index in range(classes):
            spec.aggregate.class_weights[index] = 1.0


def _name(metric: config_pb2.MetricConfig) -> str:
    return json.loads(metric.config or "{}").get("name", "")
