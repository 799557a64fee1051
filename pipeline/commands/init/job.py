"""One `janus init`: reads a sample, guesses, writes the configuration and the schema, and says what it did."""

import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from janus_core.errors import ConfigError
from janus_core.strict import NAME_PATTERN
from janus_core.tables.config import DataConfig
from pipeline.commands.init.columns import shown
from pipeline.commands.init.interactive import agreed, ask
from pipeline.commands.init.names import unique_name
from pipeline.commands.init.plan import Plan, make_plan, words
from pipeline.commands.init.read import DEFAULT_ROWS, read_sample, table_format
from pipeline.commands.init.write import config_text, scalar, schema_text, write_both
from pipeline.config import LONGEST_PIPELINE_NAME, JanusConfig
from pipeline.config.file import load_config
from pipeline.run.display import console_on
from pipeline.schema import check_schema, read_schema

_MOST_SHOWN = 60


@dataclass(frozen=True)
class InitOptions:
    """The command's options.

    Attributes:
        table: a CSV or Parquet file, a folder of such files, or a glob.
        targets: the columns to predict.
        name: the pipeline's name; by default after the table.
        rows: how many rows are sampled at most.
        force: overwrite files of that name.
        interactive: ask before writing.
    """

    table: str
    targets: tuple[str, ...]
    name: str | None = None
    rows: int = DEFAULT_ROWS
    force: bool = False
    interactive: bool = False


def run_init_job(options: InitOptions) -> int:
    """Writes configs/<name>.yaml and schema/<name>.pbtxt below the working folder; returns the exit code.

    Raises:
        ConfigError: a target is no column, the name is none, or a file would be overwritten.
        DataError: the table cannot be read, or a target cannot be learnt.
    """
    table = _relative(options.table)
    name = _name(options.name, table)
    paths = Path("configs") / f"{name}.yaml", Path("schema") / f"{name}.pbtxt"
    if not options.force:
        _refuse_overwriting(paths)
    console = console_on(sys.stdout)
    with console.status(f"reading {escape(table)}") as under_way:
        sample = read_sample(DataConfig(path=table, format=table_format(table)), options.rows)
        plan = make_plan(name, sample, options.targets, lambda doing: under_way.update(escape(doing)))
    if options.interactive:
        plan = ask(plan, _confirm)
    console.print(columns_table(plan))
    _print_warnings(plan, console)
    if options.interactive and not agreed(plan, _confirm):
        console.print("nothing was written; write the configuration by hand, or call again with other targets")
        return 0
    _write(plan, paths, _command(options))
    console.print(f"written: {paths[0]}, {paths[1]}")
    console.print(f"next: janus run {shlex.quote(str(paths[0]))}", style="bold")
    return 0


def columns_table(plan: Plan) -> Table:
    """Column × kind × reason."""
    title = f"{plan.sample.data.path}: {plan.sample.how}"
    table = Table(title=escape(title), title_justify="left", header_style="bold")
    for heading in ("column", "kind", "why", "alone"):
        table.add_column(heading, overflow="fold")
    for target in plan.targets:
        table.add_row(_cell(target.column), f"[bold]{target.kind}[/bold] (task)", _cell(target.reason), "")
    table.add_section()
    for column in plan.columns[:_MOST_SHOWN]:
        style = None if column.used else "dim"
        best = max(column.scores.values(), key=lambda score: score.strength, default=None)
        score = words(best) if best else ""
        score = f"[yellow]{score}[/yellow]" if best and best.leaks else score
        table.add_row(_cell(column.column.name), column.guess.kind, _cell(column.guess.reason), score, style=style)
    if len(plan.columns) > _MOST_SHOWN:
        table.add_row(f"and {len(plan.columns) - _MOST_SHOWN:,} more", "", "", "", style="dim")
    return table


def _cell(text: str) -> str:
    return escape("".join(char if char.isprintable() else " " for char in text))


def _print_warnings(plan: Plan, console: Console) -> None:
    for key, reason in plan.sample.reasons.items():
        console.print(Text(f"data.{key} {scalar(getattr(plan.sample.data, key))}: {reason}"))
    console.print(Text(f"split {plan.division.reason}"))
    for name, gates in plan.gates.items():
        console.print(Text(f"task {name}: {gates.reason}"))
    for warning in plan.warnings:
        console.print(Text(f"! {warning}", style="yellow"))


def _write(plan: Plan, paths: tuple[Path, Path], command: str) -> None:
    """Writes both files once they are known to load."""
    config_path, schema_path = paths
    texts = {schema_path: schema_text(plan), config_path: config_text(plan, schema_path, command)}
    _checked(texts, paths)
    write_both(texts)


def _checked(texts: dict[Path, str], paths: tuple[Path, Path]) -> JanusConfig:
    with tempfile.TemporaryDirectory() as folder:
        written = {path: Path(folder) / path.name for path in paths}
        for path, text in texts.items():
            written[path].write_text(text, encoding="utf-8")
        config = load_config(written[paths[0]])
        check_schema(read_schema(written[paths[1]]), paths[1], config)
        return config


def _confirm(question: str, default: bool) -> bool:
    return typer.confirm(question, default=default)


# --- names ------------------------------------------------------------------------------------------------------


def _relative(table: str) -> str:
    """Below the working folder the path is written relative to it, so that the project can be moved."""
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


def _refuse_overwriting(paths: tuple[Path, Path]) -> None:
    there = [str(path) for path in paths if path.exists()]
    if there:
        raise ConfigError(f"{' and '.join(there)} would be overwritten: give another --name, or --force")


def _command(options: InitOptions) -> str:
    targets = shlex.quote(",".join(options.targets))
    name = f" --name {options.name}" if options.name else ""
    return f"janus init {shlex.quote(shown(_relative(options.table), 200)[1:-1])} --targets {targets}{name}"
