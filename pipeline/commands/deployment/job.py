"""`janus deployment`: TensorFlow Serving's deployment, generated from the configuration."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from components.pusher.layout import is_url, join
from components.pusher.storage import storage_of
from components.pusher.versions import versions
from janus_core.errors import ConfigError
from pipeline.config import JanusConfig
from serving.deployment.config import DeploymentConfig
from serving.deployment.render import differing, edited, render, write
from serving.deployment.server import release_warning, server_of, serving_release
from serving.signatures import SAVED_MODEL, meta_graph_of

OUTPUT = Path("deploy/serving")


def run_deployment_job(
    config: JanusConfig, deployment: DeploymentConfig, output: Path = OUTPUT, check: bool = False, force: bool = False
) -> int:
    """Writes the deployment's files, or with `check` compares them, and returns the exit code: 2 if they differ.

    Raises:
        ConfigError: it cannot be deployed like this, the folder cannot be written, or files in it were edited by hand.
    """
    tensorflow = "" if deployment.tag else trained_with(config.push.path, deployment)
    files = deployment_files(config, deployment, output, tensorflow)
    changes = differing(output, files)
    if check:
        for name in changes:
            print(f"{output / name} is not what the configuration gives", file=sys.stderr)
        if changes:
            print("run `janus deployment CONFIG` to write them again", file=sys.stderr)
        return ConfigError.exit_code if changes else 0
    by_hand = edited(output, files)
    if by_hand and not force:
        raise ConfigError(
            f"in {output}, {', '.join(by_hand)} was edited by hand or made by something else, and nothing was changed: "
            "take the edits into the configuration, give another --output, or overwrite with --force"
        )
    if changes:
        try:
            write(output, files)
        except OSError as error:
            raise ConfigError(f"{output} cannot be written: {error}") from error
    written = [str(output / name) for name, text in files.items() if text is not None]
    print("\n".join(written if changes else [f"{output} is up to date"]))
    doubt = release_warning(deployment.tag or serving_release(tensorflow), tensorflow)
    for problem in [doubt, _unreadable(config.push.path, deployment.user_id), *_absent_versions(config, deployment)]:
        if problem:
            print(f"warning: {problem}", file=sys.stderr)
    return 0


def deployment_files(
    config: JanusConfig, deployment: DeploymentConfig, output: Path, tensorflow: str
) -> dict[str, str | None]:
    """File name → content, None for a file that must not be there.

    Raises:
        ConfigError: it cannot be deployed like this.
    """
    path = config.push.path
    try:
        return render(server_of(config.name, path, deployment, tensorflow), _seen_from(output, path))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def trained_with(base: str, deployment: DeploymentConfig) -> str:
    """The release of TensorFlow that trained the pushed version: the newest with a label, else the newest of all.

    If there is no version yet, it is the installed release.

    Raises:
        ConfigError: the version cannot be read.
    """
    present = _pushed(base)
    labelled = [version for version in deployment.labels.versions().values() if version in present]
    if not present:
        return installed_version("tensorflow")
    path = join(base, max(labelled or present), SAVED_MODEL)
    try:
        with storage_of(base).open_file(path) as file:
            meta_graph = meta_graph_of(file.read())
        return str(meta_graph.meta_info_def.tensorflow_version) or installed_version("tensorflow")
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; give serving.deployment.tag") from error


def _seen_from(output: Path, path: str) -> str:
    """The path as Compose needs it: relative paths are relative to the Compose file, not to the working folder."""
    if is_url(path) or Path(path).is_absolute():
        return path
    relative = os.path.relpath(path, output)
    return relative if relative.startswith("..") else f"./{relative}"


def _pushed(base: str) -> list[int]:
    if not is_url(base):
        return versions(base)
    import tensorflow as tf

    try:
        return versions(base)
    except (tf.errors.OpError, OSError) as error:
        raise ConfigError(
            f"{base} cannot be read, to see what trained the model: {error}; give serving.deployment.tag"
        ) from error


def _unreadable(base: str, user: int) -> str | None:
    """A warning if the server's user cannot read the newest version, as far as it is on this machine."""
    if is_url(base) or not (present := versions(base)):
        return None
    newest = Path(base) / str(present[-1])
    for path in (Path(base), newest, newest / SAVED_MODEL):
        stat, needed = path.stat(), 0o5 if path.is_dir() else 0o4
        shift = 6 if stat.st_uid == user else 3 if stat.st_gid == user else 0
        if (stat.st_mode >> shift) & needed != needed:
            return f"user {user} (serving.deployment.user_id) cannot read {path}: chmod -R a+rX {base}"
    return None


def _absent_versions(config: JanusConfig, deployment: DeploymentConfig) -> list[str]:
    """Warnings for labels of versions that are not in the folder, if it is on this machine."""
    labels = deployment.labels.versions()
    if is_url(config.push.path) or not labels:
        return []
    present = versions(config.push.path)
    return [
        f"serving.deployment.labels.{label}: there is no version {version} in {config.push.path}; a server would wait "
        "for it"
        for label, version in labels.items()
        if version not in present
    ]
