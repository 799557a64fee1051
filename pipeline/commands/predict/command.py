"""The command line of `janus predict`."""

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load
from pipeline.commands.predict.options import PredictOptions


@command
def predict(config: ConfigFile, options: PredictOptions, overrides: Overrides = None, verbose: Verbose = False) -> int:
    """Predict every task for the rows of files, by a server or by a model in a folder.

    Example:

        janus predict configs/orders.yaml --input data/orders.csv --output predicted.parquet
    """
    from pipeline.commands.predict.job import run_predict_job

    return run_predict_job(load(config, overrides), options, verbose)
