"""``/openapi.json``: the description of the public listener in OpenAPI 3.1. A test compares it with the routes."""

import json
from importlib.metadata import version
from typing import Any

from aiohttp import web

from gateway.web.schemas import openapi_components as schemas
from gateway.web.schemas.openapi_operations import (
    SIGN_IN,
    VALT_ERRORS,
    body,
    empty,
    forward_auth,
    html,
    json_or_page,
    operation,
    page,
    read,
    ref,
    valt_api,
)

_PREFLIGHT = {
    "options": operation(
        "What a page on another site may request (CORS preflight)",
        {"204": empty("The allowed origin, methods and headers")},
        credentials=False,
    )
}

_VIDEO = read(
    "A video: its bytes, or a redirect to them, as the grant says",
    {
        "200": {
            **body(
                "The video, or with Accept: application/json its address. For a browser that follows a ticket of "
                "another person than it is signed in as: a page that asks which of the two to be",
                "Address",
            ),
            "content": {
                "video/*": {"schema": schemas.BYTES},
                "text/html": {"schema": {"type": "string"}},
                "application/json": {"schema": ref("schemas", "Address")},
            },
        },
        "206": {
            **empty("One or several ranges of the video (RFC 9110, 14)"),
            "content": {"video/*": {"schema": schemas.BYTES}, "multipart/byteranges": {"schema": schemas.BYTES}},
        },
        **SIGN_IN,
        "304": empty("Not modified"),
        "307": empty("To VALT's media server, if the grant's delivery is redirect"),
        "412": empty("A precondition failed"),
        "416": empty("The range cannot be satisfied"),
    },
    parameters=("ticket", "download", "access_token", "range"),
)

_RECORDING = read(
    "A recording and the videos of it that the person may see: the watch page, or JSON",
    {
        "200": json_or_page("The recording", "Recording"),
        **SIGN_IN,
    },
    parameters=("ticket",),
)

_RECORDINGS = read(
    "The recordings that the person may see, newest first: a page with a search box, or JSON",
    {
        "200": json_or_page("One page of the list", "Recordings"),
        **SIGN_IN,
    },
    parameters=("q", "since", "until", "room", "author", "page", "ticket"),
)


def _text_track(summary: str) -> dict[str, Any]:
    answers = {
        "200": body("The text track; empty if there is nothing to show", {"type": "string"}, "text/vtt"),
        **SIGN_IN,
    }
    operations = read(summary, answers, parameters=("ticket",))
    return {**operations, **_PREFLIGHT, "parameters": [ref("parameters", "recording")]}


PATHS: dict[str, Any] = {
    "/recordings/{recording}/videos/{video}": {
        **_VIDEO,
        **_PREFLIGHT,
        "parameters": [ref("parameters", "recording"), ref("parameters", "video")],
    },
    "/recordings/{recording}": {**_RECORDING, **_PREFLIGHT, "parameters": [ref("parameters", "recording")]},
    "/recordings/{recording}/captions.vtt": _text_track("A recording's transcript as captions (WebVTT)"),
    "/recordings/{recording}/chapters.vtt": _text_track("A recording's markers as chapters (WebVTT)"),
    "/recordings": _RECORDINGS,
    "/oauth2/start": page(
        "Sign in at the provider",
        {
            "200": html(
                "A page that continues the sign-in: to choose one of several providers, or to preserve the fragment "
                "(#) of the address"
            ),
            "302": empty("To the provider"),
        },
        parameters=("rd", "provider"),
    ),
    "/oauth2/callback": page(
        "The address to which the provider redirects people",
        {"303": empty("Signed in; to the requested page")},
        parameters=("code", "state"),
    ),
    "/oauth2/sign_out": {
        **page(
            "Signs out if one of this gateway's pages leads here; else the sign-out page, with one button",
            {"200": html("The page")},
        ),
        "post": operation(
            "Sign out; only from this gateway's own pages",
            {"200": html("Signed out, with a Refresh header to the provider's sign-out")},
            credentials=False,
        ),
    },
    "/oauth2/switch": {
        "post": operation(
            "Confirms that the browser becomes the person of a ticket; only from the page that asked",
            {"303": empty("Signed in as that person; to the requested page")},
            credentials=False,
            request_body=("Switch", "application/x-www-form-urlencoded"),
        )
    },
    "/oauth2/backchannel_logout": {
        "post": operation(
            "A provider's notice that a person or a session has signed out (OpenID Connect Back-Channel Logout 1.0)",
            {"200": empty("The sessions are ended")},
            credentials=False,
            request_body=("LogoutToken", "application/x-www-form-urlencoded"),
        )
    },
    "/oauth2/userinfo": read("The authenticated identity", {"200": body("The identity", "Person")}),
    "/oauth2/auth": forward_auth(
        "Forward authentication: whether the request that a front proxy received is allowed (no redirects)",
        "202",
        ("original_uri", "forwarded_uri"),
    ),
    "/oauth2/auth/{path}": forward_auth(
        "Forward authentication for Envoy, whose ext_authz puts a prefix before the original path", "200", ("path",)
    ),
    "/api/v3/login": valt_api(
        "post",
        "Exchanges a service key's name and secret for an access token that is valid for an hour",
        {"200": body("The token", "ValtLogin"), "401": body("The name or the secret is wrong", "ValtLoginFailed")},
        credentials=False,
        request_body=("ValtCredentials", "application/json"),
    ),
    "/api/v3/records": valt_api(
        "post",
        "Search the recordings that the caller may see",
        {"200": body("The recordings", "ValtRecords")},
        request_body=("ValtQuery", "application/json"),
    ),
    "/api/v3/records/{recording}": valt_api(
        "get",
        "A recording's details",
        {"200": body("The recording", "ValtRecord")},
        parameters=("recording",),
    ),
    "/api/v3/records/download/{recording}/{video}": valt_api(
        "get",
        "A link to a video at this gateway, valid for an hour",
        {"200": body("The link", "ValtLink"), "404": body("No such video, or not for the caller", "ValtNotFound")},
        parameters=("recording", "video"),
    ),
    "/api/v3/comment/record/{recording}": valt_api(
        "get",
        "The comments on a recording, as a bare list",
        {"200": body("The comments", "ValtComments")},
        parameters=("recording",),
    ),
    "/api/v3/admin/general": valt_api("get", "VALT's version", {"200": body("The version", "ValtGeneral")}),
    "/api/v3/rooms/info/{room}": valt_api(
        "get",
        "A room of which the caller may see a recording; what is being recorded in it only if the caller may see that",
        {"200": body("The room", "ValtRoom")},
        parameters=("room_id",),
    ),
    "/api/v3/rooms/info": valt_api(
        "get", "The rooms of which the caller may see a recording", {"200": body("The rooms", "ValtRooms")}
    ),
    "/api/v3/{call}": {
        method: {
            **operation(
                "Every other call of VALT's API (not offered)",
                {},
                problems={"404": VALT_ERRORS["404"]},
                credentials=False,
            ),
            "parameters": [ref("parameters", "call")],
        }
        for method in ("get", "put", "post", "delete", "patch")
    },
    "/assets/{edition}/{name}": read(
        "Scripts, styles and pictures of the pages",
        {"200": body("A style sheet, script or picture", schemas.BYTES, "*/*")},
        credentials=False,
        parameters=("edition", "name"),
    ),
    "/openapi.json": read("This description", {"200": body("OpenAPI 3.1", {"type": "object"})}, credentials=False),
    "/docs": read("This description, as a page", {"200": html("A page")}, credentials=False),
    "/robots.txt": read(
        "Instructions for crawlers: index nothing",
        {"200": body("Deny all", {"type": "string"}, "text/plain")},
        credentials=False,
    ),
    "/": read(
        "The home page, with the authenticated identity",
        {"200": html("A page")},
        credentials=False,
    ),
}


def describe() -> dict[str, Any]:
    """Returns the whole description."""
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
