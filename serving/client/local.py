"""Calls a model in a folder, in this process."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from serving.client.base import Client
from serving.description import ModelDescription, read_description
from serving.signatures import COLUMNS, Signature, signature_of


class LocalClient(Client):
    """Loads a model and answers as a server of it would.

    with LocalClient("models/flights/1795602333") as client:
        client.predict({"carrier": ["EV"], "distance": [719.0]})

    Attributes:
        path: the version's folder.
    """

    def __init__(self, path: Path | str, signature: str = COLUMNS, threads: int | None = None):
        """Loads the model from a version's folder, for as many of TensorFlow's threads; by default one per core.

        Raises:
            RequestError: it cannot be loaded.
        """
        # TensorFlow takes seconds to load, and remote clients do not need it.
        from serving.saved_model import LoadedModel

        super().__init__(signature)
        self.path = str(path)
        self._model = LoadedModel(path, threads)

    @property
    def description(self) -> ModelDescription | None:
        """The model's description, if it has one."""
        return read_description(self.path)

    def close(self) -> None:
        """Frees the model."""
        self._model.close()

    def _read_signature(self) -> Signature:
        return signature_of(self._definition(self._model.signatures))

    def _predict(self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None) -> dict[str, np.ndarray]:
        return self._model.run(self.signature_name, inputs, outputs)
