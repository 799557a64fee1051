"""Checks of spans before a run, within a second: whether there is anything new, and whether the span may be run."""

from typing import TYPE_CHECKING

from janus_core.errors import ConfigError, JanusError
from janus_core.tables.spans import has_spans
from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.preflight import check_metadata
from pipeline.run.spans.inputs import Inputs, inputs_of

if TYPE_CHECKING:
    from pipeline.run.spans.finished import FinishedRun


def check_span(config: JanusConfig, home: Home, span: int | None) -> Inputs | None:
    """What the run is made from; None for data without spans.

    Args:
        config: the pipeline's.
        home: its home.
        span: the span's number; None: the newest.

    Raises:
        DataError: there is no such span, or none to train on.
        ConfigError: the data have no spans, or the weights that training would start from know the span.
    """
    if span is not None and not has_spans(config.data.path):
        raise ConfigError(f"--span: data.path is '{config.data.path}', which has no {{SPAN}}")
    inputs = inputs_of(config, span)
    if inputs is None or not (config.training.warm_start and config.data.by_span and home.metadata.exists()):
        return inputs
    from pipeline.lineage.store import open_store
    from pipeline.run.spans.finished import newest_ingested

    newest = newest_ingested(open_store(home.metadata))
    if newest is not None and newest > inputs.span.number:
        raise ConfigError(
            f"span {inputs.span} cannot evaluate a model that starts from the last one's weights: a later run trained "
            "on it; start from scratch with --set training.warm_start=false"
        )
    return inputs


def nothing_new(config: JanusConfig, home: Home, span: int | None) -> "tuple[Inputs, FinishedRun] | None":
    """The last run, if the next one would only repeat it; None where that is not certain."""
    if not has_spans(config.data.path) or not home.metadata.exists():
        return None
    try:
        check_metadata(home.metadata)
        inputs = inputs_of(config, span)
        from pipeline.lineage.store import open_store
        from pipeline.run.spans.finished import finished_with

        finished = finished_with(open_store(home.metadata), inputs, config.push.path) if inputs else None
    except JanusError:
        # The run itself fails in the same way, and reports it.
        return None
    return (inputs, finished) if inputs and finished else None
