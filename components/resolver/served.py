"""The strategy of the Resolver: the model that a candidate is compared with, which is the one that is served."""

from collections.abc import Iterable, Iterator, Mapping

from ml_metadata import MetadataStore
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import Artifact

from components.artifacts import Artifacts
from components.lineage import first_makers, model_of
from components.pusher.state import WITHDRAWN, history, origin
from components.pusher.versions import versions
from components.resolver.models import is_readable
from janus_core.errors import ConfigError
from janus_core.progress import PROGRESS

MODEL, PUSHED, CANDIDATE = "model", "pushed_model", "candidate"


class ServedModel(ResolverStrategy):
    """Resolves `model` to the one that the folder of pushed models serves now, also after a rollback.

    A model that was blessed but failed its serving check, or was not pushed for another reason, is no baseline. Where
    the candidate itself is served, as in a run that changes nothing, it is the model that was pushed before it: so the
    choice, and with it the evaluation, stays as it was.
    """

    def __init__(self, base: str, reference: int = 0):
        """`base`: the folder of versions; `reference`: a version to compare with instead, whatever is served; 0: none.

        TFX has no None among the values of a configuration.
        """
        self._base = base
        self._reference = reference

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Called by TFX; `model` is empty where there is no such model.

        Raises:
            ConfigError: no run of this pipeline pushed the reference, or its model is damaged.
        """
        candidates = {artifact.id for artifact in input_dict[CANDIDATE]}
        models = {artifact.id: artifact for artifact in input_dict[MODEL]}
        pushes = _pushes(input_dict[PUSHED])
        if not self._reference:
            found = _readable(self._served_first(pushes), models, store, candidates)
        else:
            version = origin(history(self._base), self._reference)
            of_version = [artifact for number, artifact in pushes if number == version]
            if not of_version:
                raise ConfigError(unknown_reference(self._reference, {number for number, _ in pushes}))
            found = next(filter(is_readable, _models(store, of_version, models)), None)
            if found is None:
                raise ConfigError(damaged_reference(self._reference))
        return {
            MODEL: [found] if found else [],
            PUSHED: [],
            CANDIDATE: input_dict[CANDIDATE],
        }

    def _served_first(self, pushes: list[tuple[int, Artifact]]) -> list[Artifact]:
        """The pushes, newest first, but that of the served version before all others."""
        newest_first = [artifact for _, artifact in reversed(pushes)]
        present = versions(self._base)
        if not present:
            return newest_first
        version = origin(history(self._base), present[-1])
        served = [artifact for number, artifact in pushes if number == version]
        if not served:
            PROGRESS.warning(
                "no run of this pipeline pushed version %d, which %s serves: change gates compare with the last model "
                "that one did push",
                present[-1],
                self._base,
            )
        return [*served[:1], *newest_first]


def unknown_reference(reference: int, known: Iterable[int | None]) -> str:
    """The message about a reference that no run pushed."""
    pushed = ", ".join(map(str, sorted(filter(None, known)))) or "none"
    return f"evaluation.reference: no run of this pipeline pushed version {reference}; pushed versions are {pushed}"


def damaged_reference(reference: int) -> str:
    """The message about a reference whose model cannot be read; a warning has named the file."""
    return (
        f"evaluation.reference: the model of version {reference} is damaged or gone from the pipeline's home: name "
        "another version, or remove the key"
    )


def _pushes(artifacts: Iterable[Artifact]) -> list[tuple[int, Artifact]]:
    """Version and artifact of each push that took place, oldest first."""
    numbered = [(artifact.get_string_custom_property("pushed_version"), artifact) for artifact in artifacts]
    numbered.sort(key=lambda item: item[1].id)
    return [(int(version), artifact) for version, artifact in numbered if version.isdigit()]


def _readable(
    pushes: Iterable[Artifact], models: Mapping[int, Artifact], store: MetadataStore, candidates: set[int]
) -> Artifact | None:
    """The first push's model that can be read, is no candidate, and was not withdrawn."""
    return next(
        (
            model
            for model in _models(store, pushes, models)
            if model.id not in candidates and model.get_int_custom_property(WITHDRAWN) != 1 and is_readable(model)
        ),
        None,
    )


def _models(store: MetadataStore, pushes: Iterable[Artifact], models: Mapping[int, Artifact]) -> Iterator[Artifact]:
    """The models that were pushed, each once."""
    seen: set[int] = set()
    for artifact in pushes:
        for maker in first_makers(store, [artifact.id]).values():
            number = model_of(store, maker)
            if number is not None and number in models and number not in seen:
                seen.add(number)
                yield models[number]
