"""The command line of `janus compare`."""

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load
from pipeline.commands.compare.options import CompareOptions


@command
def compare(config: ConfigFile, options: CompareOptions, overrides: Overrides = None, verbose: Verbose = False) -> int:
    """Train the multi-task model and single-task ones over several seeds, and report whether sharing helps.

    Example:

        janus compare configs/orders.yaml --seeds 5 --trunks all
    """
    from pipeline.commands.compare.job import run_compare_job

    return run_compare_job(load(config, overrides), options, verbose)
