"""The whole configuration of a pipeline: one YAML file, validated before anything runs."""

import difflib
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from components.anomaly_gate.config import DataGatesConfig
from components.baselines.config import BaselineName
from components.example_gen.precision import Role, Use
from janus_core.kinds import metrics_of
from janus_core.strict import Count, Name, NonNegative, Positive, StrictModel, Whole, reject_bool
from janus_core.tables.cells import CellForms, forms_of
from janus_core.tables.config import DataConfig, TimeSplit, columns_of_split
from pipeline.config.beam import BeamConfig
from pipeline.config.gates import TaskGates, gate_problems
from pipeline.config.hooks import Hook
from pipeline.config.kubeflow import KubeflowConfig
from pipeline.config.media import image_columns, media_problems, sequence_problems, with_separators, with_shifts
from serving.deployment.config import STOCK_IMAGE, DeploymentConfig
from serving.deployment.server import serving_release
from serving.signatures import ERROR
from trainer.config import (
    Feature,
    ModelConfig,
    RegressionTask,
    Task,
    TimeConfig,
    TrainerConfig,
    TrainingConfig,
    classes_of,
    column_of,
    columns_of,
    task_problems,
    unit_of,
)
from trainer.config.size import LARGEST_NETWORK, network_size
from trainer.config.tune import TuneConfig

LONGEST_PIPELINE_NAME = 63
"""TFX's own limit (`MAX_PIPELINE_NAME_LENGTH` in tfx/orchestration/pipeline.py)."""

_SHARED_KEYS = "data_gates.shared_keys.columns"

RESERVED_TASK_NAMES = frozenset({"examples", "default", "serving_default", "serving_columns", "transform_features"})
"""The first two are keys of the configuration, the others signatures, beside which a task has one of its own name."""


class EvaluationConfig(StrictModel):
    """The metrics that the Evaluator computes, and the limits that a model must keep to be pushed."""

    slices: list[Annotated[list[str], Field(min_length=1)]] = Field(
        [], description="Columns, or combinations of columns, each of whose values is a slice with metrics of its own."
    )
    gates: dict[str, TaskGates] = Field(
        {}, description="The limits that a model must keep to be pushed: task → metric → limits."
    )
    reference: Count | None = Field(
        None,
        description="The pushed version that change gates compare with. By default, it is the one that is served.",
    )
    engine: Literal["batch", "tfma"] = Field(
        "batch",
        description="How metrics are computed: `batch`, from batches of rows; or `tfma`, row by row by TFMA itself, "
        "which is much slower.",
    )

    def gated(self, task: str) -> list[str]:
        """The metrics of a task on which there are gates, those on all rows first."""
        return self.gates[task].gated if task in self.gates else []

    def columns_of_gate(self, key: str) -> list[str]:
        """The columns that a gate on slices names: of a crossing several, `a,b`."""
        return next((columns for columns in self.slices if ",".join(columns) == key), [key])


class PushConfig(StrictModel):
    """Where blessed models are pushed to."""

    path: str = Field(description="TensorFlow Serving's base path of the model. Each version is a folder in it.")
    keep: Count = Field(5, description="The number of versions that are kept. Older ones are removed after a push.")
    wait_seconds: NonNegative = Field(
        300.0,
        description="Seconds for which a push waits for another push or rollback into the same folder before it fails.",
    )
    lease_seconds: Positive = Field(
        3600.0, description="Seconds after which another machine may treat a push that holds the folder as dead."
    )

    @field_validator("path")
    @classmethod
    def _folder(cls, path: str) -> str:
        if "\0" in path or not path.strip():
            raise ValueError("it must name a folder")
        # A folder of this machine is published by one rename, a URL's file by file.
        return path.removeprefix("file://") if path.startswith("file:///") else path


class LatencyConfig(StrictModel):
    """Limits on the exported model's latency, measured in the serving check's process."""

    batch_1_p50_ms: Positive | None = Field(
        None, description="Limit on the median latency of requests with one row, in milliseconds."
    )
    batch_1_p99_ms: Positive | None = Field(
        None, description="Limit on the 99th percentile of the latency with one row, in milliseconds."
    )
    batch_128_p50_ms: Positive | None = Field(
        None, description="Limit on the median latency of requests with 128 rows, in milliseconds."
    )
    batch_128_p99_ms: Positive | None = Field(
        None, description="Limit on the 99th percentile of the latency with 128 rows, in milliseconds."
    )


class ServingConfig(StrictModel):
    """The check of an exported model before it is pushed, and how it is served."""

    infra_validator: Literal["process", "docker", "kubernetes"] = Field(
        "process",
        description="Where the exported model is tested: in a process of its own, or by TFX's InfraValidator in "
        "TensorFlow Serving's image, run by Docker or Kubernetes.",
    )
    image_tag: str | None = Field(
        None,
        description="The tag of the image tensorflow/serving that `janus serve` and `infra_validator` run. By default, "
        "the image of `deployment` is used.",
    )
    check_rows: Count = Field(64, description="The number of rows of the eval split that are sent to each signature.")
    warmup_rows: Annotated[int, BeforeValidator(reject_bool), Field(ge=0, le=1000)] = Field(
        8, description="The number of rows per signature with which TensorFlow Serving warms the model up."
    )
    warmup: Literal["synthetic", "real"] = Field(
        "synthetic",
        description="The rows in warm-up requests and on the server's page: `synthetic`, made from the statistics; or "
        "`real`, from the eval split, which become part of the pushed model.",
    )
    time_limit_seconds: Positive = Field(300, description="The time limit of the whole check, in seconds.")
    memory_limit_mb: Positive = Field(
        4096, description="The memory limit of the check's process, in MB. TensorFlow itself takes about 500."
    )
    size_limit_mb: Positive | None = Field(None, description="Limit on the size of the model's files, in MB.")
    latency: LatencyConfig = LatencyConfig()
    deployment: DeploymentConfig = Field(DeploymentConfig(), description="How TensorFlow Serving is deployed.")

    @model_validator(mode="after")
    def _check(self) -> "ServingConfig":
        batching = self.deployment.batching
        most = batching.max_batch_size
        if batching.enabled and self.warmup_rows > most:
            raise ValueError(
                f"warmup_rows {self.warmup_rows} is above deployment.batching.max_batch_size {most}: "
                "TF Serving batches its warm-up requests too, and would refuse this one and with it the model; lower "
                "warmup_rows or raise max_batch_size"
            )
        return self

    def image(self, tensorflow: str) -> tuple[str, str]:
        """The image of TF Serving for models that this version of TensorFlow trained, and its tag or digest."""
        if self.image_tag:
            return STOCK_IMAGE, self.image_tag
        return self.deployment.image, self.deployment.tag or serving_release(tensorflow)


class ReportConfig(StrictModel):
    """The analyses in report.html beyond the metrics, and their time limit."""

    sample: Count = Field(
        20000,
        description="The rows of the eval split, drawn by `seed`, from which curves and intervals are computed.",
    )
    importance_rows: Whole = Field(
        2000, description="The number of rows of the sample on which permutation importance is measured; 0: not at all."
    )
    time_limit_seconds: Positive = Field(
        60, description="Seconds after which the importance of no further column is measured."
    )
    baselines: list[BaselineName] = Field(
        ["constant", "linear", "boosting"],
        description="The simple models, one per task, that each run fits to the same rows and compares with the "
        "network: `constant`, the best constant; `linear`, a linear model; `boosting`, gradient-boosted trees. With an "
        "empty list, there are none.",
    )
    baseline_rows: Count = Field(
        100_000, description="The number of training rows of each task, drawn by `seed`, that baselines are fitted to."
    )
    baseline_seconds: Positive = Field(
        120, description="Seconds after which no more baselines are fitted. Those that are missing are reported."
    )

    @field_validator("baselines")
    @classmethod
    def _each_once(cls, names: list[BaselineName]) -> list[BaselineName]:
        return list(dict.fromkeys(names))


class JanusConfig(StrictModel):
    """One pipeline: a table, its features, its tasks, the model and its gates."""

    name: Annotated[Name, Field(max_length=LONGEST_PIPELINE_NAME)] = Field(
        description="The pipeline's name. Its home is the folder runs/<name>."
    )
    seed: Annotated[int, BeforeValidator(reject_bool), Field(ge=0, lt=2**31)] = Field(
        0, description="The seed of the split, the initial weights and the shuffle."
    )
    data: DataConfig
    schema_: str | None = Field(
        None,
        alias="schema",
        description="A curated TFDV schema (.pbtxt). By default, it is inferred from the training split.",
    )
    data_gates: DataGatesConfig = DataGatesConfig()
    features: Annotated[dict[Name, Feature], Field(min_length=1)] = Field(
        description="The network's inputs, by name. A feature reads the column of its name unless `column` is given."
    )
    tasks: Annotated[dict[Name, Task], Field(min_length=1)] = Field(
        description="What is predicted, by name, which is also the name of the served model's output and of the gates."
    )
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    push: PushConfig
    serving: ServingConfig = ServingConfig()
    beam: BeamConfig = BeamConfig()
    report: ReportConfig = ReportConfig()
    hooks: list[Hook] = Field([], description="What is done when a run has ended. A failure of it is a warning.")
    tune: TuneConfig | None = Field(None, description="Which values of other keys `janus tune` tries.")
    kubeflow: KubeflowConfig | None = Field(None, description="Where and how the pipeline runs on Kubeflow Pipelines.")

    @model_validator(mode="after")
    def _check(self) -> "JanusConfig":
        problems = [
            *sequence_problems(self.features, self.tasks),
            *self._add_slices(),
            *self._label_problems(),
            *task_problems(self.tasks),
            *self._task_name_problems(),
            *self._gate_problems(),
            *self._offset_problems(),
            *self._validation_problems(),
            *self._size_problems(),
            *self._data_gate_problems(),
            *media_problems(self.data, self.features, self.tasks),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        for name, task in self.tasks.items():
            chosen = "loss" in task.model_fields_set
            if isinstance(task, RegressionTask) and not chosen and self.evaluation.gated(name) == ["mae"]:
                # The mean absolute error is least at the median, which the squared loss does not aim at.
                self.tasks[name] = task.model_copy(update={"loss": "mae"})
        self.features.update(with_shifts(self.features, self.tasks))
        features, tasks = with_separators(self.data, self.features, self.tasks)
        self.features.update(features)
        self.tasks.update(tasks)
        return self

    def _label_problems(self) -> list[str]:
        problems = []
        owners: dict[str, str] = {}
        for name, task in self.tasks.items():
            if task.label in owners:
                problems.append(
                    f"tasks.{name}.label: column '{task.label}' is already the label of task '{owners[task.label]}'"
                )
            owners[task.label] = name
        for name, feature in self.features.items():
            problems += [
                f"features.{name}: column '{column}' is the label of task '{owners[column]}'; "
                "a label among the features leaks the answer"
                for column in columns_of(name, feature)
                if column in owners
            ]
        for keys in self.evaluation.slices:
            problems += [
                f"evaluation.slices: '{key}' is the label of task '{owners[key]}'" for key in keys if key in owners
            ]
            problems += [
                f"evaluation.slices: '{key}' is sensitive, and slices are named by its values"
                for key in keys
                if key in self.sensitive_columns()
            ]
        words = self.data.null_values
        for name, task in self.tasks.items():
            classes = classes_of(task)
            missing = words.get(task.label, []) if isinstance(words, dict) else words
            problems += [
                f"tasks.{name}.classes: '{value}' is also a text for missing values, so its rows would be masked; let "
                "data.null_values name the columns in which it means missing: {column: [...]}"
                for value in dict.fromkeys(classes)
                if value in missing
            ]
            problems += [
                f"tasks.{name}.classes: '{value}' is listed twice"
                for value in dict.fromkeys(classes)
                if classes.count(value) > 1
            ]
        if all(task.loss_weight == 0 for task in self.tasks.values()):
            problems.append("tasks: every loss_weight is 0, so nothing would be trained")
        return problems

    def _task_name_problems(self) -> list[str]:
        problems = [
            f"tasks.{name}: this name is reserved; choose another" for name in self.tasks if name in RESERVED_TASK_NAMES
        ]
        if ERROR in self.tasks and image_columns(self.features):
            problems.append(f"tasks.{ERROR}: with images, an output of the model has this name; choose another")
        problems += [
            f"model.{key}.{name}: no such task; tasks are {', '.join(self.tasks)}, and `default` for the others"
            for key, by_task in (("towers", self.model.towers), ("tower_dropout", self.model.tower_dropout))
            for name in by_task
            if name not in self.tasks and name != "default"
        ]
        if "shared" in self.tasks and self.model.trunk.kind in ("cgc", "ple"):
            problems.append(
                f"tasks.shared: the experts of all tasks are called so in a {self.model.trunk.kind} trunk; "
                "choose another name"
            )
        return problems

    def _offset_problems(self) -> list[str]:
        if self.data.format != "tfrecord":
            return []
        return [
            f"tasks.{name}.offset: the numbers of TFRecords are already rounded; subtract the offset before they are "
            "written"
            for name, task in self.tasks.items()
            if getattr(task, "offset", 0)
        ]

    def _validation_problems(self) -> list[str]:
        if self.training.validation == "hash" or self.data.split.by == "time":
            return []
        return [
            f"training.validation: newest needs the rows' times, which only `data.split.by: time` names; the split is "
            f"by {self.data.split.by}"
        ]

    def _size_problems(self) -> list[str]:
        size = network_size(self.trainer_config())
        if size.total <= LARGEST_NETWORK:
            return []
        gigabytes = size.training_bytes / 1e9
        return [
            f"{size.largest}: the network would have at least {size.total:,} parameters, of which this key makes "
            f"{size.parameters[size.largest]:,}, and take {gigabytes:,.0f} GB to train; at most "
            f"{LARGEST_NETWORK:,} parameters are allowed"
        ]

    def _data_gate_problems(self) -> list[str]:
        return [
            f"data_gates.missing.features.{name}: no such feature; features are {', '.join(self.features)}"
            for name in self.data_gates.missing.features
            if name not in self.features
        ]

    def _gate_problems(self) -> list[str]:
        problems = []
        for name, gates in self.evaluation.gates.items():
            if name not in self.tasks:
                problems.append(f"evaluation.gates.{name}: no such task; tasks are {', '.join(self.tasks)}")
                continue
            allowed = metrics_of(self.tasks[name])
            for over, columns, metric, limits in gates.entries():
                path = f"evaluation.gates.{name}.{f'{over}.{columns}.' if columns else ''}{metric}"
                if metric not in allowed:
                    problems.append(
                        f"{path}: not a metric of this {self.tasks[name].kind} task; allowed: {', '.join(allowed)}"
                    )
                    continue
                found = gate_problems(limits.rules(), allowed[metric], over)
                problems += [f"{path}.{problem}" for problem in found]
        return problems

    def _add_slices(self) -> Iterator[str]:
        """Evaluates the slices of gates as well. Yields what is wrong with the columns of gates."""
        known = [*(",".join(columns) for columns in self.evaluation.slices), *self.named_columns()]
        for name, gates in self.evaluation.gates.items():
            for over, columns in dict.fromkeys((over, columns) for over, columns, *_ in gates.entries() if columns):
                if columns not in known:
                    near = difflib.get_close_matches(columns, known, n=1)
                    yield (
                        f"evaluation.gates.{name}.{over}.{columns}: no such slice."
                        + (f" Did you mean '{near[0]}'?" if near else "")
                        + " A column that is not among the features must be in evaluation.slices"
                    )
                elif self.evaluation.columns_of_gate(columns) not in self.evaluation.slices:
                    self.evaluation.slices.append([columns])

    def units(self) -> dict[str, str]:
        """CSV column → the unit that may be written beside its numbers."""
        units = {column_of(n, feature): getattr(feature, "unit", None) for n, feature in self.features.items()}
        units |= {task.label: unit_of(task) for task in self.tasks.values()}
        return {column: unit for column, unit in units.items() if unit and self.data.format == "csv"}

    def cell_forms(self) -> CellForms:
        """How the cells of CSV are written."""
        return forms_of(self.data, self.units())

    def trainer_config(self) -> TrainerConfig:
        """The part that the Transform and Trainer components read."""
        split, time = self.data.split, None
        if isinstance(split, TimeSplit) and self.training.validation == "newest":
            time = TimeConfig(column=split.column, format=split.format)
        return TrainerConfig(
            seed=self.seed,
            features=self.features,
            tasks=self.tasks,
            model=self.model,
            training=self.training,
            time=time,
        )

    def named_columns(self) -> dict[str, str]:
        """Each raw column that the configuration names → the key that names it first."""
        columns: dict[str, str] = {}
        for name, feature in self.features.items():
            for column in columns_of(name, feature):
                columns.setdefault(column, f"features.{name}")
        for name, task in self.tasks.items():
            columns.setdefault(task.label, f"tasks.{name}.label")
            if task.sample_weight is not None:
                columns.setdefault(task.sample_weight, f"tasks.{name}.sample_weight")
        for keys in self.evaluation.slices:
            for key in keys:
                columns.setdefault(key, "evaluation.slices")
        for column in columns_of_split(self.data.split):
            columns.setdefault(column, "data.split")
        for column in self.data_gates.shared_keys.columns:
            columns.setdefault(column, _SHARED_KEYS)
        return columns

    def feature_columns(self) -> list[str]:
        """The columns that the features are read from, each once."""
        return list(dict.fromkeys(c for name, feature in self.features.items() for c in columns_of(name, feature)))

    def stable_columns(self) -> list[str]:
        """Those of `feature_columns` that are expected to keep their distribution."""
        kept = {c for name, feature in self.features.items() if feature.stable for c in columns_of(name, feature)}
        return [column for column in self.feature_columns() if column in kept]

    def sensitive_columns(self) -> list[str]:
        """Columns whose values must not be shown in any report, message or pushed request."""
        columns = {c for name, feature in self.features.items() if feature.sensitive for c in columns_of(name, feature)}
        # The key of a split by hash is nearly always an identifier of persons or things.
        key = set(columns_of_split(self.data.split)) if self.data.split.by == "hash" else set()
        key |= set(self.data_gates.shared_keys.columns)
        used = {column for column, place in self.named_columns().items() if place not in ("data.split", _SHARED_KEYS)}
        return sorted(columns | (key - used))

    def label_domains(self) -> dict[str, list[str]]:
        """Label column → the class values that it may hold, alone or in a list.

        A column that holds several classes in one string has no domain: AnomalyGate splits it.
        """
        separated = self.separated_labels()
        return {
            task.label: classes_of(task)
            for task in self.tasks.values()
            if classes_of(task) and task.label not in separated
        }

    def uses(self) -> dict[str, list[Use]]:
        """Column → its uses, where float32 might lose precision."""
        uses: dict[str, set[Use]] = {}
        label_roles: dict[str, Role] = {"number": "regression", "count": "count"}
        for name, feature in self.features.items():
            if feature.rounding is not None:
                use = Use(role=feature.rounding, period=getattr(feature, "period", None))
                for column in columns_of(name, feature):
                    uses.setdefault(column, set()).add(use)
        for task in (task for task in self.tasks.values() if task.label_form != "box"):
            uses.setdefault(task.label, set()).add(Use(role=label_roles.get(task.label_form, "classes")))
        for column in (key for keys in self.evaluation.slices for key in keys):
            uses.setdefault(column, {Use(role="category")})
        return {column: sorted(found, key=str) for column, found in uses.items()}

    def offsets(self) -> dict[str, int]:
        """Label column → what is subtracted from it before it is written."""
        offsets = {task.label: getattr(task, "offset", 0) for task in self.tasks.values()}
        return {column: offset for column, offset in offsets.items() if offset}

    def dates(self) -> dict[str, str]:
        """Column of dates → their form, empty for the default one."""
        forms = [(c, f.dates) for name, f in self.features.items() if f.dates is not None for c in columns_of(name, f)]
        return dict(forms)

    def text_columns(self) -> list[str]:
        """The columns of CSV whose cells are text, also if they are digits."""
        features = self.features.items() if self.data.format == "csv" else ()
        return sorted({column for name, f in features if f.reads_text for column in columns_of(name, f)})

    def separated_labels(self) -> dict[str, str]:
        """Label column that holds several classes in one string → the separator between them."""
        separators = {task.label: getattr(task, "separator", None) for task in self.tasks.values()}
        return {column: separator for column, separator in separators.items() if separator is not None}
