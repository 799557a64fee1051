"""Builds the TFX pipeline of a configuration."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.trainer.component import Trainer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import range_config_pb2, trainer_pb2, transform_pb2, tuner_pb2
from tfx.types import Channel, standard_artifacts

from components.anomaly_gate.checks import (
    Expectations,
    FeatureExpectation,
    LabelExpectation,
    WeightExpectation,
)
from components.anomaly_gate.component import AnomalyGate
from components.anomaly_gate.data_gates import GatedData
from components.baselines.component import Baselines
from components.evaluator.component import ENGINES
from components.evaluator.gates import Gates
from components.example_gen.component import ArrowExampleGen
from components.pusher.component import Pusher
from components.resolver.models import LastBlessedModelBefore
from components.resolver.served import ServedModel
from components.resolver.window import NewestSpans
from components.serving_check.component import ServingCheck
from components.serving_check.config import CheckConfig
from components.serving_check.infra_validator import infra_validator
from components.statistics_gen.component import ArrowStatisticsGen
from components.statistics_gen.rows import RowsConfig
from components.transform.component import ArrowTransform
from components.tuner.component import ParallelTuner
from janus_core.files import write_text
from janus_core.fingerprint import node_modules, source_fingerprint
from janus_core.kinds import kind_of
from pipeline.baselines import baselines_config
from pipeline.config import JanusConfig
from pipeline.config.media import box_columns, image_columns, tags_columns
from pipeline.evaluation import eval_config, gates_of
from pipeline.schema import ColumnType, column_types, only_columns, read_schema, to_text
from trainer.config import Task, classes_of, column_of, columns_of
from trainer.config.tune import TuneConfig

PREPROCESSING_FN = "trainer.preprocessing.preprocessing_fn"
RUN_FN = "trainer.run.run_fn"
BASELINES = "Baselines"
TUNER_FN = "trainer.tune.tuner_fn"


@dataclass(frozen=True)
class Places:
    """Where a pipeline's things are.

    Attributes:
        root: TFX's pipeline root.
        metadata: the SQLite database of ML Metadata; None where the orchestrator has its own.
        schemas: receives copies of the curated schema.
        schemas_at: where these copies lie when the pipeline runs; None where it runs here.
        checkpoints: where a killed training finds its state again; None for no checkpoints.
        analyzer_cache: where Transform finds again what it knows of earlier spans; None: it reads them again.
        tunings: where a killed tuning finds its state again; None: it starts again.
    """

    root: str
    metadata: str | None
    schemas: Path
    checkpoints: str | None
    analyzer_cache: str | None = None
    schemas_at: str | None = None
    tunings: str | None = None


def create_pipeline(config: JanusConfig, places: Places, span: int | None = None) -> Pipeline:
    """The whole pipeline, from raw data to a pushed model; it ingests the newest span, or `span`.

    What a component depends on stands in its parameters, code included, so that TFX's cache re-runs exactly what a
    change touches. Nothing that differs between machines or runs may stand there.
    """
    until = _until_transform(config, places, span)
    data, transform = until.data, until.transform
    base = _warm_start(config, transform)
    tuner = _tuner(config, config.tune, transform, places) if config.tune and config.tune.use else None
    model_trainer = _trainer(config, transform, data, base, tuner, places)
    model_trainer.add_upstream_node(until.gate)
    resolver = Resolver(
        strategy_class=ServedModel,
        config={"base": config.push.path, "reference": config.evaluation.reference or 0},
        model=Channel(type=standard_artifacts.Model),
        pushed_model=Channel(type=standard_artifacts.PushedModel),
        candidate=model_trainer.outputs["model"],
    ).with_id("Resolver")
    evaluator = ENGINES[config.evaluation.engine](
        examples=data.example_gen.outputs["examples"],
        example_splits=["eval"],
        model=model_trainer.outputs["model"],
        baseline_model=resolver.outputs["model"],
        eval_config=eval_config(config),
        gates=Gates(gates=gates_of(config), seed=config.seed),
        schema=data.schema_gen.outputs["schema"],
    ).with_id("Evaluator")
    serving_check = _serving_check(config, model_trainer, data)
    # In this order, so that the report of a run that ends in the check has the metrics.
    serving_check.add_upstream_node(evaluator)
    pusher = Pusher(
        model=model_trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        base_directory=config.push.path,
        keep=config.push.keep,
        wait_seconds=config.push.wait_seconds,
        lease_seconds=config.push.lease_seconds,
        labels=config.serving.deployment.labels.versions(),
    ).with_id("Pusher")
    trained = [*(node for node in (base, tuner) if node), model_trainer, resolver, evaluator, serving_check, pusher]
    nodes = [*until.in_order(), *_baselines(config, transform), *trained]
    return _pipeline(config, places, nodes)


def create_data_pipeline(config: JanusConfig, places: Places) -> Pipeline:
    """The part that ends with transformed examples and the baselines on them.

    What it makes is cached for the whole pipeline, and the reverse.
    """
    until = _until_transform(config, places)
    return _pipeline(config, places, [*until.in_order(), *_baselines(config, until.transform)])


def create_tuning_pipeline(config: JanusConfig, tune: TuneConfig, places: Places) -> Pipeline:
    """The part that ends with the Tuner, whose result is cached for a whole pipeline with `tune.use`."""
    until = _until_transform(config, places)
    return _pipeline(config, places, [*until.in_order(), _tuner(config, tune, until.transform, places)])


def create_schema_pipeline(config: JanusConfig, places: Places) -> Pipeline:
    """The part that infers a schema of the columns that are used, by the data alone: no curated types, no classes."""
    example_gen = ArrowExampleGen(
        data=config.data, seed=config.seed, units=config.units(), columns=config.named_columns()
    ).with_id("ExampleGen")
    statistics_gen = ArrowStatisticsGen(examples=example_gen.outputs["examples"]).with_id("StatisticsGen")
    return _pipeline(config, places, [example_gen, statistics_gen, _inferred_schema(statistics_gen)])


def expectations_of(config: JanusConfig) -> Expectations:
    """What the gate demands beside the schema."""
    labels = {task.label: _label_expectation(name, task) for name, task in config.tasks.items()}
    weighted: dict[str, list[str]] = {}
    for name, task in config.tasks.items():
        if task.sample_weight is not None:
            weighted.setdefault(task.sample_weight, []).append(name)
    features: dict[str, FeatureExpectation] = {}
    for name, feature in config.features.items():
        for column in columns_of(name, feature):
            earlier = features.get(column)
            features[column] = FeatureExpectation(
                feature=earlier.feature if earlier else name,
                numeric=feature.numeric or bool(earlier and earlier.numeric),
                length=None if feature.many else feature.row_length or 1,
            )
    weights = {column: WeightExpectation(tasks=tasks) for column, tasks in weighted.items()}
    return Expectations(
        labels=labels,
        features=features,
        weights=weights,
        curated=config.schema_ is not None,
        sensitive=config.sensitive_columns(),
    )


def _label_expectation(name: str, task: Task) -> LabelExpectation:
    kind, separator = kind_of(task), getattr(task, "separator", None)
    if kind.is_numeric:
        return LabelExpectation(task=name, numeric=True, least=0.0 if kind.label_form == "count" else None)
    if separator is not None:
        return LabelExpectation(task=name, classes=classes_of(task), separator=separator)
    return LabelExpectation(task=name)


def _gated_data(config: JanusConfig) -> GatedData:
    return GatedData(
        gates=config.data_gates,
        features={name: column_of(name, feature) for name, feature in config.features.items()},
        tasks={name: task.label for name, task in config.tasks.items()},
        negative_if_empty=[name for name, task in config.tasks.items() if getattr(task, "empty", None) == "negative"],
    )


def _counted_rows(config: JanusConfig) -> RowsConfig:
    """What StatisticsGen counts for the data gates."""
    return RowsConfig(
        features=sorted(config.feature_columns()),
        key=config.data_gates.shared_keys.columns,
        labels={task.label: getattr(task, "separator", None) for task in config.tasks.values()},
        digits=config.data_gates.shared_rows.digits,
    )


@dataclass(frozen=True)
class _DataNodes:
    """What reads and describes the data."""

    example_gen: BaseNode
    statistics_gen: BaseNode
    schema_gen: BaseNode
    example_validator: BaseNode

    def in_order(self) -> list[BaseNode]:
        return [self.example_gen, self.statistics_gen, self.schema_gen, self.example_validator]


@dataclass(frozen=True)
class _UntilTransform:
    """What makes transformed examples of raw data, if they are as expected."""

    data: _DataNodes
    gate: BaseNode
    window: BaseNode | None
    transform: BaseNode

    def in_order(self) -> list[BaseNode]:
        window = [self.window] if self.window else []
        return [*self.data.in_order(), self.gate, *window, self.transform]


def _until_transform(config: JanusConfig, places: Places, span: int | None = None) -> _UntilTransform:
    data = _data_nodes(config, places, span)
    gate = AnomalyGate(
        statistics=data.statistics_gen.outputs["statistics"],
        anomalies=data.example_validator.outputs["anomalies"],
        schema=data.schema_gen.outputs["schema"],
        expectations=expectations_of(config),
        gated=_gated_data(config),
    ).with_id("AnomalyGate")
    window = _window(config, data, gate)
    transform = _transform(config, data, window, places)
    transform.add_upstream_node(gate)
    return _UntilTransform(data, gate, window, transform)


def _data_nodes(config: JanusConfig, places: Places, span: int | None) -> _DataNodes:
    example_gen = example_gen_of(config, span)
    statistics_gen = ArrowStatisticsGen(examples=example_gen.outputs["examples"], rows=_counted_rows(config)).with_id(
        "StatisticsGen"
    )
    if config.schema_ is None:
        schema_gen = _inferred_schema(statistics_gen)
    else:
        copy = _schema_copy(Path(config.schema_), config.named_columns(), places)
        schema_gen = ImportSchemaGen(schema_file=copy).with_id("ImportSchemaGen")
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    ).with_id("ExampleValidator")
    return _DataNodes(example_gen, statistics_gen, schema_gen, example_validator)


def example_gen_of(config: JanusConfig, span: int | None = None) -> BaseNode:
    """Reads the data, of a span if one is given; column types as the curated schema has them."""
    # By inference, a column of '1', '2' and '1_2' is one of whole numbers.
    types: dict[str, ColumnType] = dict.fromkeys([*config.separated_labels(), *config.text_columns()], "bytes")
    if config.schema_:
        types = column_types(read_schema(Path(config.schema_)))
    one = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span) if span is not None else None
    return ArrowExampleGen(
        data=config.data,
        seed=config.seed,
        column_types=types,
        domains=config.label_domains(),
        units=config.units(),
        columns=config.named_columns(),
        sensitive=config.sensitive_columns(),
        uses=config.uses(),
        offsets=config.offsets(),
        dates=config.dates(),
        images=image_columns(config.features),
        boxes=box_columns(config.tasks),
        tags=tags_columns(config.features, config.tasks),
        range_config=range_config_pb2.RangeConfig(static_range=one) if one else None,
    ).with_id("ExampleGen")


def _inferred_schema(statistics_gen: BaseNode) -> BaseNode:
    # A shape would demand a value in every row, also in those that are still to come.
    return SchemaGen(
        statistics=statistics_gen.outputs["statistics"], infer_feature_shape=False, exclude_splits=["eval"]
    ).with_id("SchemaGen")


def _schema_copy(schema: Path, columns: Collection[str], places: Places) -> str:
    """A copy of what it says of `columns`, under its digest: ImportSchemaGen is cached by the path alone.

    Other columns are not ingested: the examples do not have them.
    """
    text = to_text(only_columns(read_schema(schema), columns))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    copy = places.schemas / f"schema-{digest}.pbtxt"
    if not copy.exists():
        write_text(copy, text)
    return f"{places.schemas_at or places.schemas}/{copy.name}"


def _window(config: JanusConfig, data: _DataNodes, gate: BaseNode) -> BaseNode | None:
    """Adds the examples of earlier spans, which earlier runs ingested, to the newest.

    None if it trains alone, or if ExampleGen itself reads the other spans.
    """
    if config.data.window == 1 or config.data.by_span:
        return None
    window = Resolver(
        strategy_class=NewestSpans,
        config={"spans": config.data.window, "gate": gate.type},
        # Not those of ExampleGen alone: TFX would take that channel and the next for the same one.
        examples=Channel(type=standard_artifacts.Examples),
        newest=data.example_gen.outputs["examples"],
    ).with_id("WindowResolver")
    window.add_upstream_node(gate)
    return window


def _transform(config: JanusConfig, data: _DataNodes, window: BaseNode | None, places: Places) -> BaseNode:
    return ArrowTransform(
        examples=(window or data.example_gen).outputs["examples"],
        schema=data.schema_gen.outputs["schema"],
        preprocessing_fn=PREPROCESSING_FN,
        splits_config=transform_pb2.SplitsConfig(analyze=["train"], transform=["train", "eval"]),
        custom_config={
            "preprocessing": config.trainer_config().preprocessing().model_dump_json(),
            "code": source_fingerprint(_module(PREPROCESSING_FN)),
        },
        # One span is analysed at one go: a cache of it would be written and never read.
        analyzer_cache=places.analyzer_cache if window else None,
    ).with_id("Transform")


def _baselines(config: JanusConfig, transform: BaseNode) -> list[BaseNode]:
    """Fits simple models beside the network; nothing waits for them."""
    if not config.report.baselines:
        return []
    outputs = transform.outputs
    return [
        Baselines(
            examples=outputs["transformed_examples"],
            transform_graph=outputs["transform_graph"],
            config=baselines_config(config),
        ).with_id(BASELINES)
    ]


def _warm_start(config: JanusConfig, transform: BaseNode) -> BaseNode | None:
    """Finds the model that training starts from; None if it starts from scratch."""
    if not config.training.warm_start:
        return None
    return Resolver(
        strategy_class=LastBlessedModelBefore,
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        examples=transform.outputs["transformed_examples"],
    ).with_id("WarmStartResolver")


def _tuner(config: JanusConfig, tune: TuneConfig, transform: BaseNode, places: Places) -> BaseNode:
    return ParallelTuner(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        tuner_fn=TUNER_FN,
        # The trials are compared on rows of the train split; the eval split is not theirs.
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["train"]),
        tune_args=tuner_pb2.TuneArgs(num_parallel_trials=tune.workers),
        custom_config={
            "trainer": config.trainer_config().model_dump_json(),
            "tune": tune.model_dump_json(exclude={"workers", "use"}),
            "code": source_fingerprint(_module(TUNER_FN), *node_modules(ParallelTuner)),
            "state_root": places.tunings,
        },
    ).with_id("Tuner")


def _trainer(
    config: JanusConfig,
    transform: BaseNode,
    data: _DataNodes,
    base: BaseNode | None,
    tuner: BaseNode | None,
    places: Places,
) -> BaseNode:
    return Trainer(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=data.schema_gen.outputs["schema"],
        base_model=base.outputs["model"] if base else None,
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        run_fn=RUN_FN,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={
            "trainer": config.trainer_config().model_dump_json(),
            "code": source_fingerprint(_module(RUN_FN)),
            "checkpoint_root": places.checkpoints,
        },
    ).with_id("Trainer")


def _serving_check(config: JanusConfig, model_trainer: BaseNode, data: _DataNodes) -> BaseNode:
    """Tries the exported model, in a process of its own or in TF Serving's image."""
    serving, model, examples = config.serving, model_trainer.outputs["model"], data.example_gen.outputs["examples"]
    if serving.infra_validator == "process":
        keys = CheckConfig.model_fields
        images = sorted(image_columns(config.features))
        given = serving.model_dump(include=set(keys))
        given |= {"sensitive": config.sensitive_columns(), "images": images, "dates": config.dates()}
        check, statistics = CheckConfig.model_validate(given), data.statistics_gen.outputs["statistics"]
        return ServingCheck(model=model, examples=examples, statistics=statistics, config=check).with_id("ServingCheck")
    # InfraValidator knows no warm-up requests but those of real rows.
    warmup = serving.warmup == "real" and not config.sensitive_columns()
    image, tag = serving.image(installed_version("tensorflow"))
    return infra_validator(
        model, examples, serving.infra_validator, tag, serving.warmup_rows, serving.time_limit_seconds, image, warmup
    ).with_id("ServingCheck")


def _pipeline(config: JanusConfig, places: Places, nodes: Sequence[BaseNode]) -> Pipeline:
    connection = sqlite_metadata_connection_config(places.metadata) if places.metadata else None
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=places.root,
        components=list(nodes),
        enable_cache=True,
        metadata_connection_config=connection,
        # They stand in TFX's cache key of each Beam component.
        beam_pipeline_args=config.beam.arguments(),
    )


def _module(function: str) -> str:
    return function.rpartition(".")[0]
