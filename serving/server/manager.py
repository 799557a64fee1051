"""Watches a base path and keeps its newest version loaded; no request fails while versions change."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from serving.description import ModelDescription, read_description
from serving.errors import Code, RequestError, invalid
from serving.saved_model import LoadedModel
from serving.signatures import SAVED_MODEL

log = logging.getLogger(__name__)


class State(StrEnum):
    """The states of a version, named as in ModelVersionStatus."""

    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    UNLOADING = "UNLOADING"
    END = "END"


@dataclass(frozen=True)
class VersionStatus:
    """The status of a version; `code` is 0 and `error` empty unless it could not be loaded."""

    version: int
    state: State
    code: int = 0
    error: str = ""


@dataclass(frozen=True)
class ServedVersion:
    """A version that answers requests; `description` is None if the model has none."""

    version: int
    model: LoadedModel
    path: Path
    description: ModelDescription | None


@dataclass
class _Entry:
    """A loaded version and the number of requests that use it; once retired, it is closed after the last of them."""

    served: ServedVersion
    uses: int = 0
    retired: bool = False


class ModelManager:
    """The loaded versions of one model.

    The newest version is served, and those that have a label. An older one is unloaded once the newest is available,
    never before. A version that cannot be loaded replaces no other, and is tried again when its files change.
    """

    def __init__(
        self,
        name: str,
        base_path: Path | str,
        poll_seconds: float = 1.0,
        labels: Mapping[str, int] | None = None,
        on_change: Callable[[VersionStatus], None] | None = None,
        warn: Callable[[str], None] = log.warning,
    ):
        """Prepares the manager; no version is loaded yet.

        Args:
            name: the model's name in requests.
            base_path: the folder of versions.
            poll_seconds: how often the folder is read.
            labels: label → version; these versions stay loaded as long as they are in the folder.
            on_change: is called with each new status, by the thread that loads the version or ends a request.
            warn: is called with a warning where TensorFlow Serving would behave differently.
        """
        self.name = name
        self.base_path = Path(base_path)
        self.labels = dict(labels or {})
        self._poll_seconds = poll_seconds
        self._on_change = on_change
        self._warn = warn
        self._passed_over: str | None = None
        self._lock = threading.Lock()
        self._entries: dict[int, _Entry] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._failed: dict[int, tuple] = {}
        self._open_entries = 0
        self._all_closed = threading.Condition(self._lock)
        self._polling = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    # --- requests ---------------------------------------------------------------------------------------------------

    @contextmanager
    def use(self, version: int | None = None) -> Iterator[ServedVersion]:
        """Holds a loaded version, by default the newest, while a request is answered.

        Raises:
            RequestError: NOT_FOUND, it is not loaded.
        """
        entry = self._acquire(version)
        try:
            yield entry.served
        finally:
            self._release(entry)

    def version_of(self, label: str) -> int:
        """The version that has a label.

        Raises:
            RequestError: INVALID_ARGUMENT, there is no such label.
        """
        if label not in self.labels:
            raise invalid(f"Unrecognized servable version label: {label}")
        return self.labels[label]

    def statuses(self) -> list[VersionStatus]:
        """The statuses of all versions seen since the start, the newest first."""
        with self._lock:
            return [self._statuses[version] for version in sorted(self._statuses, reverse=True)]

    @property
    def available(self) -> bool:
        """Whether there is a version that answers requests."""
        with self._lock:
            return bool(self._entries)

    def _acquire(self, version: int | None) -> _Entry:
        with self._lock:
            wanted = max(self._entries, default=None) if version is None else version
            if wanted is None or wanted not in self._entries:
                raise not_found(self.name, version)
            entry = self._entries[wanted]
            entry.uses += 1
            return entry

    def _release(self, entry: _Entry) -> None:
        with self._lock:
            entry.uses -= 1
            last = entry.retired and not entry.uses
        if last:
            self._close_entry(entry)

    # --- versions ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts to watch the folder, in a thread."""
        self._thread = threading.Thread(target=self._watch, name=f"versions of {self.name}", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 30.0) -> None:
        """Ends the watch and unloads all versions, each when its last request has ended.

        Args:
            timeout: seconds to wait for these requests.
        """
        self._stopped.set()
        if self._thread:
            self._thread.join()
        with self._polling:
            self._retire(list(self._entries))
        with self._all_closed:
            if not self._all_closed.wait_for(lambda: not self._open_entries, timeout):
                log.warning("%d versions are still in use after %.0f s", self._open_entries, timeout)

    def poll(self) -> None:
        """Looks into the base path once: loads what is new, then unloads what is no longer wanted."""
        with self._polling:
            present = complete_versions(self.base_path)
            if present is None:
                # As TensorFlow Serving: a base path that is away for a moment takes no version away.
                return
            self._warn_of_another_newest(present)
            wanted = self._wanted(present)
            for version in wanted:
                if not self._stopped.is_set() and self._to_load(version, present[version]):
                    self._load(version, present[version])
            if not wanted or max(wanted) in self._entries:
                self._retire([version for version in self._entries if version not in wanted])

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                self.poll()
            except Exception:
                log.exception("%s could not be read; the versions stay as they are", self.base_path)
            self._stopped.wait(self._poll_seconds)

    def _warn_of_another_newest(self, present: Mapping[int, Path]) -> None:
        newest = newest_number(self.base_path)
        passed_over = newest[1] if newest and newest[0] > max(present, default=-GREATEST) else None
        if passed_over is not None and passed_over != self._passed_over:
            self._warn(
                f"warning: {self.base_path / passed_over} has no saved_model.pb. For TensorFlow Serving it is the "
                "newest version, which cannot be loaded: a running server keeps the version that it serves, and one "
                "that is started serves none. This server ignores it."
            )
        self._passed_over = passed_over

    def _wanted(self, present: Mapping[int, Path]) -> list[int]:
        newest = {max(present)} if present else set()
        return sorted(newest | (set(self.labels.values()) & set(present)), reverse=True)

    def _to_load(self, version: int, path: Path) -> bool:
        if version in self._entries:
            return False
        return version not in self._failed or self._failed[version] != fingerprint(path)

    def _load(self, version: int, path: Path) -> None:
        self._set_status(VersionStatus(version, State.START))
        self._set_status(VersionStatus(version, State.LOADING))
        # Computed before loading: files that are written meanwhile must lead to another attempt.
        print_of_files = fingerprint(path)
        started = time.monotonic()
        try:
            served = _load_version(version, path)
        except Exception as error:
            code = error.code if isinstance(error, RequestError) else Code.UNKNOWN
            log.error("version %d of %s cannot be loaded", version, self.name, exc_info=error)
            self._failed[version] = print_of_files
            self._set_status(VersionStatus(version, State.END, code, str(error) or type(error).__name__))
            return
        self._failed.pop(version, None)
        with self._lock:
            self._entries[version] = _Entry(served)
            self._open_entries += 1
        log.info("version %d of %s loaded in %.1f s", version, self.name, time.monotonic() - started)
        self._set_status(VersionStatus(version, State.AVAILABLE))

    def _retire(self, versions: list[int]) -> None:
        for version in versions:
            with self._lock:
                entry = self._entries.pop(version)
                entry.retired = True
                unused = not entry.uses
            self._set_status(VersionStatus(version, State.UNLOADING))
            if unused:
                self._close_entry(entry)

    def _close_entry(self, entry: _Entry) -> None:
        entry.served.model.close()
        version = entry.served.version
        with self._all_closed:
            self._open_entries -= 1
            self._all_closed.notify_all()
            # The same version may have been loaded again while the last request of the old one was in progress.
            current = self._statuses[version].state in (State.AVAILABLE, State.UNLOADING) and version in self._entries
        if not current:
            self._set_status(VersionStatus(version, State.END))

    def _set_status(self, status: VersionStatus) -> None:
        with self._lock:
            self._statuses[status.version] = status
        if self._on_change:
            self._on_change(status)


def not_found(name: str, version: int | None) -> RequestError:
    """TensorFlow Serving's error for a model or version that is not loaded."""
    wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return RequestError(Code.NOT_FOUND, f"Servable not found for request: {wanted}")


def _load_version(version: int, path: Path) -> ServedVersion:
    from serving.warmup import read_warmup, replay

    description = read_description(path)
    warmup = read_warmup(path)
    model = LoadedModel(path)
    try:
        for prediction_log in warmup:
            replay(model, prediction_log)
    except BaseException:
        model.close()
        raise
    return ServedVersion(version, model, path, description)


GREATEST = 2**63 - 1
_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,40}\s*", re.ASCII)


def complete_versions(base: Path) -> dict[int, Path] | None:
    """The versions that can be loaded: numbered folders with a saved_model.pb.

    Returns:
        Version → folder; None if there is no base path, as while it is being replaced.
    """
    try:
        folders = list(base.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return None
    versions: dict[int, Path] = {}
    for folder in sorted(folders):
        number = _number(folder.name)
        if number is not None and (folder / SAVED_MODEL).is_file():
            versions.setdefault(number, folder)
    return versions


def newest_number(base: Path) -> tuple[int, str] | None:
    """The number and name of TensorFlow Serving's newest version, whether it can be loaded or not.

    That is any file or folder whose name absl::SimpleAtoi reads (sources/storage_path/
    file_system_storage_path_source.cc).
    """
    try:
        names = [path.name for path in base.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return None
    numbers = [(int(name), name) for name in names if _NUMBER.fullmatch(name)]
    return max((one for one in numbers if -GREATEST <= one[0] <= GREATEST), default=None)


def fingerprint(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """The names, sizes and times of all files in a folder, which change whenever a file is written."""
    files = []
    for path in sorted(folder.rglob("*")):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        files.append((path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns))
    return tuple(files)


def _number(name: str) -> int | None:
    if not (name.isascii() and name.isdigit()):
        return None
    return number if (number := int(name[:40])) <= GREATEST else None
