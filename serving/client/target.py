"""Which model on a server is meant."""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Target:
    """A model's name, and its version or label; neither: the version that the server thinks best, the newest.

    Raises:
        ValueError: both are given.
    """

    model: str
    version: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        if self.version is not None and self.label is not None:
            raise ValueError("give a version or a label, not both")

    @property
    def path(self) -> str:
        """In the URLs of the REST API."""
        part = f"/v1/models/{quote(self.model, safe='')}"
        if self.version is not None:
            return f"{part}/versions/{self.version}"
        return f"{part}/labels/{quote(self.label, safe='')}" if self.label is not None else part
