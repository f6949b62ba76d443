"""``/docs``: the content of ``/openapi.json`` as a page for people. The page needs no script."""

import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.web.errors import STATUS
from gateway.web.pages.render import Pages
from gateway.web.request import Request
from gateway.web.schemas.openapi import describe

_FRAME_EXAMPLE = """\
<iframe id="player" src="ORIGIN/recordings/RECORDING?ticket=TICKET" allow="autoplay; fullscreen"></iframe>
<button id="minute">Play from 0:08</button> <output id="position"></output>
<script>
  const send = (message) => player.contentWindow.postMessage({ source: "valt-gateway", v: 1, ...message }, "ORIGIN");
  minute.onclick = () => { send({ type: "seek", seconds: 8 }); send({ type: "play" }); };
  addEventListener("message", ({ origin, data }) => {
    if (origin !== "ORIGIN" || data.source !== "valt-gateway") return;
    position.value = data.ended ? "The end" : data.seconds.toFixed(0);
  });
</script>"""


class ApiDocsHandlers:
    """The page is built once, when the configuration is loaded. *public_url* is in its examples."""

    def __init__(self, pages: Pages, *, public_url: str) -> None:
        self._pages = pages
        origin = public_url.rstrip("/")
        self._contents = {
            **page_contents(describe()),
            "origin": origin,
            "frame_example": _FRAME_EXAMPLE.replace("ORIGIN", origin),
            "errors": error_table(),
        }

    async def page(self, request: Request) -> web.StreamResponse:
        """GET /docs"""
        return self._pages.reference(request, self._contents)


def error_table() -> list[tuple[int, str, str]]:
    """Returns status, code and detail of every error that is rendered, once for each code."""
    rows: dict[tuple[int, str], str] = {}
    for error, status in STATUS.items():
        rows.setdefault((status, error.code), error.detail)
    return [(status, code, detail) for (status, code), detail in sorted(rows.items())]


def page_contents(description: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the OpenAPI *description* as the template needs it: references resolved, and the methods of a path that
    have the same summary merged."""
    parts = description["components"]
    return {
        "proofs": [
            (scheme.get("name") or f"Authorization: {scheme['scheme'].title()}", scheme["description"])
            for scheme in parts["securitySchemes"].values()
        ],
        "paths": [
            {"path": path, "id": re.sub(r"\W+", "-", path).strip("-") or "home", "operations": _operations(item, parts)}
            for path, item in description["paths"].items()
        ],
    }


def _operations(item: Mapping[str, Any], parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    operations: dict[str, dict[str, Any]] = {}
    for method, operation in item.items():
        if method == "parameters":
            continue
        if operation["summary"] in operations:
            operations[operation["summary"]]["methods"].append(method.upper())
            continue
        operations[operation["summary"]] = {
            "methods": [method.upper()],
            "summary": operation["summary"],
            "open": not operation["security"],
            "parameters": [
                _resolve(parameter, parts) for parameter in [*item.get("parameters", []), *operation["parameters"]]
            ],
            "asks": _example(operation.get("requestBody", {}), parts),
            "answers": [
                {
                    "status": status,
                    "description": answer["description"],
                    "example": _example(answer, parts) if status.startswith("2") else None,
                }
                for status, answer in sorted(operation["responses"].items())
            ],
        }
    return list(operations.values())


def _resolve(value: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the component that *value* refers to, or *value* itself if it is no reference."""
    if "$ref" not in value:
        return value
    kind, name = value["$ref"].split("/")[-2:]
    component: Mapping[str, Any] = parts[kind][name]
    return component


def _example(body: Mapping[str, Any], parts: Mapping[str, Any]) -> str | None:
    """Returns an example of the JSON that *body* may have, or None if it is not JSON."""
    content = body.get("content", {}).get("application/json")
    value = None if content is None else _example_value(content["schema"], parts)
    return json.dumps(value, indent=2, ensure_ascii=False) if value else None


def _example_value(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Any:
    schema = _resolve(schema, parts)
    if "const" in schema or "enum" in schema:
        return schema.get("const") or schema["enum"][0]
    kind = schema["type"][0] if isinstance(schema["type"], list) else schema["type"]
    match kind:
        case "object":
            return {name: _example_value(value, parts) for name, value in schema.get("properties", {}).items()}
        case "array":
            return [_example_value(schema["items"], parts)] if "items" in schema else []
        case "integer" | "number":
            return 0
        case _:
            return "2027-01-31T09:00:00Z" if schema.get("format") == "date-time" else "…"
