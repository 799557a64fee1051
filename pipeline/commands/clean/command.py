"""The command line of `janus clean`."""

from typing import Annotated

import typer

from pipeline.commands.common import ConfigFile, Overrides, Verbose, command, load


@command
def clean(
    config: ConfigFile,
    keep: Annotated[int, typer.Option("--keep", metavar="N", min=1, help="The newest runs that stay whole.")] = 5,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it; without, nothing is changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> int:
    """Show what of a pipeline's home no longer is needed, or remove it.

    What the newest runs read and made stays, so that the next run finds it in the cache. So do the models of the
    versions in the folder of pushed models, of evaluation.reference, and the last blessed one; the examples of the
    spans that data.window joins; and the reports of runs that pushed a version.

    Example:

        janus clean configs/orders.yaml --keep 5 --remove
    """
    from pipeline.commands.clean.job import clean_home, clean_view
    from pipeline.commands.output import print_result

    return print_result(clean_home(load(config, overrides), keep, remove), as_json, clean_view)
