"""The run_fn that Trainer calls: reads, builds, trains, exports."""

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from janus_core.errors import DataError
from janus_core.progress import PROGRESS
from serving.description import write_description
from trainer.averaging import averaging_from_the_start
from trainer.callbacks import (
    AveragedWeights,
    BalancingEpoch,
    BestWeights,
    Checkpoint,
    EpochHistory,
    Progress,
    ShuffleEpoch,
)
from trainer.config import TrainerConfig, TrainingConfig, classes_of
from trainer.config.tune import with_hyperparameters
from trainer.decision import choose_decisions
from trainer.description import describe_model
from trainer.distribution import is_chief, make_strategy, replicas
from trainer.divergence import fit
from trainer.expert_gates import GateUtilisation
from trainer.heads import heads_of
from trainer.heads.base import Head
from trainer.input import TrainingData, read_training_data
from trainer.label_statistics import label_statistics
from trainer.multitask import MultiTaskModel
from trainer.names import label_name, weight_name
from trainer.network import binned_features, build_network, feature_edges
from trainer.signatures import ServingModule, export
from trainer.warm_start import save_weights, start_from, weights_folder


def run_fn(fn_args: FnArgs) -> None:
    """Trains on the transformed examples and exports the SavedModel to `fn_args.serving_model_dir`.

    `fn_args.custom_config` has `trainer`, the JSON of a `TrainerConfig`, and may have `checkpoint_root`, the folder of
    the checkpoints from which a killed training resumes. `fn_args.hyperparameters`, the best of a tuning, come before
    the values of the configuration.

    Raises:
        DataError: a task has no label, the split is too small to hold rows out, or a column makes a loss NaN.
        JanusError: a loss is NaN, and no column explains it.
    """
    config = with_hyperparameters(
        TrainerConfig.model_validate_json(fn_args.custom_config["trainer"]), fn_args.hyperparameters
    )
    # First, since the workers must be connected before any other use of TensorFlow.
    strategy = make_strategy(config.training.distribution)
    keras.backend.clear_session()
    keras.utils.set_random_seed(config.seed)
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    data = read_examples(fn_args.train_files, transform, config)
    heads = make_heads(data, config)
    with strategy.scope():
        model = make_model(config, transform, heads, data)
    if config.training.warm_start and fn_args.base_model is None:
        PROGRESS.info("warm start: no model was blessed before these examples were made; starting as usual")
    elif config.training.warm_start:
        start_from(weights_folder(fn_args.base_model), config, transform, model.network, heads)
    chief, checkpoints = is_chief(), _checkpoint_folder(fn_args)
    # Every worker has to save, but only the chief's files are kept (tf.distribute's guide to multi-worker training).
    with contextlib.nullcontext(fn_args.model_run_dir) if chief else tempfile.TemporaryDirectory() as run_folder:
        streamed = "" if data.in_memory else ", streamed"
        PROGRESS.info("training on %d rows, validating on %d%s", data.rows, data.validation_rows, streamed)
        epochs = config.training.epochs_for(data.rows)
        before = [ShuffleEpoch(data.epoch), GateUtilisation(model.structure, data.validation)]
        board = keras.callbacks.TensorBoard(log_dir=run_folder, write_graph=False, update_freq="epoch")
        _, history = train(model, data, config, epochs, checkpoints, before, [Progress(heads, epochs), board])
        decisions = choose_decisions(model.network, heads, data.validation)
        model_folder = fn_args.serving_model_dir if chief else f"{run_folder}/model"
        export(ServingModule(config, transform, model.network, heads), model_folder)
        write_description(model_folder, describe_model(config, transform, model_folder, decisions))
        save_weights(weights_folder(model_folder), config, transform, model.network, heads)
        Path(run_folder).mkdir(parents=True, exist_ok=True)
        (Path(run_folder) / "history.json").write_text(json.dumps(history.epochs, indent=1), encoding="utf-8")
        (Path(run_folder) / "labelled.json").write_text(json.dumps(data.labelled), encoding="utf-8")
    if checkpoints and chief:
        shutil.rmtree(checkpoints, ignore_errors=True)


def read_examples(patterns: list[str], transform: tft.TFTransformOutput, config: TrainerConfig) -> TrainingData:
    data = read_training_data(
        patterns,
        transform.transformed_feature_spec(),
        features=config.network_inputs(),
        tasks=list(config.tasks),
        batch_size=config.training.batch_size,
        validation_fraction=config.training.validation_fraction,
        seed=config.seed,
        sampled=binned_features(config),
        time=config.time,
    )
    if not data.rows or not data.validation_rows:
        raise DataError(
            f"the training split has {data.rows + data.validation_rows} rows, too few to hold out "
            f"{config.training.validation_fraction:.0%} for validation (training.validation_fraction)"
        )
    return data


def make_heads(data: TrainingData, config: TrainerConfig) -> dict[str, Head]:
    statistics = {
        name: label_statistics(
            name,
            task.label,
            data.labels[label_name(name)],
            data.labels[weight_name(name)],
            len(classes_of(task)),
            task.sample_weight,
            tags=task.label_form == "tags",
        )
        for name, task in config.tasks.items()
    }
    return heads_of(config.tasks, statistics)


def make_model(
    config: TrainerConfig, transform: tft.TFTransformOutput, heads: dict[str, Head], data: TrainingData | None = None
) -> MultiTaskModel:
    training = config.training
    edges = feature_edges(config, data.sample) if data else {}
    steps = training.epochs_for(data.rows) * -(-data.rows // training.batch_size) if data else None
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(
        "float32" if training.mixed_precision == "none" else f"mixed_{training.mixed_precision}"
    )
    try:
        model = MultiTaskModel(build_network(config, transform, heads, edges), heads, config)
        model.compile(
            optimizer=_optimizer(training, steps),
            # Collectives do not run inside the loop of several steps per call.
            steps_per_execution=training.steps_per_execution if replicas() == 1 else 1,
            jit_compile=training.jit_compile,
        )
        # Without this, the first step would create these variables, after the checkpoint is restored.
        model.optimizer.build(model.network.trainable_variables)
    finally:
        keras.config.set_dtype_policy(before)
    return model


def _optimizer(training: TrainingConfig, steps: int | None) -> keras.optimizers.Optimizer:
    optimizers = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": keras.optimizers.SGD,
        "adagrad": keras.optimizers.Adagrad,
    }
    rate: Any = training.learning_rate
    if training.schedule == "cosine" and steps:
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    decay = {} if training.weight_decay is None else {"weight_decay": training.weight_decay}
    if not training.ema:
        return optimizers[training.optimizer](learning_rate=rate, **decay)
    averaging = averaging_from_the_start(optimizers[training.optimizer])
    return averaging(learning_rate=rate, **decay, use_ema=True, ema_momentum=training.ema)


def train(
    model: MultiTaskModel,
    data: TrainingData,
    config: TrainerConfig,
    epochs: int,
    checkpoints: Path | None,
    first: Sequence[keras.callbacks.Callback],
    last: Sequence[keras.callbacks.Callback],
) -> tuple[BestWeights, EpochHistory]:
    """Trains up to a number of epochs, from the newest checkpoint on, and leaves the weights of the best one.

    The callbacks `first` precede those that record an epoch's logs, so that they can add to them.

    Raises:
        DataError, JanusError: a loss is not finite; see `divergence.fit`.
    """
    best, history = BestWeights(config.training.early_stopping), EpochHistory()
    callbacks: list[Any] = [*first, BalancingEpoch(), best, history]
    callbacks += [AveragedWeights()] if config.training.ema else []
    checkpoint = Checkpoint(checkpoints, best, history) if checkpoints else None
    done, stopped = checkpoint.restore(model) if checkpoint else (0, False)
    callbacks += [checkpoint] if checkpoint and is_chief() else []
    if done < epochs and not stopped:
        fit(model, data, config, [*callbacks, *last], initial_epoch=done, epochs=epochs)
    else:
        best.set_model(model)
        best.on_train_end()
    return best, history


def _checkpoint_folder(fn_args: FnArgs) -> Path | None:
    """A folder for trainings with exactly this input, code and configuration."""
    custom = fn_args.custom_config
    root = custom.get("checkpoint_root")
    if not root:
        return None
    parts = [custom["trainer"], str(custom.get("code")), fn_args.transform_graph_path, *sorted(fn_args.train_files)]
    parts += [fn_args.base_model] if fn_args.base_model else []
    parts += [json.dumps(fn_args.hyperparameters)] if fn_args.hyperparameters else []
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return Path(root) / key
