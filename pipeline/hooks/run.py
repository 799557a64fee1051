"""Runs the hooks of a configuration."""

import logging
import os
from collections.abc import Mapping, Sequence

from janus_core.errors import FIRST_SIGNAL, GateError, JanusError, ServingError, readable
from pipeline.config.hooks import Hook, Outcome
from pipeline.hooks.webhook import send
from pipeline.report.report_json import RunReport


def run_hooks(
    hooks: Sequence[Hook], report: RunReport, place: str, environment: Mapping[str, str] = os.environ
) -> list[str]:
    """Runs the hooks that are for such an end of a run, and returns a warning for each that failed.

    There are none for a run that was interrupted: its process ends soon, whatever a hook waits for.

    Args:
        hooks: the configuration's.
        report: of the run, which is written.
        place: the report's path.
        environment: has the secrets that the hooks name.
    """
    warnings: list[str] = []
    if report.exit_code >= FIRST_SIGNAL:
        return warnings
    for number, hook in enumerate(hooks):
        if outcome_of(report) not in hook.on:
            continue
        try:
            send(hook, report, outcome_of(report), place, environment)
        except JanusError as error:
            reason = str(error)
        except Exception as error:
            logging.getLogger(__name__).exception("hooks.%d failed", number)
            reason = readable(error)
        else:
            continue
        warnings.append(f"hooks.{number} ({hook.kind}): {reason}; the run is not affected")
    return warnings


def outcome_of(report: RunReport) -> Outcome:
    """How a run ended, in a word."""
    if report.exit_code in (GateError.exit_code, ServingError.exit_code):
        return "blocked"
    if report.exit_code:
        return "failed"
    pusher = report.components.get("Pusher")
    return "pushed" if report.pushed and pusher and not pusher.cached else "unchanged"
