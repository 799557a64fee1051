"""One `janus tune`: runs the pipeline up to the Tuner, and shows and writes what it found."""

from collections.abc import Sequence
from pathlib import Path

from janus_core.errors import ConfigError
from janus_core.files import delete, write_text
from pipeline.commands.output import print_result
from pipeline.commands.tune.result import Tuning, result_view, tuning_of
from pipeline.config import JanusConfig
from pipeline.config.edit import with_values_in
from pipeline.environment import library_output_to
from pipeline.home import Home
from pipeline.run.display import Display, console_on
from pipeline.run.part import attend, run_part

RESULT_FILE, BEST_FILE, PLOT_FILE = "tune.json", "best.yaml", "tune.png"


def run_tune_job(
    config: JanusConfig,
    path: Path,
    overrides: Sequence[str],
    write: bool = False,
    restart: bool = False,
    as_json: bool = False,
    verbose: bool = False,
) -> int:
    """Tunes, shows and writes the result, and returns the exit code.

    The configuration is that of the file `path` with the overrides of `--set`. With `write`, it gets the best values;
    with `restart`, unfinished tunings are discarded.

    Raises:
        ConfigError: there is nothing to try, an earlier state cannot be read, or the file cannot be written.
        DataError: the data or the schema are rejected.
        JanusError: no trial ended in time, or a run of the pipeline is under way.
    """
    if config.tune is None:
        raise ConfigError(
            f"{path} has no `tune` section, which says what to try, such as\n"
            "  tune:\n    space:\n      training.learning_rate: {min: 0.0003, max: 0.01, scale: log}"
        )
    home = Home(config.name)
    home.create()
    if restart:
        with home.lock():
            delete(home.tune / "states")

    def work(display: Display) -> Tuning:
        executions = run_part("tune", config, home, display)
        results = executions["Tuner"].output("tuner_results")
        if results is None:
            raise RuntimeError("the Tuner has no result")
        return tuning_of(config, Path(results.uri), path, overrides)

    with library_output_to(home.tune / "tune.log", verbose) as terminal:
        console = console_on(terminal.err if as_json else terminal.out)
        tuning = attend(work, console, terminal, "the same command continues after the last epoch")
        if isinstance(tuning, int):
            return tuning
        write_text(home.tune / RESULT_FILE, tuning.model_dump_json(indent=2) + "\n")
        write_text(home.tune / BEST_FILE, tuning.best_yaml())
        from pipeline.commands.tune.plot import plot_tuning

        plot_tuning(tuning, home.tune / PLOT_FILE)
        print_result(tuning, as_json, result_view, terminal.out)
        if tuning.changes and not as_json:
            console.print(f"  {tuning.command}", soft_wrap=True)
        if write and tuning.changes:
            write_text(path, with_values_in(path, {key: change.after for key, change in tuning.changes.items()}))
            console.print(f"{path}: written", style="bold")
        console.print(f"result: {home.tune}/{RESULT_FILE}", style="dim", soft_wrap=True)
    return 0
