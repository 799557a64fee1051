"""Questions about what was guessed, for `--interactive`."""

from collections.abc import Callable
from dataclasses import replace

from components.arrow_example_gen.config import TimeSplit
from pipeline.init.columns import Guess, shown
from pipeline.init.plan import ColumnPlan, Plan, words

Confirm = Callable[[str, bool], bool]
"""(question, default) → the answer."""


def ask(plan: Plan, confirm: Confirm) -> Plan:
    """The plan after a person's answers: each leaking or weakly founded feature may be left out.

    The last feature stays, whatever is answered.
    """
    columns = list(plan.columns)
    for place, column in enumerate(columns):
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
    leaks = [f"target {shown(target)} with {words(score)}" for target, score in column.scores.items() if score.leaks]
    if leaks:
        return f"{shown(column.column.name)} alone tells {', '.join(leaks)}: keep it as a feature?"
    if column.guess.kind == "hashed":
        return f"{shown(column.column.name)}: {column.guess.reason}: keep it as a feature?"
    return None
