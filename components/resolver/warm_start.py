"""The strategy of the WarmStartResolver: the model from whose weights training starts."""

from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy

from components.artifacts import Artifacts
from components.resolver.baseline import BLESSING, MODEL, last_blessed

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
