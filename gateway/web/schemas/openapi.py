"""``/openapi.json``: what the public listener answers, for programs (OpenAPI 3.1). Held to the routes by a test."""

import json
from importlib.metadata import version
from typing import Any

from aiohttp import web

from gateway.web.schemas import openapi_components as schemas

_PROOFS: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}, {"service_key": []}]
_HEADERS = {"X-Request-ID": {"description": "names this request in the log and audit", "schema": {"type": "string"}}}


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _body(description: str, schema: dict[str, Any] | str, media: str = "application/json") -> dict[str, Any]:
    told = _ref("schemas", schema) if isinstance(schema, str) else schema
    return {"description": description, "headers": _HEADERS, "content": {media: {"schema": told}}}


def _bare(description: str) -> dict[str, Any]:
    return {"description": description, "headers": _HEADERS}


def _both(description: str, schema: str) -> dict[str, Any]:
    """JSON for a script, a page for a browser."""
    answer = _body(description, schema)
    answer["content"]["text/html"] = {"schema": {"type": "string"}}
    return answer


def _problem(description: str) -> dict[str, Any]:
    answer = _body(description, "Problem", "application/problem+json")
    answer["content"]["text/html"] = {"schema": {"type": "string"}}
    return answer


_PROBLEMS = {
    "400": _problem("bad_request: what two programs could read differently, or no HTTP at all"),
    "401": _problem("credentials_missing or credentials_invalid"),
    "403": _problem("access_denied: no rule fits"),
    "404": _problem("video_invalid, video_not_found or not_found"),
    "405": _problem("method_not_allowed"),
    "410": _problem("recording_expired: VALT's retention is over"),
    "429": _problem("too_many_requests, with Retry-After"),
    "431": _problem("headers_too_large"),
    "500": _problem("internal"),
    "502": _problem("valt_response, valt_login or link_refused"),
    "503": _problem("valt_unavailable, identity_provider or busy, with Retry-After"),
    "504": _problem("valt_timeout"),
}
_VALTS = {
    "400": _problem("bad_request: what two programs could read differently"),
    "401": _body("No proof, or proof that is bad", "ValtError"),
    "404": _body("No such thing, or the caller may not see it", "ValtError"),
    "429": _body("Too many requests, with Retry-After", "ValtError"),
    "500": _body("The body is no JSON object", "ValtError"),
    "502": _body("VALT answered nonsense", "ValtError"),
    "503": _body("VALT cannot be reached, with Retry-After", "ValtError"),
    "504": _body("VALT did not answer in time", "ValtError"),
}


def _operation(
    summary: str,
    answers: dict[str, Any],
    *,
    problems: dict[str, Any] | None = None,
    proof: bool = True,
    parameters: tuple[str, ...] = (),
    asks: tuple[str, str] | None = None,
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "summary": summary,
        "parameters": [_ref("parameters", name) for name in parameters],
        "responses": {**(_PROBLEMS if problems is None else problems), **answers},
        "security": _PROOFS if proof else [],
    }
    if asks is not None:
        schema, media = asks
        told["requestBody"] = {"content": {media: {"schema": _ref("schemas", schema)}}}
    return told


def _read(summary: str, answers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """GET and HEAD."""
    head = {status: {k: v for k, v in told.items() if k != "content"} for status, told in answers.items()}
    bare = {status: _bare(told["description"]) for status, told in _PROBLEMS.items()}
    return {
        "get": _operation(summary, answers, **more),
        "head": _operation(summary, head, **{**more, "problems": bare}),
    }


def _page(summary: str, answers: dict[str, Any], parameters: tuple[str, ...] = ()) -> dict[str, Any]:
    """For browsers, GET alone."""
    return {"get": _operation(summary, answers, proof=False, parameters=parameters)}


def _api(method: str, summary: str, answers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {method: _operation(summary, answers, problems=_VALTS, **more)}


_PREFLIGHT = {
    "options": _operation("What a page on another site may ask (CORS)", {"204": _bare("What it may")}, proof=False)
}

_VIDEO = _read(
    "A video: its bytes, or where they are, as the grant says",
    {
        "200": {
            **_body("The film, or with Accept: application/json its address", "Address"),
            "content": {
                "video/*": {"schema": schemas.BYTES},
                "application/json": {"schema": _ref("schemas", "Address")},
            },
        },
        "206": {
            **_bare("A part of the film, or several (RFC 9110, 14)"),
            "content": {"video/*": {"schema": schemas.BYTES}, "multipart/byteranges": {"schema": schemas.BYTES}},
        },
        "302": _bare("To sign-in, for a browser"),
        "303": _bare("A ticket was taken; the same address without it"),
        "304": _bare("Not modified"),
        "307": _bare("At VALT, where the grant redirects"),
        "412": _bare("A precondition failed"),
        "416": _bare("No such part"),
    },
    parameters=("ticket", "download", "access_token", "range"),
)

_RECORDING = _read(
    "A recording with those of its videos that the person may see: the watch page, or JSON",
    {
        "200": _both("The recording", "Recording"),
        "302": _bare("To sign-in, for a browser"),
        "303": _bare("A ticket was taken; the same address without it"),
    },
    parameters=("ticket",),
)

_RECORDINGS = _read(
    "The recordings that the person may see, newest first: a page to search, or JSON",
    {
        "200": _both("One page of them", "Recordings"),
        "302": _bare("To sign-in, for a browser"),
        "303": _bare("A ticket was taken; the same address without it"),
    },
    parameters=("q", "page", "ticket"),
)

PATHS: dict[str, Any] = {
    "/recordings/{recording}/videos/{video}": {
        **_VIDEO,
        **_PREFLIGHT,
        "parameters": [_ref("parameters", "recording"), _ref("parameters", "video")],
    },
    "/recordings/{recording}": {**_RECORDING, **_PREFLIGHT, "parameters": [_ref("parameters", "recording")]},
    "/recordings": _RECORDINGS,
    "/oauth2/start": _page(
        "Sign in at the provider",
        {
            "200": _body(
                "A page that leads on: to the one of several providers that is chosen, or where a browser may hold a "
                "moment behind #",
                {"type": "string"},
                "text/html",
            ),
            "302": _bare("To the provider"),
        },
        parameters=("rd", "provider"),
    ),
    "/oauth2/callback": _page(
        "Where the provider sends people back to",
        {"303": _bare("Signed in; to where they wanted to go")},
        parameters=("code", "state"),
    ),
    "/oauth2/sign_out": {
        **_page("A page with one button", {"200": _body("The page", {"type": "string"}, "text/html")}),
        "post": _operation(
            "Sign out, from this gateway's own pages alone",
            {
                "200": _body("Signed out", {"type": "string"}, "text/html"),
                "303": _bare("To the provider, to sign out there"),
            },
            proof=False,
        ),
    },
    "/oauth2/backchannel_logout": {
        "post": _operation(
            "The provider's word that a person or a session has signed out there (Back-Channel Logout 1.0)",
            {"200": _bare("Their sessions are over")},
            proof=False,
            asks=("LogoutToken", "application/x-www-form-urlencoded"),
        )
    },
    "/oauth2/userinfo": _read("Who you are", {"200": _body("The person", "Person")}),
    "/api/v3/login": _api(
        "post",
        "A service key's name and secret for a token that lives an hour",
        {"200": _body("The token", "ValtLogin"), "401": _body("Wrong", "ValtLoginFailed")},
        proof=False,
        asks=("ValtCredentials", "application/json"),
    ),
    "/api/v3/records": _api(
        "post",
        "Search the recordings that the caller may see",
        {"200": _body("The recordings", "ValtRecords")},
        asks=("ValtQuery", "application/json"),
    ),
    "/api/v3/records/{recording}": _api(
        "get",
        "A recording's details",
        {"200": _body("The recording", "ValtRecord")},
        parameters=("recording",),
    ),
    "/api/v3/records/download/{recording}/{video}": _api(
        "get",
        "This gateway's own link to a video, good for an hour",
        {"200": _body("The link", "ValtLink"), "404": _body("No such video, or not for the caller", "ValtNotFound")},
        parameters=("recording", "video"),
    ),
    "/api/v3/rooms/info": _api(
        "get", "The rooms that some rule of the caller's can reach", {"200": _body("The rooms", "ValtRooms")}
    ),
    "/api/v3/{call}": {
        method: {
            **_operation("Any other call of VALT's is not offered", {}, problems={"404": _VALTS["404"]}, proof=False),
            "parameters": [_ref("parameters", "call")],
        }
        for method in ("get", "put", "post", "delete", "patch")
    },
    "/assets/{edition}/{name}": _read(
        "What the pages are made of",
        {"200": _body("A style sheet, script or picture", schemas.BYTES, "*/*")},
        proof=False,
        parameters=("edition", "name"),
    ),
    "/openapi.json": _read("This description", {"200": _body("OpenAPI 3.1", {"type": "object"})}, proof=False),
    "/docs": _read(
        "This description, as a page", {"200": _body("A page", {"type": "string"}, "text/html")}, proof=False
    ),
    "/robots.txt": _read(
        "Nothing here is for robots", {"200": _body("Deny all", {"type": "string"}, "text/plain")}, proof=False
    ),
    "/": _read("Who you are, as a page", {"200": _body("A page", {"type": "string"}, "text/html")}, proof=False),
}


def describe() -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "valt-gateway",
            "version": version("valt-gateway"),
            "summary": "VALT's recordings behind single sign-on.",
        },
        "servers": [{"url": "/"}],
        "paths": PATHS,
        "components": {
            "schemas": schemas.SCHEMAS,
            "parameters": schemas.PARAMETERS,
            "securitySchemes": schemas.SECURITY,
        },
    }


_DOCUMENT = json.dumps(describe()).encode()


async def openapi(_request: web.BaseRequest) -> web.StreamResponse:
    """GET /openapi.json"""
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=_DOCUMENT, content_type="application/json", headers=headers)
