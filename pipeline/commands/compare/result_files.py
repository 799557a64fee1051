"""Writes the result of a comparison: compare.json and its plots."""

from pathlib import Path

from janus_core.errors import ConfigError
from janus_core.files import link_to, replacing
from pipeline.commands.compare.comparison import Comparison
from pipeline.home import unused

RESULT_FILE, TASKS_PLOT, RANKING_PLOT = "compare.json", "compare.png", "ranking.png"


def write_comparison(comparison: Comparison, home: Path, output: Path | None) -> Path:
    """Writes the result, JSON and plots, whole or not at all, and returns its folder.

    It is a new one in `home`, to which `latest` links; or `output`, which replaces that of an earlier comparison.

    Raises:
        ConfigError: it cannot be written.
    """
    folder = output or home / unused(comparison.created, lambda name: (home / name).exists())
    try:
        with replacing(folder) as staging:
            staging.mkdir()
            (staging / RESULT_FILE).write_text(comparison.model_dump_json(indent=2) + "\n", encoding="utf-8")
            from pipeline.commands.compare.plot import plot_ranking, plot_tasks

            plot_tasks(comparison, staging / TASKS_PLOT)
            if len(comparison.candidates) > 1:
                plot_ranking(comparison, staging / RANKING_PLOT)
    except OSError as error:
        raise ConfigError(f"the result's folder {folder} cannot be written: {error.strerror}") from error
    if output is None:
        link_to(home / "latest", folder.name)
    return folder
