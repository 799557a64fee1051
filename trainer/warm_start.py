"""Warm start: training starts from those weights of an earlier model that still have the same meaning.

Beside the SavedModel, which has no layers, the Trainer writes the network's variables by name, and what they depend on:
vocabularies, the layout of the features, classes, and the labels' standardisation.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow_transform as tft

from janus_core.errors import DataError
from janus_core.progress import PROGRESS
from trainer.config import TrainerConfig, classes_of
from trainer.encoders.piecewise_linear import PiecewiseLinear, moved_kernel
from trainer.heads.base import Head
from trainer.names import vocabulary_name
from trainer.network import members_of

FOLDER = "weights"
_VARIABLES, _VOCABULARIES, _CONTEXT = "variables.npz", "vocabularies.npz", "context.json"


@dataclass
class Taken:
    """The result of a warm start.

    Attributes:
        variables: names of the variables that were taken over, entirely or in part.
        left: names of those that are initialised as usual.
        known: categorical feature → (values known to the earlier model, values now).
    """

    variables: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    known: dict[str, tuple[int, int]] = field(default_factory=dict)


def weights_folder(serving_model_dir: str) -> Path:
    """The folder of a model's weights, which is beside that of its SavedModel, so that they are not pushed."""
    return Path(serving_model_dir).parent / FOLDER


def save_weights(
    folder: Path,
    config: TrainerConfig,
    transform: tft.TFTransformOutput,
    network: keras.Model,
    heads: Mapping[str, Head],
) -> None:
    """Writes the network's trainable variables, and what they depend on."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / _VARIABLES, **{name: variable.numpy() for name, variable in _variables(network)})
    np.savez(folder / _VOCABULARIES, **_vocabularies(config, transform))
    (folder / _CONTEXT).write_text(json.dumps(_context(config, network, heads), indent=1), encoding="utf-8")


def start_from(
    folder: Path,
    config: TrainerConfig,
    transform: tft.TFTransformOutput,
    network: keras.Model,
    heads: Mapping[str, Head],
) -> Taken:
    """Assigns an earlier model's weights to a network where they have the same meaning, and logs to `janus.progress`.

    The rows of a categorical feature's embedding are matched by value. Values that are new in the vocabulary start
    from the mean of the out-of-vocabulary buckets. A regression head is rescaled, so that it predicts the same in the
    label's unit although the labels' mean and deviation have changed. If a feature or the kind of trunk changed, only
    embeddings are taken over; if a task's classes or quantiles changed, everything but its head. Of several members,
    each starts from the earlier one of the same number. A model without weights, from a version of Janus that wrote
    none, changes nothing.

    Raises:
        DataError: the earlier model's files cannot be read.
    """
    if not folder.exists():
        PROGRESS.info("warm start: the last blessed model came without weights; starting as usual")
        return Taken(left=[name for name, _ in _variables(network)])
    try:
        with np.load(folder / _VARIABLES) as file:
            variables = dict(file)
        with np.load(folder / _VOCABULARIES) as file:
            vocabularies = dict(file)
        earlier = json.loads((folder / _CONTEXT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"training.warm_start: the weights of the last blessed model cannot be read from {folder}: {error}; "
            "set training.warm_start to false for one run"
        ) from error
    now, taken = _context(config, network, heads), Taken()
    features, tokens = _embedded(config, network), _vocabularies(config, transform)
    comparable = all(earlier[key] == now[key] for key in ("features", "widths", "trunk"))
    binned = {layer.kernel.path: layer.edges for layer in _piecewise_linear(network)}
    for name, variable in _variables(network):
        value = variables.get(name)
        feature = features.get(variable.path)
        if value is not None and feature is not None and feature in vocabularies:
            value = _by_value(value, vocabularies[feature], tokens[feature], variable.numpy())
            taken.known[feature] = (int(np.isin(tokens[feature], vocabularies[feature]).sum()), len(tokens[feature]))
        elif value is not None and feature is None:
            value = _rescaled(variable.path, value, earlier["tasks"], now["tasks"]) if comparable else None
        if value is not None and variable.path in binned:
            value = moved_kernel(value, [np.array(one) for one in earlier["edges"]], binned[variable.path])
        if value is not None and value.shape == tuple(variable.shape):
            variable.assign(value)
            taken.variables.append(name)
        else:
            taken.left.append(name)
    _log(taken, comparable)
    return taken


def _variables(network: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    """The trainable variables by their paths, which are the same in each of several members."""
    for number, member in enumerate(members_of(network)):
        for variable in member.trainable_variables:
            yield f"member_{number}/{variable.path}" if number else variable.path, variable


def _vocabularies(config: TrainerConfig, transform: tft.TFTransformOutput) -> dict[str, np.ndarray]:
    """Feature with a vocabulary → its values, bytes, in the order of their ids."""
    return {
        name: np.array(transform.vocabulary_by_name(vocabulary_name(name)), np.bytes_)
        for name, feature in config.features.items()
        if feature.has_vocabulary
    }


def _context(config: TrainerConfig, network: keras.Model, heads: Mapping[str, Head]) -> dict:
    first = members_of(network)[0]
    joined = next((layer for layer in first.layers if layer.name.rpartition(".")[2] == "features"), None)
    return {
        "features": [[name, feature.model_dump(mode="json")] for name, feature in config.features.items()],
        # These include the sizes of embeddings, which by default follow from the vocabularies'.
        "widths": [tensor.shape[-1] for tensor in joined.input] if joined is not None else [],
        "trunk": config.model.trunk.kind,
        # The same in every layer: networks that share nothing have one for each task.
        "edges": [one.tolist() for layer in _piecewise_linear(network)[:1] for one in layer.edges],
        "tasks": {
            name: {
                "kind": task.kind,
                "classes": classes_of(task),
                "quantiles": getattr(task, "quantiles", None),
                "linear": heads[name].linear,
                "mean": heads[name].statistics.mean + getattr(task, "offset", 0),
                "deviation": heads[name].statistics.deviation,
            }
            for name, task in config.tasks.items()
        },
    }


def _piecewise_linear(network: keras.Model) -> list[PiecewiseLinear]:
    return [layer for layer in members_of(network)[0].layers if isinstance(layer, PiecewiseLinear)]


def _embedded(config: TrainerConfig, network: keras.Model) -> dict[str, str]:
    """Name of each embedding's variable → its feature."""
    layers = {f"{name}_embedding": name for name in config.features}
    variables = {}
    for layer in members_of(network)[0].layers:
        feature = layers.get(layer.name.rpartition(".")[2])
        if feature is not None and isinstance(layer, keras.layers.Embedding):
            variables[layer.embeddings.path] = feature
    return variables


def _by_value(old: np.ndarray, old_tokens: np.ndarray, tokens: np.ndarray, fresh: np.ndarray) -> np.ndarray | None:
    """The rows of an embedding [1 + values + buckets, size] in the order of another vocabulary."""
    if old.shape[1] != fresh.shape[1]:
        return None
    unknown = old[1 + len(old_tokens) :]
    mean, buckets = unknown.mean(axis=0), fresh[1 + len(tokens) :].shape
    rows = {token: old[1 + index] for index, token in enumerate(old_tokens.tolist())}
    known = [rows.get(token, mean) for token in tokens.tolist()]
    beyond = unknown if unknown.shape == buckets else np.broadcast_to(mean, buckets)
    return np.concatenate([old[:1], np.array(known, fresh.dtype).reshape(-1, fresh.shape[1]), beyond])


def _rescaled(path: str, value: np.ndarray, earlier: Mapping[str, dict], now: Mapping[str, dict]) -> np.ndarray | None:
    """A head's variable rescaled to the present mean and deviation of the labels; those of other layers unchanged."""
    task = next((name for name in now if path.partition("/")[0] == f"{name}_head"), None)
    if task is None:
        return value
    old, new = earlier.get(task), now[task]
    if old is None or any(old[key] != new[key] for key in ("kind", "classes", "quantiles")):
        return None
    if not new["linear"]:
        return value
    scaled = value * (old["deviation"] / new["deviation"])
    return scaled + (old["mean"] - new["mean"]) / new["deviation"] if path.endswith("/bias") else scaled


def _log(taken: Taken, comparable: bool) -> None:
    parts = [f"warm start: {len(taken.variables)} of {len(taken.variables) + len(taken.left)} variables taken over"]
    grown = ((name, *counts) for name, counts in taken.known.items() if counts[0] < counts[1])
    parts += [f"{name}: {known} of {values} values known" for name, known, values in grown]
    if not comparable:
        parts.append(
            "only embeddings can be taken over, because features, the kind of trunk or an embedding's size have "
            "changed (without `embed`, it follows the vocabulary's)"
        )
    if taken.left:
        parts.append("starting as usual: " + ", ".join(sorted({path.partition("/")[0] for path in taken.left})))
    PROGRESS.info("%s", "; ".join(parts))
