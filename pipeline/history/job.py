"""`janus runs`, `janus lineage` and `janus diff`: they read, and change nothing."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import JanusConfig
from pipeline.display import console_on
from pipeline.history.lineage_format import LineageFormat
from pipeline.home import Home
from trainer.errors import ConfigError


def run_runs_job(config: JanusConfig, limit: int | None = 20, as_json: bool = False) -> int:
    """Prints a pipeline's runs, newest first, and returns the exit code."""
    from pipeline.history.runs import list_runs
    from pipeline.history.view import runs_view

    found = list_runs(Home(config.name), limit)
    if as_json:
        print(found.model_dump_json(indent=2))
    else:
        console_on(sys.stdout).print(runs_view(found))
    return 0


def run_lineage_job(
    source: str,
    version: str | None = None,
    shown_as: LineageFormat = LineageFormat.TREE,
    overrides: Sequence[str] = (),
) -> int:
    """Prints what a version was made of, and returns the exit code.

    Args:
        source: a configuration's file, or the path of a pushed version.
        version: with a configuration, a number or a version's path; None: the served version.
        shown_as: the format.
        overrides: of the configuration.

    Raises:
        ConfigError: there is no such version, or ML Metadata does not know it.
        JanusError: the metadata database, or the record of rollbacks, cannot be read.
    """
    from pipeline.config_file import load_config
    from pipeline.history.formats import lineage_dot, lineage_mermaid, lineage_tree
    from pipeline.history.lineage import read_lineage
    from pipeline.history.target import is_version_path, target_of_config, target_of_path

    if is_version_path(source):
        if version is not None or overrides:
            raise ConfigError(f"{source} is a version itself: neither another version nor --set goes with it")
        target = target_of_path(source)
    else:
        target = target_of_config(load_config(Path(source), overrides), version)
    lineage = read_lineage(target)
    if shown_as is LineageFormat.TREE:
        console_on(sys.stdout).print(lineage_tree(lineage))
    elif shown_as is LineageFormat.JSON:
        print(lineage.model_dump_json(indent=2))
    else:
        print({LineageFormat.DOT: lineage_dot, LineageFormat.MERMAID: lineage_mermaid}[shown_as](lineage), end="")
    return 0


def run_diff_job(config: JanusConfig, a: str | None = None, b: str | None = None, as_json: bool = False) -> int:
    """Prints how run B differs from run A, and returns the exit code.

    Raises:
        ConfigError: there is no such run, or it left no report.
        JanusError: the metadata database or a kept configuration cannot be read.
    """
    from pipeline.history.diff import compare_runs, find_runs
    from pipeline.history.view import difference_view

    found = compare_runs(*find_runs(Home(config.name), a, b))
    if as_json:
        print(found.model_dump_json(indent=2))
    else:
        console_on(sys.stdout).print(difference_view(found))
    return 0
