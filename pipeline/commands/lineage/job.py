"""The work of `janus lineage`, which changes nothing."""

import sys
from collections.abc import Sequence
from pathlib import Path

from janus_core.errors import ConfigError
from pipeline.commands.lineage.lineage_format import LineageFormat
from pipeline.run.display import console_on


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
    from pipeline.commands.lineage.formats import lineage_dot, lineage_mermaid, lineage_tree
    from pipeline.commands.lineage.target import is_version_path, target_of_config, target_of_path
    from pipeline.commands.lineage.version_lineage import read_lineage
    from pipeline.config.file import load_config

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
