"""The strategy of the Resolver: the last blessed model that is not the candidate itself."""

from collections.abc import Sequence
from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.io import fileio
from tfx.types import Artifact

from components.pusher.journal import WITHDRAWN

Artifacts = dict[str, list[Artifact]]

MODEL, BLESSING, CANDIDATE = "model", "model_blessing", "candidate"


class LastOtherBlessedModel(ResolverStrategy):
    """Resolves `model` and `model_blessing` to those of the last blessing of another model than `candidate`.

    A model that a rollback withdrew does not count: a new one is compared with what is served instead.

    TFX's LatestBlessedModelStrategy does not know the candidate. A run that changes nothing would therefore be given
    its own model as a baseline, and evaluate again what it had evaluated before.
    """

    def resolve_artifacts(self, store: Any, input_dict: Artifacts) -> Artifacts:
        """Called by TFX; both lists are empty where there is no such model."""
        candidates = {artifact.id for artifact in input_dict[CANDIDATE]}
        models = {artifact.id: artifact for artifact in input_dict[MODEL] if artifact.id not in candidates}
        chosen: Artifacts = {MODEL: [], BLESSING: [], CANDIDATE: input_dict[CANDIDATE]}
        for blessing in blessed(input_dict[BLESSING]):
            model = models.get(blessing.get_int_custom_property("current_model_id"))
            if model is not None and usable(model):
                return {**chosen, MODEL: [model], BLESSING: [blessing]}
        return chosen


def usable(model: Artifact) -> bool:
    """Whether a blessed model may be compared with, or trained on from: not withdrawn, nor its files cleaned away."""
    return model.get_int_custom_property(WITHDRAWN) != 1 and bool(fileio.exists(model.uri))


def blessed(blessings: Sequence[Artifact]) -> list[Artifact]:
    """The positive ones, newest first."""
    positive = [artifact for artifact in blessings if artifact.get_int_custom_property("blessed") == 1]
    return sorted(positive, key=lambda artifact: artifact.id, reverse=True)
