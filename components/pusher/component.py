"""TFX's Pusher, with versions that appear whole, old versions removed, and a cache that knows what is served."""

from typing import Any

from tfx.components.pusher import component as stock
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel

from components.pusher.driver import Driver
from components.pusher.executor import Executor


class Pusher(stock.Pusher):
    """Pushes a blessed model to `base_directory/<version>` and keeps the newest `keep` versions.

    The version is the same as before, and the component cached, while the newest version there is this very model.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(self, model: BaseChannel, model_blessing: BaseChannel, base_directory: str, keep: int):
        custom_config: dict[str, Any] = {"keep": keep}
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            push_destination=pusher_pb2.PushDestination(
                filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=base_directory)
            ),
            custom_config=custom_config,
        )
