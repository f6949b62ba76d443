"""The schemas, parameters and security schemes of ``/openapi.json``."""

from typing import Any

BYTES: dict[str, Any] = {"type": "string", "contentMediaType": "application/octet-stream"}

_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_NUMBER_OR_NULL = {"type": ["number", "null"]}
_TIME_OR_NULL = {"type": ["string", "null"], "format": "date-time"}
_ID = {"type": "string", "pattern": "^[0-9A-Za-z-]{1,64}$"}
_VALT_ID = {"type": ["string", "integer"], "description": "VALT 6 has UUIDs, VALT 5 numbers"}
_DELIVERY = {"enum": ["proxy", "redirect"]}
_NAMED = {"type": "object", "properties": {"id": {"type": ["integer", "null"]}, "name": _TEXT_OR_NULL}}


def _object(required: bool = True, **properties: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return {**schema, "required": list(properties)} if required else schema


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


_ROW: dict[str, Any] = {
    "id": _VALT_ID,
    "name": _TEXT_OR_NULL,
    "created": _NUMBER_OR_NULL,
    "author": _NAMED,
    "type": {"const": "record"},
    "duration": _NUMBER_OR_NULL,
    "room": _NAMED,
    "cameras": {"type": "object", "additionalProperties": _TEXT},
    "sharing": _object(users={"type": "array", "maxItems": 0}, groups={"type": "array", "maxItems": 0}),
}

_FACTS: dict[str, Any] = {
    "recording": _ID,
    "name": _TEXT_OR_NULL,
    "room": _TEXT_OR_NULL,
    "author": _TEXT_OR_NULL,
    "created": _TIME_OR_NULL,
    "duration": _NUMBER_OR_NULL,
}

SCHEMAS: dict[str, Any] = {
    "Problem": _object(
        type={"const": "about:blank"},
        title=_TEXT,
        status={"type": "integer"},
        detail=_TEXT,
        code=_TEXT,
        request_id=_TEXT,
    ),
    "Address": _object(url=_TEXT, expires_at=_TIME_OR_NULL, filename=_TEXT_OR_NULL, delivery=_DELIVERY),
    "Recordings": _object(
        recordings=_list(_object(**_FACTS, url=_TEXT)),
        page={"type": "integer", "minimum": 1},
        total={"type": ["integer", "null"], "description": "null if not every recording was evaluated"},
        complete={"type": "boolean", "description": "false if only a narrower search finds the rest"},
        previous=_TEXT_OR_NULL,
        next=_TEXT_OR_NULL,
    ),
    "Recording": _object(
        **_FACTS,
        videos=_list(
            _object(
                video=_ID,
                name=_TEXT,
                url=_TEXT,
                delivery=_DELIVERY,
                download={"type": "boolean"},
                state={"type": "string", "enum": ["ready", "not_ready"]},
            )
        ),
        markers=_list(_object(seconds={"type": "number"}, name=_TEXT, color=_TEXT_OR_NULL)),
        comments={
            "type": ["array", "null"],
            "description": "null if VALT did not return them",
            "items": _object(seconds={"type": "number"}, author=_TEXT_OR_NULL, text=_TEXT, type=_TEXT),
        },
    ),
    "Person": _object(subject=_TEXT, issuer=_TEXT, provider=_TEXT, groups=_list(_TEXT), expires_at=_TIME_OR_NULL),
    "LogoutToken": _object(logout_token=_TEXT),
    "Switch": _object(switch={"type": "string", "description": "the hidden field of the page that asked"}),
    "ValtCredentials": _object(username=_TEXT, password=_TEXT),
    "ValtLogin": _object(data=_object(access_token=_TEXT)),
    "ValtLoginFailed": _object(data=_TEXT),
    "ValtQuery": _object(
        required=False,
        search=_TEXT,
        start_date={"type": "string", "description": "MM-DD-YYYY"},
        end_date={"type": "string", "description": "MM-DD-YYYY"},
        filter={"type": "integer"},
        offset={"type": "integer", "minimum": 0, "description": "number of rows to skip"},
        limit={"type": "integer", "minimum": 0, "description": "maximum number of rows; default is all"},
    ),
    "ValtRecords": _object(data=_object(records=_list(_object(**_ROW)))),
    "ValtRecord": _object(
        data=_object(
            **_ROW,
            template=_list({"type": "object", "additionalProperties": _TEXT}),
            retention={"type": "object", "properties": {"type": _TEXT, "until": _NUMBER_OR_NULL}, "required": ["type"]},
            markers=_list({"type": "object"}),
            videos=_list(_object(id=_VALT_ID, name=_TEXT, status={"type": "object"})),
        )
    ),
    "ValtLink": _object(url=_TEXT),
    "ValtComments": _list(_object(id={"type": ["integer", "null"]}, message=_TEXT, recordTime=_TEXT, type=_TEXT)),
    "ValtGeneral": _object(data=_object(version=_TEXT)),
    "ValtRoom": _object(
        data=_object(
            name=_TEXT,
            has_recording={"type": "boolean"},
            recording={"type": ["object", "null"], "properties": {"id": _VALT_ID, "time": _NUMBER_OR_NULL}},
        )
    ),
    "ValtRooms": _object(data=_object(rooms=_list(_object(id={"type": "integer"}, name=_TEXT)))),
    "ValtError": _object(
        error={
            "type": "object",
            "properties": {"code": {"type": "integer"}, "message": _TEXT},
            "required": ["code"],
        }
    ),
    "ValtNotFound": _object(type=_TEXT, title=_TEXT, status={"const": 404}, detail=_TEXT),
}


def _parameter(name: str, where: str, description: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "in": where,
        "description": description,
        "schema": schema or _TEXT,
        "required": where == "path",
    }


PARAMETERS: dict[str, Any] = {
    "recording": {
        **_parameter("recording", "path", "VALT's id of the recording", _ID),
        "example": "6ecfe37c-a2e9-4f2d-b56e-847a4e730ed0",
    },
    "video": {
        **_parameter("video", "path", "VALT's id of one of its videos", _ID),
        "example": "d6799d1c-8e0f-4dc6-9483-8f3545fc5ce5",
    },
    "room_id": {**_parameter("room", "path", "VALT's id of the room", _ID), "example": "37"},
    "ticket": _parameter("ticket", "query", "a portal's signed ticket, valid once"),
    "access_token": _parameter("access_token", "query", "the token in a link from /api/v3/records/download"),
    "download": {
        **_parameter("download", "query", "send as an attachment, if the grant allows it"),
        "allowEmptyValue": True,
    },
    "range": _parameter("Range", "header", "a range of the video (RFC 9110, 14.2)"),
    "q": _parameter("q", "query", "the text that VALT searches for; without it, all recordings"),
    "since": _parameter("since", "query", "the first day of recording, YYYY-MM-DD"),
    "until": _parameter("until", "query", "the last day of recording, YYYY-MM-DD"),
    "room": _parameter("room", "query", "a part of the room's name, in any case"),
    "author": _parameter("author", "query", "a part of the author's name, in any case"),
    "page": _parameter("page", "query", "number of the page, from 1", {"type": "integer", "minimum": 1}),
    "rd": _parameter("rd", "query", "a path of this gateway's own pages, to which the browser is redirected"),
    "provider": _parameter("provider", "query", "name of the provider, if there are several"),
    "code": _parameter("code", "query", "the provider's authorization code (RFC 6749, 4.1.2)"),
    "state": _parameter("state", "query", "the sign-in that the code belongs to"),
    "original_uri": _parameter("X-Original-URI", "header", "the path that a trusted front proxy was asked for"),
    "forwarded_uri": _parameter("X-Forwarded-Uri", "header", "the same, as Caddy and Traefik name it"),
    "path": _parameter("path", "path", "the path that the front proxy was asked for, with its slashes"),
    "edition": _parameter("edition", "path", "digest of the files"),
    "name": _parameter("name", "path", "name of the file"),
    "call": _parameter("call", "path", "the rest of the path, including slashes"),
}

SECURITY: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "a provider's signed token, or a service key"},
    "kerberos": {
        "type": "http",
        "scheme": "negotiate",
        "description": "a Kerberos ticket (RFC 4559), where a provider accepts such; each token is valid once",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "valt_gateway_session",
        "description": "a browser's session, from a sign-in or a ticket; on https the name begins with __Host-",
    },
    "service_key": {
        "type": "apiKey",
        "in": "query",
        "name": "access_token",
        "description": "as in VALT's API: a service key or the access token of a login; only under /api/v3",
    },
}
