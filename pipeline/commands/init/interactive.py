"""Questions about what was guessed, for `--interactive`."""

from collections.abc import Callable
from dataclasses import replace

from janus_core.tables.config import TimeSplit
from pipeline.commands.init.columns import Guess, shown
from pipeline.commands.init.plan import ColumnPlan, Plan, leaks_of

Confirm = Callable[[str, bool], bool]
"""(question, default) → the answer."""


def ask(plan: Plan, confirm: Confirm) -> Plan:
    """The plan after a person's answers: a leaking feature may be kept, a weakly founded one left out.

    The last feature stays, whatever is answered.
    """
    columns = list(plan.columns)
    for place, column in enumerate(columns):
        if column.leaking:
            if confirm(f"{shown(column.column.name)} alone tells {leaks_of(column)}: keep it as a feature?", False):
                columns[place] = replace(column, guess=column.leaking, leaking=None)
            continue
        if sum(other.used for other in columns) > 1 and (question := _question(column)) and not confirm(question, True):
            columns[place] = replace(column, guess=Guess("dropped", "left out by the answer to a question"))
    return replace(plan, columns=columns)


def agreed(plan: Plan, confirm: Confirm) -> bool:
    """Whether tasks and split are as wanted."""
    for target in plan.targets:
        if not confirm(f"predict {shown(target.column)} as {target.kind} ({target.reason})?", True):
            return False
    by = "time" if isinstance(plan.division.split, TimeSplit) else "a hash"
    return confirm(f"split by {by} ({plan.division.reason})?", True)


def _question(column: ColumnPlan) -> str | None:
    if column.guess.kind == "hashed":
        return f"{shown(column.column.name)}: {column.guess.reason}: keep it as a feature?"
    return None
