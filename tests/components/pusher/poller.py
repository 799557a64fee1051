"""What TensorFlow Serving makes of a folder of versions, on a clock of its own.

As its sources 2.16 to 2.20 have it, below tensorflow_serving/:
sources/storage_path/file_system_storage_path_source.cc  which folders are versions: any whose name is a number, at once
util/retrier.cc, core/loader_harness.cc                  how often a load is tried, and when
core/aspired_versions_manager.cc                         a failed version is not tried again while its folder is there
core/availability_preserving_policy.cc                   the version before stays until the newer one is loaded
"""

import tensorflow as tf

from components.pusher.layout import join

gfile = tf.io.gfile
MODEL, VARIABLES = "saved_model.pb", "variables/variables.index"
WARMUP = "assets.extra/tf_serving_warmup_requests"
"""A version without it loads all the same, and its first request is slow."""


class Poller:
    """A server with the version policy `latest`.

    Attributes:
        base: the folder.
        now: seconds since its start.
        served: version → its files' contents as they were when it was loaded.
        failed: the versions whose tries are used up.
    """

    def __init__(self, base: str, poll_seconds: float = 10, retry_seconds: float = 60, tries: int = 6):
        self.base = base
        self.now = 0.0
        self.served: dict[int, dict[str, str]] = {}
        self.failed: set[int] = set()
        self._poll_seconds, self._retry_seconds, self._tries = poll_seconds, retry_seconds, tries
        self._next_poll = 0.0
        self._loading: int | None = None
        self._tried = 0
        self._next_try = 0.0

    def restart(self) -> None:
        """As a new process."""
        self.served.clear()
        self.failed.clear()
        self._loading = None
        self._next_poll = self.now
        self.pass_time(0)

    def pass_time(self, seconds: float) -> None:
        """Polls, and tries to load, as often as is due; a try of its own takes no time."""
        end = self.now + seconds
        while True:
            due = min(self._next_poll, self._next_try if self._loading is not None else self._next_poll)
            if due > end:
                break
            self.now = max(self.now, due)
            if self._next_poll <= due:
                self._poll()
            elif self._loading is not None:
                self._try()
        self.now = end

    def _poll(self) -> None:
        self._next_poll = self.now + self._poll_seconds
        # An object store's list may hold whole paths.
        names = {name.partition("/")[0] for name in gfile.listdir(self.base)} if gfile.exists(self.base) else set()
        newest = max((int(name) for name in names if name.lstrip("+-").isdecimal()), default=None)
        self.failed &= {newest}
        if newest is None or newest in self.served or newest in self.failed:
            self._loading = None
        elif newest != self._loading:
            self._loading, self._tried, self._next_try = newest, 0, self.now
            self._try()

    def _try(self) -> None:
        assert self._loading is not None
        files = self._files(self._loading)
        self._tried += 1
        if MODEL in files and VARIABLES in files:
            self.served = {self._loading: files}
            self._loading = None
        elif self._tried == self._tries:
            self.failed.add(self._loading)
            self._loading = None
        else:
            self._next_try = self.now + self._retry_seconds

    def _files(self, version: int) -> dict[str, str]:
        found = {}
        for name in (MODEL, VARIABLES, WARMUP):
            path = join(self.base, version, name)
            if gfile.exists(path):
                with gfile.GFile(path) as file:
                    found[name] = str(file.read())
        return found
