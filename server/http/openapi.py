"""`/api/openapi.json`, made of the table of routes: what is served is what is described.

Owner: made once at the start. Follows OpenAPI 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from server.http.limits import PER_MINUTE
from server.http.shapes import ErrorAnswer
from server.http.table import Row

_UPLOAD: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "additionalProperties": False,
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "title": {"type": "string"},
        "artist": {"type": "string"},
    },
}


def describe(rows: Sequence[Row], version: str) -> dict[str, Any]:
    """Return the document."""
    types = [kind for row in rows for kind in (row.answer, row.body, row.query) if kind is not None] + [ErrorAnswer]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    of = dict(zip(map(_key, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        path = re.sub(r"{(\w+):\w+}", r"{\1}", row.path)
        paths.setdefault(path, {})[row.method.lower()] = _operation(row, of, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sound Forge Alchemy",
            "version": version,
            "description": "Requests a minute: " + ", ".join(f"{name} {limit}" for name, limit in PER_MINUTE.items()),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{"bearer": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "alchemy_session_PORT"},
            },
        },
    }


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(row: Row, of: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"} | ({} if kind else _uuid(name))}
        for name, kind in re.findall(r"{(\w+)(:\w+)?}", row.path)
    ]
    if row.query is not None:
        shape = components[row.query.__name__]
        parameters += [
            {"name": name, "in": "query", "required": name in shape.get("required", ()), "schema": schema}
            for name, schema in shape["properties"].items()
        ]
    answer: dict[str, Any] = {"description": row.summary}
    if row.media:
        answer["content"] = {row.media: {"schema": {"type": "string", "format": "binary"}}}
    elif row.status != 204:
        answer["content"] = {"application/json": {"schema": of[_key(row.answer)] if row.answer else {"type": "object"}}}
    error = {"description": "What went wrong", "content": {"application/json": {"schema": of[_key(ErrorAnswer)]}}}
    operation: dict[str, Any] = {
        "operationId": row.handler.__name__ + ("_" + row.tag if row.path.endswith("/tracks") else ""),
        "summary": row.summary,
        "tags": [row.tag],
        "parameters": parameters,
        "responses": {str(row.status): answer, "default": error},
    }
    if row.raw:
        binary = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": binary}}
    elif row.upload:
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": _UPLOAD}}}
    elif row.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": of[_key(row.body)]}}}
    if row.public:
        operation["security"] = []
    return operation


def _uuid(_name: str) -> dict[str, str]:
    return {"format": "uuid"}
