"""Analyses data and model for the report beside the serving check, which mostly waits for a process of its own."""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from janus_core.progress import ComponentEvent, event_of
from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.report.analysis.analysis_json import ANALYSIS_FILE, Analysis

if TYPE_CHECKING:
    from pipeline.lineage.store import NodeExecution


class _Stopped(BaseException):
    """The run has ended without need of an analysis. No Exception, which would be a gap in the report."""


class EarlyAnalysis(logging.Handler):
    """Starts the analysis when the components that it reads have ended, in a thread.

    It does not start where the configuration limits the latency that the serving check measures.
    """

    def __init__(self, config: JanusConfig, home: Home, run_id: str):
        super().__init__()
        self._config, self._home, self._run_id = config, home, run_id
        limited = any(limit is not None for limit in config.serving.latency.model_dump().values())
        self._waits_for = {"Evaluator", *(["Baselines"] if config.report.baselines else [])} if not limited else None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._analysis: Analysis | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        event = event_of(record)
        if not self._waits_for or not isinstance(event, ComponentEvent) or event.state not in ("complete", "failed"):
            return
        self._waits_for.discard(event.component)
        if not self._waits_for and not self._stopped.is_set():
            try:
                self._start()
            except Exception:
                # Of the database, say, which others write meanwhile: the analysis is made at the end then.
                logging.getLogger(__name__).exception("the analysis cannot start early")

    def _start(self) -> None:
        from pipeline.lineage.store import executions_of_run, open_store

        executions = executions_of_run(open_store(self._home.metadata), self._run_id)
        self._thread = threading.Thread(target=self._analyse, args=[executions], name="analysis", daemon=True)
        self._thread.start()

    def _analyse(self, executions: "dict[str, NodeExecution]") -> None:
        from pipeline.report.analysis.analyse import analyse_artifacts

        def progress(doing: str) -> None:
            if self._stopped.is_set():
                raise _Stopped

        try:
            earlier = self._home.latest / ANALYSIS_FILE
            self._analysis = analyse_artifacts(self._config, executions, earlier, progress)
        except _Stopped:
            return
        except Exception:
            logging.getLogger(__name__).exception("the early analysis failed")

    def result(self, progress: Callable[[str], None]) -> Analysis | None:
        """Waits for the analysis, if it has started; None if there is none."""
        if self._thread and self._thread.is_alive():
            progress("analysing")
            self._thread.join()
        return self._analysis

    def stop(self) -> None:
        """Ends the analysis, and waits for that: a thread within TensorFlow would crash a process that exits."""
        self._stopped.set()
        if self._thread:
            self._thread.join()
