"""The content of an audit line: a pure function of a request record. Fields and their order are public."""

import asyncio
from collections.abc import Mapping
from typing import Any

from gateway.model import Identity
from gateway.observe.audit_chain import Head
from gateway.observe.json_lines import rfc3339
from gateway.request_record import FilmSeconds, RequestRecord

VERSION = 2

_NAMES = (
    *("v", "time", "event", "request_id", "subject", "issuer", "provider", "groups", "rule", "account", "recording"),
    *("video", "delivery", "method", "range", "status", "code", "bytes", "resumes", "outcome", "seconds", "peer"),
    *("front_request_id", "first_byte", "last_byte", "film_from", "film_to"),
)
_MAX_RANGE = 200
"""Characters of a Range header; the rest is what only an attacker sends."""
_EMPTY: dict[str, Any] = dict.fromkeys(_NAMES) | {"v": VERSION}
"""Every field in the order of the line; to copy it costs half of building it."""
_NO_TARGET = dict.fromkeys(("groups", "rule", "account", "recording", "video", "delivery", "range"))
"""What a ``sign_out`` line has nothing of: the request that ends a session may be another person's."""


def audit_fields(
    event: str, record: RequestRecord, time: float, identity: Identity | None = None, film: FilmSeconds | None = None
) -> dict[str, Any]:
    """The line for *event* at Unix *time*; None where a field does not apply.

    *event* is open, close, deny, api, sign_in or sign_out. *identity* is the person where it is not the record's. How
    the request ended (bytes, resumes, outcome, seconds) is part of close, deny and api only; ``film_duration`` is a
    member only where ``film_from`` and ``film_to`` are known.
    """
    fields, identity, grant = _EMPTY.copy(), identity or record.identity, record.grant
    fields["time"] = rfc3339(time)
    fields["event"] = event
    fields["request_id"] = record.request_id
    if identity is not None:
        fields["subject"] = identity.subject or None
        fields["issuer"] = identity.issuer
        fields["provider"] = identity.provider
    if grant is not None:
        fields["groups"] = sorted(grant.groups)
        fields["rule"] = grant.rule
        fields["account"] = grant.account
    fields["recording"] = record.recording
    fields["video"] = record.video
    fields["delivery"] = record.delivery
    fields["method"] = record.method
    fields["range"] = record.range and record.range[:_MAX_RANGE]
    fields["status"] = record.status
    fields["code"] = record.code
    if event in ("close", "deny", "api"):
        fields["bytes"] = record.bytes
        fields["resumes"] = record.resumes
        fields["outcome"] = record.outcome
        fields["seconds"] = round(record.seconds, 3)
    if event == "close" and record.first_byte is not None and record.bytes:
        fields["first_byte"] = record.first_byte
        fields["last_byte"] = last = record.first_byte + record.bytes - 1
        if film is not None and (seconds := film.seconds(record.first_byte, last)) is not None:
            fields["film_from"], fields["film_to"] = seconds
            fields["film_duration"] = film.duration
    if event == "sign_out":
        fields |= _NO_TARGET
    fields["peer"] = record.peer
    fields["front_request_id"] = record.front_request_id
    return fields


def denial_summary_fields(peer: str | None, count: int, since: float, time: float) -> dict[str, Any]:
    """The line for *count* refusals of *peer* between the Unix times *since* and *time*, which have no line each."""
    return {
        "v": VERSION,
        "time": rfc3339(time),
        "event": "deny_summary",
        "peer": peer,
        "count": count,
        "since": rfc3339(since),
    }


def admin_fields(action: str, time: float, details: Mapping[str, Any]) -> dict[str, Any]:
    """The line for an *action* of an operator: start, stop, reload, revoke or expire. *details* are added to it."""
    return {"v": VERSION, "time": rfc3339(time), "event": "admin", "action": action, **details}


def chain_fields(previous: Head | None, time: float) -> dict[str, Any]:
    """The line that opens a file or a run, after the line *previous*, which may be in another file."""
    head = None if previous is None else {"chain": previous.chain, "seq": previous.seq, "hash": previous.digest}
    return {"v": VERSION, "time": rfc3339(time), "event": "chain", "previous": head}


def loaded_index(film: "FilmSeconds | asyncio.Future[FilmSeconds | None] | None") -> FilmSeconds | None:
    """Returns the index of a film; None if it is being loaded, or could not be."""
    if not isinstance(film, asyncio.Future):
        return film
    return film.result() if film.done() and not film.cancelled() and film.exception() is None else None
