"""Checks that take a second, before TFX is loaded: data, schema, folders, metadata database."""

import sqlite3
from pathlib import Path

from janus_core.errors import ConfigError, JanusError
from janus_core.memory import available_memory
from janus_core.tables.cells import columns_of_cells
from janus_core.tables.inspect import check_columns, inspect_source
from pipeline.config import JanusConfig
from pipeline.home import METADATA_FILE, Home, has_database, require_writable
from pipeline.schema import check_schema, read_schema
from trainer.config.size import network_size

LOCK_TIMEOUT_SECONDS = 3.0


def check_before_run(config: JanusConfig, home: Home, span: int | None = None) -> None:
    """Checks what can be checked before a run, of the newest span or of `span`.

    Raises:
        ConfigError: models cannot be pushed to `push.path`, the network needs more memory than there is, or Beam's
            arguments are wrong.
        DataError: the data are missing or lack a column, or the schema does not fit.
        JanusError: the metadata database is locked or damaged, or Beam's job server does not answer.
    """
    check_metadata(home.metadata)
    check_memory(config)
    if "://" not in config.push.path:
        check_push_folder(Path(config.push.path), home)
    check_data(config, span)
    check_schema_file(config)
    check_beam(config, home)


def check_memory(config: JanusConfig) -> None:
    """Checks that the network can be trained in the memory that is free: TensorFlow's process would be killed.

    Raises:
        ConfigError: it cannot.
    """
    size, available = network_size(config.trainer_config()), available_memory()
    if size.training_bytes > available:
        raise ConfigError(
            f"{size.largest}: to train the network takes at least {size.training_bytes / 1e9:,.1f} GB of memory "
            f"({size.total:,} parameters), and {available / 1e9:,.1f} GB are free: lower the sizes in `model` or "
            "`features`, or run it on a larger machine"
        )


def check_push_folder(folder: Path, home: Home) -> None:
    """Checks that models can be pushed into a folder.

    Raises:
        ConfigError: it cannot be written, is a pipeline's home or in one, or has no number left for a new version.
    """
    from components.pusher.versions import new_version

    inside = folder.resolve()
    for place in (inside, *inside.parents):
        # A home has a lock of the same name as a folder of versions, and is cleaned up in other ways.
        if place == home.folder.resolve() or (place / METADATA_FILE).exists():
            raise ConfigError(f"push.path: {folder} is in the home of a pipeline, {place}: choose a folder of its own")
    require_writable(folder, "the folder for pushed models (push.path)")
    new_version(folder)


def check_beam(config: JanusConfig, home: Home) -> None:
    """Checks the arguments of the components' Beam pipelines.

    Raises:
        ConfigError: an argument is unknown, wrong or missing, or Beam's workers cannot see the pipeline's files.
        JanusError: the job server does not answer.
    """
    arguments = config.beam.arguments()
    if arguments:
        # Not above: Beam itself takes seconds to load.
        from pipeline.beam import check_arguments, check_places

        check_places(arguments, {"data.path": config.data.path, "the pipeline root": str(home.root)})
        check_arguments(arguments)


def check_data(config: JanusConfig, span: int | None = None) -> None:
    """Checks the data's files and columns, of the newest span or of `span`.

    Raises:
        DataError: they are missing, empty, or lack a column that the configuration names.
    """
    source = inspect_source(config.data, span)
    check_columns(source, config.data, {**columns_of_cells(config.data), **config.named_columns()})


def check_schema_file(config: JanusConfig) -> None:
    """Checks the curated schema, if the configuration names one.

    Raises:
        DataError: it is missing, no schema, or does not fit the configuration.
    """
    if config.schema_ is not None:
        path = Path(config.schema_)
        check_schema(read_schema(path), path, config)


def check_metadata(database: Path) -> None:
    """Checks ML Metadata's database: the library would wait for a lock forever, and call damage an internal error.

    Raises:
        JanusError: another process holds the database, or it is damaged.
    """
    if not has_database(database):
        return
    try:
        connection = sqlite3.connect(database, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = connection.execute("PRAGMA quick_check(1)").fetchone()
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise JanusError(
                f"the metadata database {database} is locked by another process: end it (`fuser {database}` names it), "
                "then run again"
            ) from error
        raise JanusError(f"the metadata database {database} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise JanusError(_damaged(database, str(error))) from error
    if result != ("ok",):
        raise JanusError(_damaged(database, str(result[0])))


def _damaged(database: Path, reason: str) -> str:
    return (
        f"the metadata database {database} is damaged ({reason}): restore a copy, or move it away "
        "(the next run starts without cache and baseline)"
    )
