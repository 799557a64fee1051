"""Which model of a server is called."""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class RemoteModel:
    """A model's name, and its version or label; with neither, the server answers by its newest version.

    Raises:
        ValueError: both are given.
    """

    name: str
    version: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        if self.version is not None and self.label is not None:
            raise ValueError("give a version or a label, not both")

    @property
    def path(self) -> str:
        """The model's path in URLs of the REST API."""
        part = f"/v1/models/{quote(self.name, safe='')}"
        if self.version is not None:
            return f"{part}/versions/{self.version}"
        return f"{part}/labels/{quote(self.label, safe='')}" if self.label is not None else part
