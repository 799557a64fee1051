"""The interface of all clients."""

import abc
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import numpy as np

from serving.client.retries import Policy
from serving.errors import Code, RequestError, invalid
from serving.rows import columns_of_rows, require_values
from serving.signatures import COLUMNS, Signature


@dataclass(frozen=True)
class RemoteModel:
    """A served model, and how it is called. With neither a version nor a label, its newest version answers.

    Attributes:
        signature: the signature's name.
        headers: sent with each request.
        certificates: a PEM file of certificate authorities; None: those that the system trusts.

    Raises:
        ValueError: both a version and a label are given.
    """

    name: str
    version: int | None
    label: str | None
    signature: str
    policy: Policy
    headers: Mapping[str, str]
    certificates: Path | None

    def __post_init__(self) -> None:
        if self.version is not None and self.label is not None:
            raise ValueError("give a version or a label, not both")

    @property
    def path(self) -> str:
        """The model's path in URLs of the REST API."""
        part = f"/v1/models/{quote(self.name, safe='')}"
        if self.version is not None:
            return f"{part}/versions/{self.version}"
        return f"{part}/labels/{quote(self.label, safe='')}" if self.label is not None else part


class Client(abc.ABC):
    """A signature of a model, as a function. A client may be shared by threads."""

    def __init__(self, signature_name: str):
        self.signature_name = signature_name
        self._signature: Signature | None = None
        self._lock = threading.Lock()

    @property
    def signature(self) -> Signature:
        """The inputs and outputs; the server is asked once.

        Raises:
            RequestError: the model does not answer, or has no such signature.
        """
        with self._lock:
            if self._signature is None:
                self._signature = self._read_signature()
            return self._signature

    def predict(self, columns: Mapping[str, Any], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Answers one request.

        Args:
            columns: input → array or list [rows] or [rows, length]; texts as str or bytes, missing values as "" or
                NaN. An input with a default may be absent; one without is required in every row.
            outputs: the outputs to return; by default all.

        Returns:
            Output → array [rows, …], strings as object arrays of bytes.

        Raises:
            RequestError: INVALID_ARGUMENT for wrong inputs, DEADLINE_EXCEEDED or UNAVAILABLE if there is no answer in
                time, else the error of the model or its server.
        """
        signature = self.signature
        unknown = [name for name in outputs or () if name not in signature.outputs]
        if unknown:
            raise invalid(f"the model has no output '{unknown[0]}'; there are {', '.join(sorted(signature.outputs))}")
        arrays = signature.arrays(columns)
        if self.signature_name == COLUMNS:
            require_values(signature, arrays)
        return self._predict(arrays, outputs)

    def predict_rows(
        self, rows: Sequence[Mapping[str, Any]], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """As `predict`, for rows: column → value; a missing value is None or absent.

        Raises:
            RequestError: as `predict`; a wrong value is named by its row, from 1, and column.
        """
        if not rows:
            raise invalid("a request must have at least one row")
        return self.predict(columns_of_rows(self.signature, rows), outputs)

    @abc.abstractmethod
    def close(self) -> None:
        """Frees connections and memory; no request may be in progress."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @abc.abstractmethod
    def _read_signature(self) -> Signature: ...

    def _definition(self, known: Mapping[str, Any]) -> Any:
        """The signature's definition among those of the model."""
        if self.signature_name not in known:
            there = ", ".join(sorted(known)) or "none"
            reason = f"the model has no signature '{self.signature_name}'; it has {there}"
            raise RequestError(Code.FAILED_PRECONDITION, reason)
        return known[self.signature_name]

    @abc.abstractmethod
    def _predict(self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None) -> dict[str, np.ndarray]: ...
