"""The command line of `janus tune`."""

from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
def tune(
    config: ConfigFile,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="Instead of tune.trials, the greatest number of trials.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", metavar="M", help="Instead of tune.minutes, the limit of the search.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Instead of tune.workers, parallel processes.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the best values into CONFIG, whose comments stay.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Discard the state of unfinished tunings of this pipeline.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to stderr.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Try other values of the keys in CONFIG's `tune` section, and print the best ones as a change of CONFIG.

    The first trial is the configuration as it stands. Trials are compared by the loss on validation rows, which are a
    part of the train split; the eval split is not read. A tuning that was ended continues with the same command.

    Example:

        janus tune configs/flights.yaml --trials 20 --minutes 30 \\
            --set 'tune.space={training.learning_rate: {min: 0.0003, max: 0.01, scale: log}}'
    """
    from pipeline.commands.tune.job import run_tune_job

    given = {"trials": trials, "minutes": minutes, "workers": workers}
    options = [f"tune.{key}={value}" for key, value in given.items() if value is not None]
    loaded = load(config, [*(overrides or []), *options])
    return run_tune_job(loaded, config, overrides or [], write, restart, as_json, verbose)
