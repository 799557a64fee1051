"""The command line of `janus serve`."""

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load
from pipeline.commands.serve.options import ServeOptions


@command
def serve(config: ConfigFile, options: ServeOptions, overrides: Overrides = None, verbose: Verbose = False) -> int:
    """Serve the pushed model over REST and gRPC: by TensorFlow Serving, or by a development server.

    Example:

        janus serve configs/orders.yaml --local
    """
    from pipeline.commands.serve.job import run_serve_job

    return run_serve_job(load(config, overrides), options, verbose)
