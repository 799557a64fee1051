"""One `janus init`: reads a sample, guesses, shows the guesses, and writes the configuration and the schema."""

import re
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from janus_core.errors import ConfigError
from janus_core.files import write_texts
from janus_core.strict import NAME_PATTERN
from janus_core.tables.config import DataConfig, TimeSplit
from pipeline.commands.init.column_names import unique_name
from pipeline.commands.init.features import dropped
from pipeline.commands.init.files import config_text, flow, schema_text
from pipeline.commands.init.options import InitOptions
from pipeline.commands.init.proposal import Proposal, propose
from pipeline.commands.init.sample import read_sample, table_format
from pipeline.commands.init.wording import one_line, shown
from pipeline.commands.output import plain_table
from pipeline.config import LONGEST_PIPELINE_NAME
from pipeline.config.file import load_config
from pipeline.run.display import console_on
from pipeline.schema import check_schema, read_schema

_MOST_SHOWN = 60


def run_init_job(options: InitOptions) -> int:
    """Writes configs/<name>.yaml and schema/<name>.pbtxt below the working folder; returns the exit code.

    Raises:
        ConfigError: a target is no column, the name is not allowed, or a file would be overwritten.
        DataError: the table cannot be read, or a target cannot be learnt.
    """
    table = _relative(options.table)
    name = _name(options.name, table)
    config, schema = Path("configs") / f"{name}.yaml", Path("schema") / f"{name}.pbtxt"
    there = [str(path) for path in (config, schema) if path.exists()]
    if there and not options.force:
        raise ConfigError(f"{' and '.join(there)} would be overwritten: give another --name, or --force")
    console = console_on(sys.stdout)
    with console.status(f"reading {escape(table)}") as line:
        sample = read_sample(DataConfig(path=table, format=table_format(table)), options.rows)
        proposal = propose(name, sample, options.columns, lambda doing: line.update(escape(doing)))
    if options.interactive:
        proposal = ask_about_columns(proposal)
    console.print(columns_table(proposal))
    _print_notes(proposal, console)
    if options.interactive and not tasks_and_split_confirmed(proposal):
        console.print("nothing was written; write the configuration by hand, or call again with other targets")
        return 0
    texts = {schema: schema_text(proposal), config: config_text(proposal, schema, _command(options))}
    _check(texts, config, schema)
    try:
        write_texts(texts)
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be written: {error.strerror}") from error
    console.print(f"written: {config}, {schema}")
    console.print(f"next: janus run {shlex.quote(str(config))}", style="bold")
    return 0


def columns_table(proposal: Proposal) -> Table:
    """Column × kind × reason × how well it predicts a target by itself."""
    title = f"{proposal.sample.data.path}: {proposal.sample.how}"
    table = plain_table(title, ("column", "kind", "why", "alone"))
    for task in proposal.tasks:
        table.add_row(_cell(task.label), f"[bold]{task.kind}[/bold] (task)", _cell(task.reason), "")
    table.add_section()
    for column in proposal.columns[:_MOST_SHOWN]:
        score = column.best[1] if column.best else None
        alone = f"[yellow]{score}[/yellow]" if score and score.leaks else str(score or "")
        style = None if column.used else "dim"
        table.add_row(_cell(column.column.name), column.guess.kind, _cell(column.guess.reason), alone, style=style)
    if len(proposal.columns) > _MOST_SHOWN:
        table.add_row(f"and {len(proposal.columns) - _MOST_SHOWN:,} more", "", "", "", style="dim")
    return table


def _cell(text: str) -> str:
    return escape(one_line(text))


def _print_notes(proposal: Proposal, console: Console) -> None:
    for key, reason in proposal.sample.reasons.items():
        console.print(Text(f"data.{key} {flow(getattr(proposal.sample.data, key))}: {reason}"))
    console.print(Text(f"split {proposal.split.reason}"))
    for name, gates in proposal.gates.items():
        console.print(Text(f"task {name}: {gates.reason}"))
    for warning in proposal.warnings:
        console.print(Text(f"! {warning}", style="yellow"))


def _check(texts: dict[Path, str], config: Path, schema: Path) -> None:
    """Raises an error where a run would not accept the files."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in texts.items():
            (Path(folder) / path.name).write_text(text, encoding="utf-8")
        loaded = load_config(Path(folder) / config.name)
        check_schema(read_schema(Path(folder) / schema.name), schema, loaded)


# --- names --------------------------------------------------------------------------------------------------------


def _relative(table: str) -> str:
    """The path relative to the working folder, if it is below that, so that the project can be moved."""
    if "://" in table or not Path(table).is_absolute():
        return table.removeprefix("./") or table
    place, here = Path(table), Path.cwd()
    return str(place.relative_to(here)) if place.is_relative_to(here) else table


def _name(name: str | None, table: str) -> str:
    if name is None:
        stem = re.sub(r"[*?\[\]{}]", "", Path(table.rstrip("/")).name).partition(".")[0]
        return unique_name(stem, (), suffix="table")
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > LONGEST_PIPELINE_NAME:
        fit = unique_name(name, (), suffix="table")
        raise ConfigError(
            f"--name {name}: a name starts with a letter and holds letters, digits and _, at most "
            f"{LONGEST_PIPELINE_NAME} in all: {fit}"
        )
    return name


def _command(options: InitOptions) -> str:
    """The command line that asks for the same again."""
    table = one_line(_relative(options.table))
    table = f"{table[:200]}…" if len(table) > 200 else table
    name = f" --name {options.name}" if options.name else ""
    return f"janus init {shlex.quote(table)} --targets {shlex.quote(options.targets)}{name}"


# --- questions, for `--interactive` -------------------------------------------------------------------------------


def ask_about_columns(proposal: Proposal) -> Proposal:
    """The proposal after a person's answers: a leaking column may be kept, one of many values left out.

    The last feature stays, whatever is answered.
    """
    columns = list(proposal.columns)
    for place, column in enumerate(columns):
        name = shown(column.column.name)
        if column.leaking:
            if typer.confirm(f"{name} alone predicts {column.leaks}: keep it as a feature?"):
                columns[place] = replace(column, guess=column.leaking, leaking=None)
            continue
        doubtful = column.guess.kind == "hashed" and sum(other.used for other in columns) > 1
        if doubtful and not typer.confirm(f"{name}: {column.guess.reason}: keep it as a feature?", True):
            columns[place] = replace(column, guess=dropped("left out by the answer to a question"))
    return replace(proposal, columns=columns)


def tasks_and_split_confirmed(proposal: Proposal) -> bool:
    """Whether a person agrees to each task and to the split."""
    for task in proposal.tasks:
        if not typer.confirm(f"predict {shown(task.label)} as {task.kind} ({task.reason})?", True):
            return False
    by = "time" if isinstance(proposal.split.split, TimeSplit) else "a hash"
    return typer.confirm(f"split by {by} ({proposal.split.reason})?", True)
