"""A folder of versions as it was at one moment: what is served, what was withdrawn, what a rollback would go to; and
the record of rollbacks beside the versions, which says what was withdrawn and what is a copy."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.pusher.identity import identity_of
from components.pusher.layout import Location, join
from components.pusher.storage import content_digest, storage_of
from components.pusher.versions import digest_of, versions
from janus_core.errors import JanusError

JOURNAL = ".rollbacks.jsonl"

WITHDRAWN = "withdrawn"
"""The property of a Model and a PushedModel in ML Metadata that is 1 while the model must not be pushed again."""


class Rollback(BaseModel):
    """One rollback: a copy of an older version was published under a new number.

    `published` is false from just before that copy appears until just after.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    time: str = Field(description="When, in UTC, as ISO 8601 has it.")
    from_version: int = Field(alias="from", description="What was served before.")
    to_version: int = Field(alias="to", description="What was copied.")
    new_version: int = Field(description="The copy.")
    from_digest: str = Field(description="The content digest of what was served before.")
    to_digest: str = Field(description="The content digest of what was copied; if it was withdrawn, it is no longer.")
    from_identity: str | None = Field(None, description="What was served, by `identity_of`; absent in old records.")
    to_identity: str | None = Field(None, description="What was copied, by `identity_of`; absent in old records.")
    withdrawn: bool = Field(description="Whether the model that was served before must not be pushed again.")
    user: str
    reason: str | None = None
    published: bool = False


def history(base: Location) -> list[Rollback]:
    """The rollbacks that took place, oldest first, without those that were killed before their copy appeared.

    Raises:
        JanusError: the record cannot be read.
    """
    present = set(versions(base))
    return [record for record in _read(base) if record.published or record.new_version in present]


def begin(base: Location, record: Rollback) -> None:
    """Records a rollback just before its copy appears; the caller holds the folder's lock."""
    _write(base, [*history(base), record])


def settle(base: Location) -> None:
    """Marks rollbacks whose copy appeared as published, and drops those that were killed before; the caller holds the
    folder's lock."""
    present = set(versions(base))
    settled = [
        record.model_copy(update={"published": True, **_missing_identities(base, record, present)})
        for record in history(base)
    ]
    if settled != _read(base):
        _write(base, settled)


def _missing_identities(base: Location, record: Rollback, present: Container[int]) -> dict[str, str]:
    """Of versions that are still there, for a record that an older Janus wrote."""
    sides = {"from_identity": record.from_version, "to_identity": record.to_version}
    return {
        key: identity_of(join(base, version))
        for key, version in sides.items()
        if getattr(record, key) is None and version in present
    }


def withdrawals(records: Iterable[Rollback]) -> dict[str, Rollback]:
    """Content digest and identity of each model that must not be pushed again → the rollback that withdrew it."""
    withdrawn: dict[str, Rollback] = {}
    for record in records:
        if record.withdrawn:
            withdrawn |= dict.fromkeys(filter(None, (record.from_digest, record.from_identity)), record)
        for brought_back in filter(None, (record.to_digest, record.to_identity)):
            withdrawn.pop(brought_back, None)
    return withdrawn


def withdrawal_of(records: Iterable[Rollback], model: Location) -> Rollback | None:
    """The rollback that withdrew a model, or one that differs from it in bytes only."""
    withdrawn = withdrawals(records)
    return (withdrawn.get(content_digest(model)) or withdrawn.get(identity_of(model))) if withdrawn else None


def origin(records: Iterable[Rollback], version: int) -> int:
    """The version that a run pushed and of which this one is a copy, if it is one; else itself."""
    sources = {record.new_version: record.to_version for record in records}
    while version in sources:
        version = sources[version]
    return version


def _read(base: Location) -> list[Rollback]:
    text = storage_of(base).read_text(base, JOURNAL) or ""
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            records.append(Rollback.model_validate_json(line))
        except ValidationError as error:
            raise JanusError(
                f"{join(base, JOURNAL)}, line {number}, is no record of a rollback: repair or remove the line"
            ) from error
    return records


def _write(base: Location, records: Sequence[Rollback]) -> None:
    lines = [record.model_dump_json(by_alias=True) + "\n" for record in records]
    storage_of(base).write_text(base, JOURNAL, "".join(lines))


@dataclass(frozen=True)
class State:
    """The complete versions, oldest first, and the rollbacks so far; digests are computed when they are needed."""

    base: Location
    versions: Sequence[int]
    rollbacks: Sequence[Rollback]
    _digests: dict[int, str] = field(default_factory=dict, repr=False)
    _identities: dict[int, str] = field(default_factory=dict, repr=False)

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
        older = reversed(self.versions[:-1])
        return next((v for v in older if self.withdrawal(v) is None and not self.same_model(v, self.served)), None)

    def digest(self, version: int) -> str:
        """The content digest of one of the versions."""
        if version not in self._digests:
            self._digests[version] = digest_of(self.base, version)
        return self._digests[version]

    def identity(self, version: int) -> str:
        """What `identity_of` gives for one of the versions."""
        if version not in self._identities:
            self._identities[version] = identity_of(join(self.base, version))
        return self._identities[version]

    def same_model(self, one: int, other: int) -> bool:
        """Whether two versions hold the same model, as the same bytes or made again."""
        return self.digest(one) == self.digest(other) or self.identity(one) == self.identity(other)

    def withdrawal(self, version: int) -> Rollback | None:
        """The rollback that withdrew a version's model, if one did and none brought it back."""
        withdrawn = withdrawals(self.rollbacks)
        if not withdrawn:
            return None
        return withdrawn.get(self.digest(version)) or withdrawn.get(self.identity(version))


def read_state(base: Location) -> State:
    """Reads the state of a folder.

    Raises:
        JanusError: the record of rollbacks cannot be read.
    """
    return State(base, versions(base), history(base))
