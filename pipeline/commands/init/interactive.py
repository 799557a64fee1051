"""Questions about what was guessed, for `--interactive`."""

from collections.abc import Callable
from dataclasses import replace

from janus_core.tables.config import TimeSplit
from pipeline.commands.init.features import dropped
from pipeline.commands.init.proposal import Proposal
from pipeline.commands.init.wording import shown

Confirm = Callable[[str, bool], bool]
"""(question, default) → the answer."""


def ask_about_columns(proposal: Proposal, confirm: Confirm) -> Proposal:
    """The proposal after a person's answers: a leaking column may be kept, one of many values left out.

    The last feature stays, whatever is answered.
    """
    columns = list(proposal.columns)
    for place, column in enumerate(columns):
        name = shown(column.column.name)
        if column.leaking:
            if confirm(f"{name} alone predicts {column.leaks}: keep it as a feature?", False):
                columns[place] = replace(column, guess=column.leaking, leaking=None)
            continue
        doubtful = column.guess.kind == "hashed" and sum(other.used for other in columns) > 1
        if doubtful and not confirm(f"{name}: {column.guess.reason}: keep it as a feature?", True):
            columns[place] = replace(column, guess=dropped("left out by the answer to a question"))
    return replace(proposal, columns=columns)


def tasks_and_split_confirmed(proposal: Proposal, confirm: Confirm) -> bool:
    """Whether a person agrees to each task and to the split."""
    for task in proposal.tasks:
        if not confirm(f"predict {shown(task.label)} as {task.kind} ({task.reason})?", True):
            return False
    by = "time" if isinstance(proposal.split.split, TimeSplit) else "a hash"
    return confirm(f"split by {by} ({proposal.split.reason})?", True)
