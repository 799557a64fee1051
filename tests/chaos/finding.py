"""What a part of the chaos found."""

from collections import Counter
from dataclasses import dataclass, field

VIOLATIONS = {
    "half": "half a version was visible",
    "request": "a request failed",
    "other": "a recovered run's model was another",
    "dead": "a dead end: the next push, rollback or run did not go well",
    "unclear": "an end without a message",
}
"""Kind → what happened that never may."""


@dataclass
class Finding:
    """The result of one part.

    Attributes:
        what: was done, for the table.
        rounds: how often.
        violations: kind → how often.
        details: a line for each violation.
        ends: how the disturbed work ended.
        more: further counts for the table, such as requests.
    """

    what: str
    rounds: int = 0
    violations: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    more: Counter[str] = field(default_factory=Counter)

    def violated(self, kind: str, detail: str) -> None:
        """Counts a violation."""
        self.violations[kind] += 1
        self.details.append(f"{self.what}: {VIOLATIONS[kind]}: {detail}")

    def row(self) -> str:
        """The finding as a row of the table."""
        ends = ", ".join(f"{name} {count}" for name, count in [*self.ends.most_common(), *self.more.items()])
        counts = " | ".join(str(self.violations[kind]) for kind in VIOLATIONS)
        return f"| {self.what} | {self.rounds} | {ends} | {counts} |"
