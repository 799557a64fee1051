"""One `janus compare`: prepares the examples, trains, summarises, shows and writes the result."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from janus_core.errors import ConfigError
from janus_core.files import exclusive
from janus_core.kinds import headline_of
from pipeline.commands.compare.comparison import Comparison, TaskInfo
from pipeline.commands.compare.options import CompareOptions
from pipeline.commands.compare.result_files import RESULT_FILE, write_comparison
from pipeline.commands.compare.variants import (
    Candidate,
    base_config,
    candidates,
    chosen,
    kinds_of,
    of_equal_size,
    rebalanced,
    single_task,
)
from pipeline.commands.output import print_result
from pipeline.config import JanusConfig
from pipeline.environment import library_output_to
from pipeline.home import Home, now
from pipeline.report.report_json import janus_version, stack_versions
from pipeline.run.display import Display, console_on
from pipeline.run.part import attend, run_part
from trainer.config import TrainerConfig, unit_of

if TYPE_CHECKING:
    from pipeline.commands.compare.training import Examples
    from pipeline.lineage.store import NodeExecution

_SINGLE, _EQUAL = "single-task {}", "single-task {} of equal size"
"""The labels of a task's single-task networks."""


def run_compare_job(config: JanusConfig, options: CompareOptions, verbose: bool = False) -> int:
    """Compares, shows and writes the result, and returns the exit code.

    Raises:
        ConfigError: there is nothing to compare, a kind is unknown, or the result cannot be written.
        DataError: the data or the schema are rejected.
        JanusError: the metadata database cannot be used, or a run or comparison of the pipeline is under way.
    """
    _check(options)
    base = base_config(config.trainer_config(), options.epochs)
    wanted = candidates(
        base,
        chosen("--trunks", options.trunks, kinds_of("trunk"), base.model.trunk.kind),
        chosen("--balancings", options.balancings, kinds_of("balancing"), base.model.balancing.kind),
    )
    home = Home(config.name)
    home.create()
    home.compare.mkdir(exist_ok=True)
    refusal = f"another comparison of pipeline '{config.name}' is under way (process {{holder}}): wait until it ends"
    with (
        exclusive(home.compare / ".lock", refusal),
        library_output_to(home.compare / "compare.log", verbose) as terminal,
    ):
        console = console_on(terminal.err if options.as_json else terminal.out)
        continues = "the same command continues after the last finished training"
        work = partial(_compare, config, base, wanted, options, home)
        comparison = attend(work, console, terminal, continues)
        if isinstance(comparison, int):
            return comparison
        folder = write_comparison(comparison, home.compare, options.output)
        from pipeline.commands.compare.table import comparison_view

        print_result(comparison, options.as_json, comparison_view, terminal.out)
        console.print(f"result: {folder}/{RESULT_FILE}", style="dim", soft_wrap=True)
    return 0


def _compare(
    config: JanusConfig,
    base: TrainerConfig,
    wanted: list[Candidate],
    options: CompareOptions,
    home: Home,
    display: Display,
) -> Comparison:
    executions = run_part("compare", config, home, display)
    graph, transformed, rows = _prepared(executions)
    display.status("reading examples")
    from components.pusher.storage import content_digest
    from pipeline.commands.compare.journal import Journal
    from pipeline.commands.compare.summary import Trained, notes_on, summarise
    from pipeline.commands.compare.training import Planned, carry_out, metrics_plan, open_examples
    from pipeline.evaluation import LABELLED_COUNT

    digest = " ".join(content_digest(folder) for folder in (graph, *transformed))
    examples = open_examples(graph, transformed, base, digest)
    display.status("counting parameters")
    wanted, notes = _distinct(wanted, examples)
    single = {task: single_task(base, task) for task in base.tasks}
    equal = _of_equal_size(single, wanted[0].config, examples)
    networks = {
        **{_SINGLE.format(task): config for task, config in single.items()},
        **{_EQUAL.format(task): config for task, (config, _) in equal.items()},
        **{candidate.name: candidate.config for candidate in wanted},
    }
    seeds = range(options.seeds)
    # Repetition by repetition, so that an interrupted comparison has complete ones.
    planned = [Planned(label, config, repetition) for repetition in seeds for label, config in networks.items()]
    headlines = {task: headline_of(config) for task, config in base.tasks.items()}
    found = carry_out(
        planned,
        examples,
        metrics_plan(config),
        Journal(home.compare / "journal.jsonl"),
        _determined_by(),
        {task: metric.name for task, metric in headlines.items()},
        display.status,
    )

    def repetitions(label: str) -> list:
        return [found[label, repetition] for repetition in seeds]

    trained = Trained(
        candidates={candidate.name: repetitions(candidate.name) for candidate in wanted},
        single={task: repetitions(_SINGLE.format(task)) for task in single},
        equal={task: repetitions(_EQUAL.format(task)) for task in equal},
        factors={task: factor for task, (_, factor) in equal.items()},
    )
    tasks = {
        task: TaskInfo(
            kind=task_config.kind,
            metric=headlines[task].name,
            higher_is_better=headlines[task].better == "high",
            unit=headlines[task].unit_in(unit_of(task_config)),
            labelled=int(trained.single[task][0].metrics[task][LABELLED_COUNT] or 0),
        )
        for task, task_config in base.tasks.items()
    }
    ranked, single_result, equal_result = summarise(wanted, tasks, trained, options.confidence)
    return Comparison(
        janus=janus_version(),
        pipeline=config.name,
        created=now(),
        stack=stack_versions(),
        confidence=options.confidence,
        seeds=[base.seed + repetition for repetition in seeds],
        epochs=base.training.epochs,
        examples=rows,
        tasks=tasks,
        candidates=ranked,
        single=single_result,
        equal=equal_result,
        baselines=_baselines(config, executions),
        notes=[*notes, *notes_on(ranked, tasks, options.seeds, options.confidence)],
    )


def _prepared(executions: "Mapping[str, NodeExecution]") -> tuple[Path, list[Path], dict[str, int]]:
    """Transform's graph and examples, the newest span's first, and the rows of each split."""
    from components.anomaly_gate.column import read_split

    graph = executions["Transform"].output("transform_graph")
    examples = executions["Transform"].outputs.get("transformed_examples", [])
    statistics = executions["StatisticsGen"].output("statistics")
    if graph is None or statistics is None or not examples:
        raise RuntimeError("the pipeline gave no transformed examples, no transform graph or no statistics")
    rows = {split: read_split(statistics.uri, split)[0] for split in ("train", "eval")}
    return Path(graph.uri), [Path(artifact.uri) for artifact in examples], rows


def _baselines(config: JanusConfig, executions: "Mapping[str, NodeExecution]") -> dict[str, dict[str, float | None]]:
    """task → baseline → its headline metric; None where it could not be fitted."""
    from pipeline.lineage.store import output_of
    from pipeline.report.analysis.baselines import baselines_of

    made = output_of(executions, "Baselines", "predictions")
    return {
        task: {name: model.metrics.get(headline_of(config.tasks[task]).name) for name, model in of_task.models.items()}
        for task, of_task in (baselines_of(config, made.uri) if made else {}).items()
    }


# --- what is trained ----------------------------------------------------------------------------------------------


def _distinct(wanted: Sequence[Candidate], examples: "Examples") -> tuple[list[Candidate], list[str]]:
    """The candidates without repeats, and notes: one whose balancing falls back to another goes by the other's name."""
    from trainer.trial import effective_balancing

    kept: dict[str, Candidate] = {}
    notes = []
    for candidate in wanted:
        effective = effective_balancing(candidate.config, examples.transform, examples.training)
        found = candidate if effective == candidate.balancing else rebalanced(candidate, effective)
        if found is not candidate:
            notes.append(f"{candidate.name}: there is nothing for it to balance, so it is the same as {found.name}")
        kept.setdefault(found.name, found)
    return list(kept.values()), notes


def _of_equal_size(
    single: Mapping[str, TrainerConfig], own: TrainerConfig, examples: "Examples"
) -> dict[str, tuple[TrainerConfig, float]]:
    """task → its single-task network with about as many parameters as the whole multi-task one, and its factor."""
    from trainer.trial import parameters_of

    def count(config: TrainerConfig) -> int:
        return parameters_of(config, examples.transform, examples.training)

    target = count(own)
    return {task: of_equal_size(config, target, count) for task, config in single.items()}


def _determined_by() -> dict[str, str]:
    """The code and the libraries that a training's metrics depend on."""
    from janus_core.fingerprint import modules_in, source_fingerprint

    code = source_fingerprint("pipeline.commands.compare.training", *modules_in("components.metrics"))
    return {"code": code, **{name: version for name, version in stack_versions().items() if name != "tfx"}}


def _check(options: CompareOptions) -> None:
    if not 0 < options.confidence < 1:
        raise ConfigError(f"--confidence: expected a share between 0 and 1, such as 0.95, got {options.confidence:g}")
    output = options.output
    if output is not None and output.exists():
        if not output.is_dir():
            raise ConfigError(f"--output: {output} is a file")
        if any(output.iterdir()) and not (output / RESULT_FILE).exists():
            raise ConfigError(f"--output: {output} holds other files than an earlier comparison's; name another folder")
