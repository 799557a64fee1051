"""Whether a model is still the one that passed the serving check, by its files as the check's blessing records them."""

from tfx.types import Artifact

from components.artifacts import Artifacts
from components.pusher.layout import Location, require_expected
from components.pusher.storage import source_of, storage_of
from janus_core.manifest import Manifest, from_json, to_json

CHECKED_FILES = "__checked_files__"
"""The property of an InfraBlessing: path, size and SHA-256 of each file of the model that may be pushed."""


def record_checked(blessing: Artifact, checked: Manifest, model: Location) -> None:
    """Records in a blessing which files may be pushed.

    Args:
        blessing: receives the property.
        checked: the files of the model that was checked, as they were before.
        model: what is to be pushed: that model, or a copy of it with further files.
    """
    blessing.set_string_custom_property(CHECKED_FILES, to_json({**source_of(model).manifest(), **checked}))


def checked_files(input_dict: Artifacts) -> Manifest | None:
    """The files that passed the serving check; None without a blessing that records them."""
    for blessing in input_dict.get("infra_blessing") or []:
        if blessing.has_custom_property(CHECKED_FILES):
            return from_json(blessing.get_string_custom_property(CHECKED_FILES))
    return None


def require_checked(input_dict: Artifacts, model: Location) -> None:
    """Checks a model before anything is decided by its content.

    Raises:
        ServingError: it is no longer what passed the serving check.
    """
    expected = checked_files(input_dict)
    if expected is not None:
        require_expected(model, source_of(model).manifest() if storage_of(model).exists(model) else {}, expected)
