"""From `data.path` to files: folders, globs, TFX's span patterns, and opening what was found.

Needs neither TFX nor TensorFlow, so that a missing file is reported before they are imported.
"""

import difflib
import glob
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pyarrow as pa
from pyarrow import fs

from components.arrow_example_gen.config import DataConfig
from components.arrow_example_gen.spans import SPEC, Span, choose_span, has_spans, spans_of, training_spans
from trainer.errors import DataError

FOLDER_PATTERNS = {"csv": "*.csv*", "parquet": "*.parquet*", "tfrecord": "*tfrecord*"}
"""What is taken from a folder. One glob per format, because TFX's driver takes one; `select_files` narrows it."""

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
    such as `day-{SPAN}`, is continued by the format's own file pattern.
    """
    path = data.path
    pattern = FOLDER_PATTERNS[data.format]
    if not _MAGIC.search(path):
        if _is_folder(path):
            return path.rstrip("/") or "/", pattern
        folder, _, name = path.rpartition("/")
        return folder or ("/" if path.startswith("/") else "."), name
    parts = path.rstrip("/").split("/")
    first = next(i for i, part in enumerate(parts) if _MAGIC.search(part))
    base = "/".join(parts[:first]) or ("/" if path.startswith("/") else ".")
    below = "/".join(parts[first:])
    found = list_paths(f"{base}/{SPEC.sub('*', below)}")
    if path.endswith("/") or (found and all(_is_folder(match) for match in found)):
        below = f"{below}/{pattern}"
    return base, below


def unseen_split_path(data: DataConfig) -> tuple[str, str]:
    """As `split_path`, by `data.path` alone: where a pipeline is compiled, its data need not be."""
    parts = data.path.rstrip("/").split("/")
    plain = next((place for place, part in enumerate(parts) if _MAGIC.search(part)), None)
    # A file has a suffix, a folder seldom; where it is otherwise, the driver sees.
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
    latest version counts. Raises DataError if there are none, saying what there is instead.
    """
    base, pattern = split_path(data)
    if not _exists(base):
        raise DataError(f"data.path: '{data.path}': there is no folder '{base}'{_similar(base)}")
    if not has_spans(pattern):
        if span is not None:
            raise DataError(f"data.path: '{data.path}' has no {{SPAN}}, so there is no span {span} to choose")
        return select_files(list_paths(f"{base}/{pattern}"), data)
    spans = list_spans(base, pattern)
    newest = choose_span(spans, data, span)
    chosen = [newest, *(training_spans(spans, newest, data) if data.by_span else [])]
    return [path for found in chosen for path in select_files(list_paths(f"{base}/{found.pattern}"), data)]


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
    if not ours and not _MAGIC.search(data.path):
        raise DataError(f"data.path: there is no file '{data.path}'{_similar(data.path)}")
    raise DataError(f"data.path: '{data.path}' holds no {_WANTED[data.format]}{_holds(data.path)}")


def open_file(path: str) -> pa.NativeFile:
    """Opens a local file, or an address that pyarrow.fs knows (gs://, s3://, hdfs://), for random reads."""
    if "://" in path:
        system, inner = _file_system(path)
        return system.open_input_file(inner)
    return pa.OSFile(path, "rb")


def open_content(path: str) -> pa.NativeFile:
    """As `open_file`, but the content of a gzip file, known by its first bytes, in which one cannot seek."""
    return pa.CompressedInputStream(open_file(path), "gzip") if is_gzip(path) else open_file(path)


def is_gzip(path: str) -> bool:
    """Whether a file's first bytes are gzip's; its name does not matter."""
    with open_file(path) as stream:
        return stream.read(2) == _GZIP_MAGIC


def file_size(path: str) -> int:
    """The size of a file in bytes."""
    if "://" in path:
        system, inner = _file_system(path)
        return system.get_file_info(inner).size
    return Path(path).stat().st_size


def file_state(path: str) -> tuple[int, int]:
    """A file's size in bytes and the time of its last change in nanoseconds: what tells that it was written anew."""
    if "://" in path:
        system, inner = _file_system(path)
        info = system.get_file_info(inner)
        return info.size, info.mtime_ns or 0
    found = Path(path).stat()
    return found.st_size, found.st_mtime_ns


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
    return spans_of((path[below:] for path in list_paths(f"{base}/{SPEC.sub('*', pattern)}")), pattern)


def _file_system(address: str) -> tuple[fs.FileSystem, str]:
    """The file system of an address, and the path in it. Raises DataError where it is none of files."""
    try:
        return fs.FileSystem.from_uri(address)
    except (pa.ArrowInvalid, NotImplementedError) as error:
        # The rest of a database's address may hold a password.
        scheme = address.partition("://")[0]
        raise DataError(
            f"data.path: {scheme}://… is no address of files: give a path, or an address of gs://, s3:// or hdfs://; "
            "of a database, export the table to Parquet"
        ) from error


def _is_folder(path: str) -> bool:
    if "://" in path:
        system, inner = _file_system(path)
        return system.get_file_info(inner).type == fs.FileType.Directory
    return Path(path).is_dir()


def _exists(path: str) -> bool:
    if "://" in path:
        system, inner = _file_system(path)
        return system.get_file_info(inner).type != fs.FileType.NotFound
    return Path(path).exists()


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
    return f"; it holds {', '.join(names[:5])}{more}"
