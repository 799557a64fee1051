"""From `data.path` to files: folders, globs, TFX's span patterns, and opening the files.

Needs neither TFX nor TensorFlow, so that a missing file is reported before they are imported.
"""

import difflib
import glob
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import fs

from janus_core.errors import DataError, machine_error
from janus_core.tables.config import DataConfig
from janus_core.tables.spans import SPEC, Span, choose_span, has_spans, spans_of, training_spans

FOLDER_PATTERNS = {"csv": "*.csv*", "parquet": "*.parquet*", "tfrecord": "*tfrecord*"}
"""Which files of a folder are read. One glob per format, because TFX's driver takes one; `select_files` narrows it."""

_NAMES = {
    "csv": re.compile(r"\.csv(\.gz)?$", re.IGNORECASE),
    "parquet": re.compile(r"\.parquet$", re.IGNORECASE),
    "tfrecord": re.compile(r"tfrecord"),
}
_WANTED = {
    "csv": "CSV files (*.csv or *.csv.gz)",
    "parquet": "Parquet files (*.parquet)",
    "tfrecord": "TFRecord files (*tfrecord*)",
}
_GZIP_MAGIC = b"\x1f\x8b"
_MAGIC = re.compile(r"[*?\[{]")


def split_path(data: DataConfig) -> tuple[str, str]:
    """(folder, pattern below it) as TFX's `input_base` and split pattern, by what is there.

    The folder is the longest leading part of `data.path` without wildcards or specs. A pattern that matches folders,
    such as `day-{SPAN}`, is continued by the format's own file pattern. A path that exists under exactly
    the given name is taken literally, even if a pattern would read its brackets differently.
    """
    path = data.path
    if not has_spans(path) and (not _MAGIC.search(path) or _exists(path)):
        if _is_folder(path):
            folder = path.rstrip("/")
            return folder or "/", pattern_in(folder, FOLDER_PATTERNS[data.format])
        folder, _, name = path.rpartition("/")
        return folder or ("/" if path.startswith("/") else "."), glob.escape(name)
    parts = path.rstrip("/").split("/")
    # A folder may have brackets in its name.
    plain = (_MAGIC.search(part) and not _is_folder("/".join(parts[: i + 1])) for i, part in enumerate(parts))
    first = next((i for i, magic in enumerate(plain) if magic), len(parts) - 1)
    base = "/".join(parts[:first]) or ("/" if path.startswith("/") else ".")
    below = "/".join(parts[first:])
    if has_spans(below):
        # The numbers and dates of spans are the only classes of characters there.
        below = below.replace("[", "[[]")
    found = list_paths(below_folder(base, SPEC.sub("*", below)))
    if path.endswith("/") or (found and all(_is_folder(match) for match in found)):
        below = f"{below}/{FOLDER_PATTERNS[data.format]}"
    return base, below


def pattern_in(folder: str, pattern: str) -> str:
    """The pattern of a folder's files; where it has none but is partitioned, of those in its partitions."""
    levels = ""
    if all(_is_folder(path) for path in list_paths(below_folder(folder, pattern))):
        while any(_is_folder(path) for path in list_paths(below_folder(folder, f"{levels}*=*"))):
            levels += "*=*/"
    return levels + pattern


def below_folder(folder: str, pattern: str) -> str:
    """The glob of a pattern below a folder, whose name is taken as it is."""
    return f"{glob.escape(folder)}/{pattern}"


def unseen_split_path(data: DataConfig) -> tuple[str, str]:
    """As `split_path`, by `data.path` alone: its data need not exist where a pipeline is compiled."""
    parts = data.path.rstrip("/").split("/")
    plain = next((place for place, part in enumerate(parts) if _MAGIC.search(part)), None)
    # A file has a suffix, a folder rarely does; the driver corrects a wrong guess.
    folder = data.path.endswith("/") or "." not in parts[-1]
    pattern = FOLDER_PATTERNS[data.format]
    if plain is None:
        base, below = (parts, [pattern]) if folder else (parts[:-1], parts[-1:])
    else:
        base, below = parts[:plain], parts[plain:] + ([pattern] if folder else [])
    return "/".join(base) or ("/" if data.path.startswith("/") else "."), "/".join(below)


def find_files(data: DataConfig, span: int | None = None) -> list[str]:
    """The files that the next run would read, sorted by name within a span: those of the latest span, or of `span`.

    With a split by span, those of the spans that it trains on follow, the newest of them first. Of each span only the
    latest version counts. Raises DataError if there are none, with what was found instead.
    """
    base, pattern = split_path(data)
    if not _exists(base):
        raise DataError(f"data.path: '{data.path}': there is no folder '{base}'{_similar(base)}")
    if not has_spans(pattern):
        if span is not None:
            raise DataError(f"data.path: '{data.path}' has no {{SPAN}}, so there is no span {span} to choose")
        return select_files(list_paths(below_folder(base, pattern)), data)
    spans = list_spans(base, pattern)
    newest = choose_span(spans, data, span)
    chosen = [newest, *(training_spans(spans, newest, data) if data.by_span else [])]
    return [path for found in chosen for path in select_files(list_paths(below_folder(base, found.pattern)), data)]


def select_files(paths: Iterable[str], data: DataConfig) -> list[str]:
    """The files of `data.format` among the paths that a pattern of `split_path` matched, sorted by name.

    Names are checked only where the pattern is our own; a file or glob that the user named is taken as it is.
    Raises DataError if none is left.
    """
    ours = split_path(data)[1].rpartition("/")[2] == FOLDER_PATTERNS[data.format]
    named = [path for path in paths if not PurePosixPath(path).name.startswith(".")]
    files = sorted(path for path in named if not ours or _NAMES[data.format].search(PurePosixPath(path).name))
    files = [path for path in files if not _is_folder(path)]
    if files:
        return files
    if not ours and not re.search("[*?{]", data.path):
        raise DataError(f"data.path: there is no file '{data.path}'{_similar(data.path)}")
    other = _other_format(data)
    if other:
        raise DataError(
            f"data.path: '{data.path}' holds no {_WANTED[data.format]}, but {_WANTED[other]}; data.format: {other}"
        )
    raise DataError(f"data.path: '{data.path}' holds no {_WANTED[data.format]}{_holds(data.path)}")


def partitions_of(path: str) -> dict[str, str | None]:
    """The columns that a file's folders give by their names, as Hive and Spark write them: `year=2024/month=01`.

    Hive's and Spark's word for a missing value is None.
    """
    parts = [part.partition("=") for part in path.split("/")[:-1]]
    found = {unquote(name): unquote(value) for name, mark, value in parts if name and mark}
    return {name: None if value == "__HIVE_DEFAULT_PARTITION__" else value for name, value in found.items()}


def open_file(path: str) -> pa.NativeFile:
    """Opens a local file, or an address that pyarrow.fs knows (gs://, s3://, hdfs://), for random reads."""
    if "://" in path:
        system, inner = _file_system(path)
        return system.open_input_file(inner)
    return pa.OSFile(path, "rb")


def open_content(path: str) -> pa.NativeFile:
    """As `open_file`, but the content of a gzip file, known by its first bytes, in which one cannot seek."""
    return pa.CompressedInputStream(open_file(path), "gzip") if is_gzip(path) else open_file(path)


@contextmanager
def damage_reported(path: str, words: str = "cannot be read to its end, it is truncated or damaged") -> Iterator[None]:
    """Says of a failure to read a file which one it is, in these words, unless the machine is the cause.

    Raises:
        DataError, MachineError: the reading failed.
    """
    try:
        yield
    except (OSError, pa.ArrowException, zlib.error) as error:
        raise machine_error(error, path) or DataError(f"{path}: {words} ({error})") from error


def is_gzip(path: str) -> bool:
    """Whether a file's first bytes are gzip's; its name does not matter."""
    with open_file(path) as stream:
        return stream.read(2) == _GZIP_MAGIC


def file_size(path: str) -> int:
    """The size of a file in bytes."""
    return int(_info(path).size)


def file_state(path: str) -> tuple[int, int]:
    """A file's size in bytes and the time of its last change in nanoseconds, which show that it was written again."""
    info = _info(path)
    return info.size, info.mtime_ns or 0


def list_paths(pattern: str) -> list[str]:
    """What a glob matches, sorted; hidden names are left out."""
    if "://" not in pattern:
        return sorted(glob.glob(pattern))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    magic = _MAGIC.search(pattern)
    fixed = pattern[: magic.start()] if magic else pattern
    system, inner = _file_system(fixed.rpartition("/")[0])
    scheme = pattern[: pattern.index("://") + 3]
    depth = pattern.count("/")
    found = system.get_file_info(fs.FileSelector(inner, recursive=True, allow_not_found=True))
    paths = [f"{scheme}{info.path}" for info in found]
    return sorted(path for path in paths if path.count("/") == depth and fnmatch(path, pattern))


def list_spans(base: str, pattern: str) -> list[Span]:
    """The spans of `split_path`'s folder and pattern, in ascending order, each in its latest version."""
    below = len(base.rstrip("/")) + 1
    return spans_of((path[below:] for path in list_paths(below_folder(base, SPEC.sub("*", pattern)))), pattern)


def _file_system(address: str) -> tuple[fs.FileSystem, str]:
    """The file system of an address, and the path in it. Raises DataError for an address of anything else."""
    try:
        return fs.FileSystem.from_uri(address)
    except (pa.ArrowInvalid, NotImplementedError) as error:
        # The rest of a database's address may hold a password.
        scheme = address.partition("://")[0]
        raise DataError(
            f"data.path: {scheme}://… is not an address of files: give a path, or an address of gs://, s3:// or "
            "hdfs://; for a database, export the table to Parquet"
        ) from error


def _other_format(data: DataConfig) -> Literal["csv", "parquet"] | None:
    """The format that a folder has files of, instead of the one that is looked for."""
    others: tuple[Literal["csv", "parquet"], ...] = ("csv", "parquet")
    for form in others if _is_folder(data.path) else ():
        folder = data.path.rstrip("/")
        paths = list_paths(below_folder(folder, pattern_in(folder, FOLDER_PATTERNS[form])))
        if form != data.format and any(_NAMES[form].search(path) for path in paths):
            return form
    return None


def _is_folder(path: str) -> bool:
    return bool(_info(path).type == fs.FileType.Directory)


def _exists(path: str) -> bool:
    return bool(_info(path).type != fs.FileType.NotFound)


def _info(path: str) -> fs.FileInfo:
    # An absolute path is never taken for an address, whatever colons are in it.
    system, inner = _file_system(path) if "://" in path else (fs.LocalFileSystem(), str(Path(path).absolute()))
    return system.get_file_info(inner)


def _similar(path: str) -> str:
    if "://" in path:
        return ""
    missing = Path(path)
    while not missing.parent.is_dir():
        missing = missing.parent
    close = difflib.get_close_matches(missing.name, [entry.name for entry in missing.parent.iterdir()], n=1)
    return f"; did you mean '{missing.parent / close[0]}'?" if close else ""


def _holds(path: str) -> str:
    if "://" in path or not Path(path).is_dir():
        return ""
    names = sorted(entry.name for entry in Path(path).iterdir())
    if not names:
        return "; it is empty"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    other = next((ending for ending in (".tsv", ".txt", ".dat") if names[0].endswith(ending)), None)
    remedy = f"; a pattern takes files of any name: '{path.rstrip('/')}/*{other}'" if other else ""
    return f"; it holds {', '.join(names[:5])}{more}{remedy}"
