"""The REST API's OpenAPI description."""

from collections.abc import Collection
from typing import Any

_ERRORS = {
    "400": "The request does not fit the API, the model or the signature.",
    "404": "No such model, or the version is not loaded.",
    "413": "The body is too large.",
    "429": "The model ran out of memory.",
    "501": "The signature has an input of a dtype that JSON cannot represent.",
    "503": "No request can be answered at the moment.",
}


def description(name: str, signatures: Collection[str], labels: Collection[str]) -> dict[str, Any]:
    """The OpenAPI description of a server.

    Args:
        name: the model's name.
        signatures: the signatures of the newest version; empty while there is none.
        labels: the labels of versions.
    """
    paths: dict[str, Any] = {}
    for suffix, parameters in (
        ("", []),
        ("/versions/{version}", [_parameter("version", {"type": "integer", "minimum": 0, "maximum": 2**63 - 1})]),
        ("/labels/{label}", [_parameter("label", _one_of(labels))]),
    ):
        base = f"/v1/models/{{model}}{suffix}"
        shared = [_parameter("model", _one_of([name])), *parameters]
        for verb, body, answer in (
            ("predict", "PredictRequest", "PredictResponse"),
            ("classify", "ExamplesRequest", "ClassifyResponse"),
            ("regress", "ExamplesRequest", "RegressResponse"),
        ):
            content = {"application/json": {"schema": _reference(body)}}
            paths[f"{base}:{verb}"] = {
                "parameters": shared,
                "post": {"requestBody": {"required": True, "content": content}, "responses": _responses(answer)},
            }
        paths[base] = {"parameters": shared, "get": {"responses": _responses("StatusResponse")}}
        paths[f"{base}/metadata"] = {"parameters": shared, "get": {"responses": _responses("MetadataResponse")}}
    return {
        "openapi": "3.0.3",
        "info": {"title": f"{name}, as TensorFlow Serving's REST API", "version": "1"},
        "paths": paths,
        "components": {"schemas": {**_SCHEMAS, "SignatureName": _one_of(signatures)}},
    }


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _one_of(values: Collection[str]) -> dict[str, Any]:
    known = {"enum": sorted(values)} if values else {}
    return {"type": "string", "minLength": 1, **known}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _responses(answer: str) -> dict[str, Any]:
    responses = {"200": {"description": "The answer.", "content": {"application/json": {"schema": _reference(answer)}}}}
    for code, text in _ERRORS.items():
        responses[code] = {"description": text, "content": {"application/json": {"schema": _reference("Error")}}}
    return responses


_SIGNATURE_NAME = _reference("SignatureName")
_OBJECT = {"type": "object"}
_SCHEMAS: dict[str, Any] = {
    "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    "PredictRequest": {
        "oneOf": [
            {
                "type": "object",
                "required": ["instances"],
                "properties": {
                    "signature_name": _SIGNATURE_NAME,
                    "instances": {
                        "type": "array",
                        "minItems": 1,
                        "items": {},
                        "description": "Rows: objects of all inputs, or plain values of the only input.",
                    },
                },
            },
            {
                "type": "object",
                "required": ["inputs"],
                "properties": {
                    "signature_name": _SIGNATURE_NAME,
                    "inputs": {"description": "Columns: an object of all inputs, or the only input's values."},
                },
            },
        ]
    },
    "ExamplesRequest": {
        "type": "object",
        "required": ["examples"],
        "properties": {
            "signature_name": _SIGNATURE_NAME,
            "context": {**_OBJECT, "description": "Features that all examples share."},
            "examples": {"type": "array", "minItems": 1, "items": _OBJECT},
        },
    },
    "PredictResponse": {
        "type": "object",
        "properties": {"predictions": {"type": "array", "items": {}}, "outputs": {}},
    },
    "ClassifyResponse": {
        "type": "object",
        "required": ["results"],
        "properties": {"results": {"type": "array", "items": {"type": "array", "items": {"type": "array"}}}},
    },
    "RegressResponse": {
        "type": "object",
        "required": ["results"],
        "properties": {"results": {"type": "array", "items": {"type": "number"}}},
    },
    "StatusResponse": {
        "type": "object",
        "required": ["model_version_status"],
        "properties": {
            "model_version_status": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "version": {"type": "string"},
                        "state": {"type": "string", "enum": ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]},
                        "status": _OBJECT,
                    },
                },
            }
        },
    },
    "MetadataResponse": {
        "type": "object",
        "required": ["model_spec", "metadata"],
        "properties": {"model_spec": _OBJECT, "metadata": _OBJECT},
    },
}
