"""`janus versions` and `janus rollback`."""

from pathlib import Path

from ml_metadata.errors import StatusError

from components.pusher.rollback import roll_back
from components.pusher.state import Rollback
from janus_core.errors import JanusError, ServingError
from pipeline.config import JanusConfig
from pipeline.environment import Terminal, library_output_to
from pipeline.home import Home
from pipeline.lineage.pushes import record_rollbacks_in
from pipeline.run.display import console_on
from serving.errors import RequestError


def run_rollback_job(
    config: JanusConfig, to: int | None = None, reason: str | None = None, force: bool = False, verbose: bool = False
) -> int:
    """Publishes a copy of an older version as the newest one, and returns the exit code.

    The rollback is done once its copy has appeared. If ML Metadata cannot be written then, a warning says so, and the
    next run or rollback records it. Servers that serve labelled versions do not follow the newest one, which a warning
    says as well.

    Raises:
        ConfigError: there is no such version, or it must not be served again.
        ServingError: its model does not load.
        JanusError: there is no version to go back to, or a push is under way.
    """
    home = Home(config.name)
    home.create()
    with library_output_to(home.folder / "rollback.log", verbose) as terminal:
        done = roll_back(config.push.path, require_loads, to, reason, force)
        _print_done(config, done, terminal)
        if labels := config.serving.deployment.labels.versions():
            pinned = ", ".join(f"{label} = {version}" for label, version in labels.items())
            print(
                f"warning: servers that serve labelled versions ({pinned}) do not follow the newest one: set the "
                f"labels to {done.new_version} and deploy them",
                file=terminal.err,
            )
        try:
            record_rollbacks_in(config, home)
        except (JanusError, StatusError) as error:
            print(
                f"warning: the rollback is done, but is not in ML Metadata yet: {error}; the next run records it",
                file=terminal.err,
            )
    return 0


def require_loads(version: str) -> None:
    """Loads a version as a server would.

    Raises:
        ServingError: it does not load.
    """
    from serving.saved_model import LoadedModel

    try:
        LoadedModel(version).close()
    except RequestError as error:
        number = Path(version).name
        raise ServingError(
            f"version {number} ({version}) does not load, so nothing was changed: {error}; choose another with --to"
        ) from error


def _print_done(config: JanusConfig, done: Rollback, terminal: Terminal) -> None:
    console = console_on(terminal.out)
    console.print(
        f"rolled back from {done.from_version} to {done.to_version}, published as {config.push.path}/{done.new_version}"
    )
    if done.withdrawn:
        console.print(
            f"the model of {done.from_version} is withdrawn: runs will not push it again; "
            f"`janus rollback CONFIG --to {done.from_version} --force` brings it back"
        )
    else:
        console.print(f"the model of {done.to_version} is no longer withdrawn")
