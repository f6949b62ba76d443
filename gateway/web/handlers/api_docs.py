"""``/docs``: the description of ``/openapi.json`` as a page for people, which needs no script."""

import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.web.pages.render import Pages
from gateway.web.request import Request
from gateway.web.schemas.openapi import describe


class ReferenceHandlers:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._told = told(describe())

    async def page(self, request: Request) -> web.StreamResponse:
        """GET /docs"""
        return self._pages.reference(request, self._told)


def told(description: Mapping[str, Any]) -> dict[str, Any]:
    """*description* as the page has it: references followed, and the methods of a path that do the same as one."""
    parts = description["components"]
    return {
        "proofs": [
            (scheme.get("name", "Authorization: Bearer"), scheme["description"])
            for scheme in parts["securitySchemes"].values()
        ],
        "paths": [
            {"path": path, "id": re.sub(r"\W+", "-", path).strip("-") or "home", "operations": _operations(item, parts)}
            for path, item in description["paths"].items()
        ],
    }


def _operations(item: Mapping[str, Any], parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    shown: dict[str, dict[str, Any]] = {}
    for method, operation in item.items():
        if method == "parameters":
            continue
        if operation["summary"] in shown:
            shown[operation["summary"]]["methods"].append(method.upper())
            continue
        asked = operation.get("requestBody", {})
        shown[operation["summary"]] = {
            "methods": [method.upper()],
            "summary": operation["summary"],
            "open": not operation["security"],
            "parameters": [
                _followed(parameter, parts) for parameter in [*item.get("parameters", []), *operation["parameters"]]
            ],
            "asks": _example(asked, parts),
            "answers": [
                {
                    "status": status,
                    "description": answer["description"],
                    "example": _example(answer, parts) if status.startswith("2") else None,
                }
                for status, answer in sorted(operation["responses"].items())
            ],
        }
    return list(shown.values())


def _followed(told: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in told:
        return told
    kind, name = told["$ref"].split("/")[-2:]
    found: Mapping[str, Any] = parts[kind][name]
    return found


def _example(body: Mapping[str, Any], parts: Mapping[str, Any]) -> str | None:
    """JSON of the shape that *body* may have, if JSON it is."""
    content = body.get("content", {}).get("application/json")
    shape = None if content is None else _shape(content["schema"], parts)
    return json.dumps(shape, indent=2, ensure_ascii=False) if shape else None


def _shape(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Any:
    schema = _followed(schema, parts)
    if "const" in schema or "enum" in schema:
        return schema.get("const") or schema["enum"][0]
    kind = schema["type"][0] if isinstance(schema["type"], list) else schema["type"]
    match kind:
        case "object":
            return {name: _shape(one, parts) for name, one in schema.get("properties", {}).items()}
        case "array":
            return [_shape(schema["items"], parts)] if "items" in schema else []
        case "integer" | "number":
            return 0
        case _:
            return "2027-01-31T09:00:00Z" if schema.get("format") == "date-time" else "…"
