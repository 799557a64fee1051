"""The server's fixtures: predictions are asked of it too."""

from tests.serving.server.conftest import client, publish, tiny_models

__all__ = ["client", "publish", "tiny_models"]
