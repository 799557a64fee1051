"""A folder of versions as it was at one moment: what is served, what was withdrawn, what a rollback would go to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from components.pusher.journal import Rollback, history, withdrawals
from components.pusher.layout import Location
from components.pusher.versions import digest_of, versions


@dataclass(frozen=True)
class State:
    """The complete versions, oldest first, and the rollbacks so far; digests are computed when they are needed."""

    base: Location
    versions: Sequence[int]
    rollbacks: Sequence[Rollback]
    _digests: dict[int, str] = field(default_factory=dict, repr=False)

    @property
    def served(self) -> int | None:
        """The version that a server loads: the newest."""
        return self.versions[-1] if self.versions else None

    @property
    def last_pushed(self) -> int | None:
        """The newest version that a run pushed, rather than a rollback copied."""
        copies = {record.new_version for record in self.rollbacks}
        return next((version for version in reversed(self.versions) if version not in copies), None)

    @property
    def rollback_target(self) -> int | None:
        """The newest version whose model is not the served one and was not withdrawn."""
        if self.served is None:
            return None
        served = self.digest(self.served)
        older = reversed(self.versions[:-1])
        return next((v for v in older if self.digest(v) != served and self.withdrawal(v) is None), None)

    def digest(self, version: int) -> str:
        """The content digest of one of the versions."""
        if version not in self._digests:
            self._digests[version] = digest_of(self.base, version)
        return self._digests[version]

    def withdrawal(self, version: int) -> Rollback | None:
        """The rollback that withdrew a version's model, if one did and none brought it back."""
        withdrawn = withdrawals(self.rollbacks)
        return withdrawn.get(self.digest(version)) if withdrawn else None


def read_state(base: Location) -> State:
    """Reads the state of a folder.

    Raises:
        JanusError: the record of rollbacks cannot be read.
    """
    return State(base, versions(base), history(base))
