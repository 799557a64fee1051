"""The command line of `janus skew`."""

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load
from pipeline.commands.skew.options import SkewOptions


@command
def skew(config: ConfigFile, options: SkewOptions, overrides: Overrides = None, verbose: Verbose = False) -> int:
    """Compare served requests with the training data, and served predictions with those of the eval split.

    Exit code 3 past a threshold: those of the schema's skew_comparators, and of the options.

    Example:

        janus skew configs/orders.yaml --logged 'requests/*.tfrecord'
    """
    from pipeline.commands.skew.job import run_skew_job

    return run_skew_job(load(config, overrides), options, verbose)
