"""The last step of a run on Kubeflow: writes the run's report and its page, also of a run that failed.

`python -m pipeline.kubeflow.finish --help`. Its exit code is 0 once the report is written, also if the run failed: KFP
uploads the artifacts of a step only if its exit code is 0, and the failed step has already made the run fail.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from janus_core.errors import JanusError, exit_code_of, readable
from pipeline import environment
from pipeline.kubeflow.run_node import RunParameters, add_parameters, config_of_run
from pipeline.kubeflow.step import check_run_id, exit_now, report_reason, step_parser
from pipeline.report.report_json import RunReport, new_report

if TYPE_CHECKING:
    from pipeline.kubeflow.bundle import Bundle
    from pipeline.report.analysis.analysis_json import Analysis


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = step_parser("pipeline.kubeflow.finish", __doc__)
    parser.add_argument("--executor-input", metavar="JSON", help="what KFP puts in the place of {{$}}")
    add_parameters(parser)
    parser.add_argument("--pipeline-root", required=True, metavar="URI", help="TFX's pipeline root")
    options = parser.parse_args(arguments)
    environment.prepare(verbose=True)
    sys.argv = sys.argv[:1]
    try:
        from pipeline.kubeflow.bundle import read_bundle

        check_run_id(options.run_id)
        bundle = read_bundle(Path(options.ir).parent, options.digest)
        bundle = replace(bundle, config=config_of_run(bundle.config, RunParameters.of(options)))
        report, place = finish(bundle, options.run_id, options.pipeline_root, options.executor_input)
    except Exception as error:
        report_reason(f"report: {readable(error)}")
        if not isinstance(error, JanusError):
            raise
        return exit_code_of(error)
    from pipeline.report.view import report_view
    from pipeline.run.display import console_on

    console_on(sys.stdout).print(report_view(report))
    print(f"report: {place}", flush=True)
    return 0


def finish(bundle: "Bundle", run_id: str, root: str, executor_input: str | None = None) -> tuple[RunReport, str]:
    """Writes the report of a run from what its nodes recorded: `<home>/<run id>/report.json`, beside the pipeline root.

    Also writes report.html, the model card and the numbers that both show, and KFP's artifacts if there is an
    `executor_input`.

    Returns:
        The report, and its path.
    """
    from tfx.orchestration import metadata as tfx_metadata

    from pipeline.hooks.run import run_hooks
    from pipeline.kubeflow.metadata import check_reachable, connection_config
    from pipeline.lineage.pushes import baseline_version
    from pipeline.lineage.run_config import as_trained
    from pipeline.lineage.store import executions_of_run
    from pipeline.report.analysis.analyse import analyse
    from pipeline.report.outcome import add_analysis, add_components, add_outcome

    connection = connection_config()
    check_reachable(connection)
    report = new_report(bundle.config.name, run_id)
    with tfx_metadata.Metadata(connection) as handle:
        executions = executions_of_run(handle.store, run_id)
        bundle = replace(bundle, config=as_trained(bundle.config, executions))
        add_outcome(report, bundle.config, executions)
        report.baseline_version = baseline_version(handle.store, executions)
        analysis = analyse(bundle.config, executions, handle.store)
    add_analysis(report, bundle.config, analysis)
    nodes = [node.pipeline_node.node_info.id for node in bundle.ir.nodes]
    add_components(report, nodes, executions)
    home = root.rpartition("/")[0]
    place = _write(report, f"{home}/{run_id}")
    _write_pages(report, bundle, analysis, home, f"{home}/{run_id}", executor_input)
    for warning in run_hooks(bundle.config.hooks, report, place):
        print(f"warning: {warning}", file=sys.stderr, flush=True)
    return report, place


def _write(report: RunReport, folder: str) -> str:
    from tfx.dsl.io import fileio

    fileio.makedirs(folder)
    place, staging = f"{folder}/report.json", f"{folder}/.report.json-{os.getpid()}"
    with fileio.open(staging, "w") as file:
        file.write(json.dumps(report.model_dump(), indent=2, allow_nan=False) + "\n")
    fileio.rename(staging, place, overwrite=True)
    return place


def _write_pages(
    report: RunReport, bundle: "Bundle", analysis: "Analysis", home: str, folder: str, executor_input: str | None
) -> None:
    from tfx.dsl.io import fileio

    from pipeline.kubeflow.artifacts import write_artifacts
    from pipeline.report.model_card import NOTES_FILE
    from pipeline.report.write import write_pages

    with tempfile.TemporaryDirectory() as here:
        local, notes = Path(here), f"{home}/{NOTES_FILE}"
        known = fileio.exists(notes)
        if known:
            fileio.copy(notes, str(local / NOTES_FILE))
        made = local / "run"
        made.mkdir()
        write_pages(report, bundle.config, analysis, local, made)
        for path in made.iterdir():
            fileio.copy(str(path), f"{folder}/{path.name}", overwrite=True)
        if not known:
            fileio.copy(str(local / NOTES_FILE), notes)
        try:
            written = write_artifacts(executor_input, bundle.config, report, analysis, made)
        except OSError as error:
            print(f"warning: no artifacts for Kubeflow's pages: {error}", file=sys.stderr, flush=True)
        else:
            print(f"artifacts for Kubeflow's pages: {', '.join(written) or 'none'}", flush=True)


if __name__ == "__main__":
    exit_now(main())
