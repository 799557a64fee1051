"""TF Serving's REST API (https://www.tensorflow.org/tfx/serving/api_rest), in the columnar form of its JSON."""

import base64
import json
import ssl
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

from serving.client.base import Client, RemoteModel
from serving.errors import Code, RequestError
from serving.signatures import COLUMNS, STRING, Signature, TensorInfo, signature_of_json, with_assumed_defaults

_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    409: Code.ABORTED,
    412: Code.FAILED_PRECONDITION,
    413: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    500: Code.INTERNAL,
    501: Code.UNIMPLEMENTED,
    # From a proxy that cannot reach the server.
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}


class RestClient(Client):
    """See `connect`."""

    def __init__(self, url: str, model: RemoteModel):
        super().__init__(model.signature)
        self._base = url.rstrip("/") + model.path
        self._policy = model.policy
        verify = ssl.create_default_context(cafile=str(model.certificates)) if model.certificates else True
        self._http = httpx.Client(headers={"content-type": "application/json", **model.headers}, verify=verify)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _read_signature(self) -> Signature:
        answer = self._call("GET", f"{self._base}/metadata")
        try:
            signature = signature_of_json(self._definition(answer["metadata"]["signature_def"]["signature_def"]))
            return with_assumed_defaults(signature) if self.signature_name == COLUMNS else signature
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RequestError(Code.INTERNAL, f"{self._base}/metadata: not the metadata of a model: {error}") from error

    def _predict(self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None) -> dict[str, np.ndarray]:
        request = {
            "signature_name": self.signature_name,
            "inputs": {name: _plain(values) for name, values in inputs.items()},
        }
        # NaN and Infinity are written as such: JSON does not allow them, but TF Serving's parser does.
        body = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
        answers = self._call("POST", f"{self._base}:predict", body).get("outputs")
        known = self.signature.outputs
        if len(known) == 1:
            # A single output comes without its name.
            answers = {next(iter(known)): answers}
        if not isinstance(answers, dict) or set(answers) != set(known):
            raise RequestError(Code.INTERNAL, f"{self._base}:predict: the answer has other outputs than the signature")
        return {name: self._array(name, known[name], answers[name]) for name in outputs or sorted(known)}

    def _array(self, name: str, info: TensorInfo, values: Any) -> np.ndarray:
        try:
            array = np.array(values, info.numpy)
        except (TypeError, ValueError) as error:
            raise RequestError(Code.INTERNAL, f"{self._base}:predict: output '{name}' is no tensor: {error}") from error
        if array.ndim == 0 or (info.sizes and array.ndim != len(info.sizes)):
            raise RequestError(
                Code.INTERNAL,
                f"{self._base}:predict: output '{name}' has the shape {list(array.shape)}, not {info.sizes}",
            )
        if info.dtype == STRING:
            flat = array.reshape(-1)
            for index, text in enumerate(flat.tolist()):
                flat[index] = base64.b64decode(text["b64"]) if isinstance(text, dict) else str(text).encode()
        return array

    def _call(self, method: str, url: str, body: bytes | None = None) -> dict[str, Any]:
        return self._policy.call(lambda seconds: self._attempt(method, url, body, seconds))

    def _attempt(self, method: str, url: str, body: bytes | None, seconds: float) -> dict[str, Any]:
        end = self._policy.clock() + seconds
        late = RequestError(Code.DEADLINE_EXCEEDED, f"{url}: no answer within {self._policy.deadline_seconds:g} s")
        try:
            with self._http.stream(method, url, content=body, timeout=seconds) as response:
                parts = []
                for part in response.iter_bytes():
                    parts.append(part)
                    # httpx limits the time of each read, not of all together.
                    if self._policy.clock() > end:
                        raise late
        except httpx.TimeoutException as error:
            raise late from error
        except httpx.TransportError as error:
            raise RequestError(Code.UNAVAILABLE, f"{url}: {str(error) or type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise RequestError(Code.INTERNAL, f"{url}: {error}") from error
        return _read(url, response.status_code, b"".join(parts))


def _read(url: str, status: int, body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError as error:
        answer = error
    if status != 200:
        message = answer.get("error") if isinstance(answer, dict) else None
        text = str(message) if message else body[:200].decode("utf-8", "replace").strip()
        raise RequestError(_CODES.get(status, Code.UNKNOWN), f"{url}: HTTP {status}: {text}")
    if not isinstance(answer, dict):
        raise RequestError(Code.INTERNAL, f"{url}: the answer is not a JSON object: {answer}")
    return answer


def _plain(values: np.ndarray) -> Any:
    if values.dtype != object:
        return values.tolist()
    plain = np.empty(values.shape, object)
    plain.reshape(-1)[:] = [_text(text) for text in values.reshape(-1).tolist()]
    return plain.tolist()


def _text(text: bytes) -> Any:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(text).decode()}
