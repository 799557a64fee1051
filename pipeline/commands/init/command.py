"""The command line of `janus init`."""

from pipeline.commands.common import Verbose, command
from pipeline.commands.init.options import InitOptions


@command
def init(options: InitOptions, verbose: Verbose = False) -> int:
    """Guess a configuration and a schema from a table: configs/N.yaml and schema/N.pbtxt, ready for `janus run`.

    Example:

        janus init data/orders.csv --targets bought,spent
    """
    from pipeline.commands.init.job import run_init_job

    return run_init_job(options)
