"""The strategy of the WarmStartResolver: the last blessed model, to start from."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf
from tensorflow.python.saved_model import loader_impl
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import Artifact
from tfx.utils import path_utils

from components.artifacts import Artifacts
from components.intact import damage_of, has_record
from components.pusher.state import WITHDRAWN
from janus_core.progress import PROGRESS

MODEL, BLESSING = "model", "model_blessing"


def last_blessed(models: Iterable[Artifact], blessings: Iterable[Artifact]) -> Artifacts:
    """The last blessed one of the models with its blessing; both lists are empty where there is none.

    A model that a rollback withdrew does not count, nor one that cannot be read.
    """
    by_id = {model.id: model for model in models}
    positive = [artifact for artifact in blessings if artifact.get_int_custom_property("blessed") == 1]
    for blessing in sorted(positive, key=lambda artifact: artifact.id, reverse=True):
        model = by_id.get(blessing.get_int_custom_property("current_model_id"))
        if model is not None and model.get_int_custom_property(WITHDRAWN) != 1 and is_readable(model):
            return {MODEL: [model], BLESSING: [blessing]}
    return {MODEL: [], BLESSING: []}


def is_readable(model: Artifact) -> bool:
    """Whether a model's files are whole; a warning names what is not."""
    problem = damage_of(model) if has_record(model) else _loading_problem(model)
    if problem:
        PROGRESS.warning("a model is left out, nothing is compared with it or starts from it: %s", problem)
    return problem is None


def _loading_problem(model: Artifact) -> str | None:
    """Why a model whose files were not recorded cannot be read, as one that an older version of Janus made."""
    path = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    try:
        loader_impl.parse_saved_model(path)
        # Reading a variable compares its checksum.
        variables = tf.train.load_checkpoint(f"{path}/variables/variables")
        for name in variables.get_variable_to_shape_map():
            variables.get_tensor(name)
    except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
        return f"{path} cannot be read ({error})"
    return None


EXAMPLES = "examples"


class LastBlessedModelBefore(ResolverStrategy):
    """Resolves `model` and `model_blessing` to those of the last blessing of a model older than `examples`.

    The last blessed model of all would be another one after each run, and a run that changes nothing would train
    again. A model that is older than the examples was not trained on them, and stays the answer as long as they do.
    One that a rollback withdrew does not count.
    """

    def resolve_artifacts(self, store: Any, input_dict: Artifacts) -> Artifacts:
        """Called by TFX; `model` and `model_blessing` are empty where there is no such model."""
        examples = input_dict[EXAMPLES]
        oldest = min(artifact.id for artifact in examples)
        models = [artifact for artifact in input_dict[MODEL] if artifact.id < oldest]
        return {**last_blessed(models, input_dict[BLESSING]), EXAMPLES: examples}
