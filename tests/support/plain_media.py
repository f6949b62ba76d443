"""A plain model of media servers that lie, fail and change their files, and of what a client may receive from them.

Written apart from gateway.delivery: it knows the files, so it judges the bytes that a client received by comparing them
with the files, not by the fields of the responses. What it generates is always detectable: no response has other bytes
than its fields say without some field that contradicts another one, the request, or an earlier response.
"""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

from gateway.sim import ranges

PAGE = Random(3).randbytes(300)
"""What a box between gateway and media server sends in place of a film."""
DATES = ("Tue, 24 Nov 2026 08:00:00 GMT", "Tue, 24 Nov 2026 09:00:00 GMT", "Tue, 24 Nov 2026 10:00:00 GMT")


@dataclass(frozen=True)
class Version:
    """A file as it is at some time."""

    content: bytes = field(repr=False)
    tag: str
    modified: str
    type: str = "video/mp4"


def versions(random: Random) -> tuple[Version, ...]:
    """Three versions of a film: the second has the length of the first, the third may be of any length."""
    length = random.choice((1, 2, 3, 10, 50, 200))
    other = random.randrange(1, 250)
    return tuple(
        Version(random.randbytes(size), f"v{number}", DATES[number])
        for number, size in enumerate((length, length, other))
    )


@dataclass(frozen=True)
class Reply:
    """One response. *body* is what is really sent; *cut* is after how many bytes of it the connection is lost, -1 for
    before the head. *late* are bytes that arrive after the response. *honest*: whether it is as RFC 9110 wants it.
    *too_long*: whether the body has more bytes than the fields say, which nobody can know before its end."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False, default=b"")
    cut: int | None = None
    late: bytes = b""
    honest: bool = True
    too_long: bool = False

    @property
    def length(self) -> int:
        """The stated Content-Length; 0 if none is stated."""
        return int(dict(self.fields).get("Content-Length", "0"))

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in self.fields)]
        return "\r\n".join([*lines, "", ""]).encode()

    def with_field(self, name: str, value: str | None) -> "Reply":
        """Returns a reply in which *name* has *value*, or is missing."""
        rest = tuple(item for item in self.fields if item[0] != name)
        return replace(self, fields=rest if value is None else (*rest, (name, value)))


@dataclass
class MediaModel:
    """A media server with one film. *validators* says which it states: strong, weak, date, tag, unquoted (a tag
    without quotes, which no If-Range names) or none."""

    random: Random
    files: tuple[Version, ...]
    validators: str
    claims_ranges: bool
    states_type: bool
    faulty: float
    """The probability of a fault in one response."""
    current: int = 0
    changes: int = 0
    """How often the film has changed."""
    replies: list[Reply] = field(default_factory=list)
    may_be_too_long: bool = True
    """Whether bodies may have more bytes than their fields say. Only who reads them to their end can know."""
    breaks_often: bool = False
    """Whether many bodies break off or are too long: without it, both happen in few streams."""

    @classmethod
    def generate(cls, random: Random) -> "MediaModel":
        return cls(
            random,
            versions(random),
            random.choice(("strong", "strong", "strong", "weak", "date", "tag", "unquoted", "none")),
            random.random() < 0.7,
            random.random() < 0.8,
            random.choice((0.0, 0.2, 0.5, 0.8)),
            breaks_often=random.random() < 0.3,
        )

    @property
    def film(self) -> Version:
        return self.files[self.current]

    @property
    def identifies(self) -> bool:
        """Whether a later response can prove to be of the same file, in all that the server states."""
        return self.validators in ("strong", "weak", "date", "tag", "unquoted")

    def reply(self, sent: Mapping[str, str]) -> Reply:
        """Returns the response to a GET with the fields *sent*."""
        if self.faulty and self.random.random() < 0.1:
            self.current = self.random.randrange(len(self.files))
            self.changes += 1
        reply = self.honest_reply(sent)
        if self.random.random() < self.faulty:
            reply = self.random.choice(FAULTS)(self, reply, sent)
        if self.breaks_often and reply.honest and reply.cut is None:
            reply = self.random.choice((_lost, _too_long))(self, reply, sent)
        self.replies.append(reply)
        return reply

    def fields(self) -> list[tuple[str, str]]:
        film, fields = self.film, list[tuple[str, str]]()
        if self.claims_ranges:
            fields.append(("Accept-Ranges", "bytes"))
        if self.validators in ("strong", "tag"):
            fields.append(("ETag", f'"{film.tag}"'))
        if self.validators == "unquoted":
            fields.append(("ETag", film.tag))
        if self.validators == "weak":
            fields.append(("ETag", f'W/"{film.tag}"'))
        if self.validators in ("strong", "weak", "date"):
            fields.append(("Last-Modified", film.modified))
        return fields

    def honest_reply(self, sent: Mapping[str, str]) -> Reply:
        film, fields = self.film, self.fields()
        stated = dict(fields)
        modified = None
        if "Last-Modified" in stated:
            modified = float(DATES.index(film.modified) * 3600 + 1795507200)
        decision = ranges.answer(sent, len(film.content), stated.get("ETag"), modified)
        if decision.status == 416:
            fields.append(("Content-Range", f"bytes */{len(film.content)}"))
        if decision.status not in (200, 206):
            return Reply(
                decision.status, (*fields, ("Content-Length", "0")) if decision.status != 304 else tuple(fields)
            )
        spans = decision.spans or ()
        if len(spans) > 1:
            return self.parts(fields, spans)
        if self.states_type:
            fields.append(("Content-Type", film.type))
        if not spans:
            return Reply(200, (*fields, ("Content-Length", str(len(film.content)))), film.content)
        return self.part(*spans[0])

    def part(self, first: int, last: int) -> Reply:
        """Returns a 206 of bytes *first* to *last*."""
        fields = self.fields()
        if self.states_type:
            fields.append(("Content-Type", self.film.type))
        body = self.film.content[first : last + 1]
        stated = ("Content-Range", f"bytes {first}-{last}/{len(self.film.content)}")
        return Reply(206, (*fields, stated, ("Content-Length", str(len(body)))), body)

    def parts(self, fields: list[tuple[str, str]], spans: "tuple[tuple[int, int], ...]") -> Reply:
        """Returns a 206 of several parts."""
        film, body = self.film, b""
        for first, last in spans:
            body += f"\r\n--X\r\nContent-Range: bytes {first}-{last}/{len(film.content)}\r\n\r\n".encode()
            body += film.content[first : last + 1]
        body += b"\r\n--X--\r\n"
        stated = ("Content-Type", "multipart/byteranges; boundary=X")
        return Reply(206, (*fields, stated, ("Content-Length", str(len(body)))), body)


def _status(model: MediaModel, _reply: Reply, _sent: Mapping[str, str]) -> Reply:
    status = model.random.choice((204, 300, 302, 304, 400, 401, 403, 404, 405, 408, 410, 412, 416, 429, 500, 503))
    return Reply(status, tuple(model.fields()), honest=False)


def _lost(model: MediaModel, reply: Reply, sent: Mapping[str, str]) -> Reply:
    if reply.body and model.random.random() < 0.3:
        reply = _no_length(model, reply, sent)
    return replace(reply, cut=model.random.randrange(-1, len(reply.body) + 1))


def _compressed(model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    body = gzip.compress(reply.body, mtime=0)
    coding = model.random.choice(("gzip", "identity, gzip", "x-gzip"))
    keep_length = model.random.random() < 0.5
    changed = replace(reply, body=body, honest=False).with_field("Content-Encoding", coding)
    return changed if keep_length else changed.with_field("Content-Length", str(len(body)))


def _page(model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    """A page in place of the film, with the film's validators: an error page of a box in between."""
    stated = re.fullmatch(r"bytes (\d+)-\d+/.*", dict(reply.fields).get("Content-Range", ""))
    if reply.status not in (200, 206) or (reply.status == 206 and stated is None) or not reply.body:
        return reply
    first = 0 if stated is None else int(stated[1])
    page = PAGE[first : first + len(reply.body)]
    return replace(reply, body=page, honest=False).with_field("Content-Type", "text/html; charset=utf-8")


def _not_the_length(model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    if reply.status == 200:
        longer = len(reply.body) + model.random.randrange(1, 9)
        return replace(reply, honest=False).with_field("Content-Length", str(longer))
    if reply.status != 206 or "multipart" in dict(reply.fields).get("Content-Type", ""):
        return reply
    length = max(0, len(reply.body) + model.random.choice((-2, -1, 1, 2)))
    return replace(reply, honest=length == len(reply.body)).with_field("Content-Length", str(length))


def _no_length(_model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    return reply.with_field("Content-Length", None).with_field("Transfer-Encoding", "chunked")


def _too_long(model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    """A body without a stated length that does not end where its Content-Range does: the whole film, or some more.

    The part may be shorter than what was requested, and the length of the film may be unknown."""
    stated = re.fullmatch(r"bytes (\d+)-\d+/.*", dict(reply.fields).get("Content-Range", ""))
    if reply.status != 206 or stated is None or not model.may_be_too_long:
        return reply
    if model.random.random() < 0.5:
        reply = _shorter_part(model, reply, _sent)
    if model.random.random() < 0.3:
        reply = _unknown_total(model, reply, _sent)
    first, film = int(stated[1]), model.film.content
    more = film[first + len(reply.body) :] or b"more"
    body = model.random.choice((film + b"more" if len(film) == len(reply.body) else film, reply.body + more))
    return replace(_no_length(model, reply, _sent), body=body, honest=False, too_long=True)


def _coded(_model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    body = gzip.compress(reply.body, mtime=0)
    changed = replace(reply, body=body, honest=False)
    return changed.with_field("Content-Length", None).with_field("Transfer-Encoding", "gzip, chunked")


def _other_part(model: MediaModel, _reply: Reply, _sent: Mapping[str, str]) -> Reply:
    """A part that its Content-Range states rightly, and that nobody requested."""
    length = len(model.film.content)
    first = model.random.randrange(length)
    return replace(model.part(first, model.random.randrange(first, length)), honest=False)


def _shorter_part(model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    """The beginning of what was requested: lawful (RFC 9110, section 15.3.7)."""
    stated = re.fullmatch(r"bytes (\d+)-(\d+)/.*", dict(reply.fields).get("Content-Range", ""))
    if reply.status != 206 or stated is None:
        return reply
    first, last = int(stated[1]), int(stated[2])
    return model.part(first, model.random.randrange(first, last + 1))


def _unknown_total(_model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    stated = dict(reply.fields).get("Content-Range", "")
    if reply.status != 206 or not stated:
        return reply
    return replace(reply, honest=False).with_field("Content-Range", stated.rpartition("/")[0] + "/*")


def _part_as_200(model: MediaModel, _reply: Reply, _sent: Mapping[str, str]) -> Reply:
    length = len(model.film.content)
    first = model.random.randrange(length)
    return replace(model.part(first, length - 1), status=200, honest=False)


def _parts(model: MediaModel, _reply: Reply, _sent: Mapping[str, str]) -> Reply:
    last = len(model.film.content) - 1
    return replace(model.parts(model.fields(), ((0, 0), (last, last))), honest=False)


def _ignores_range(model: MediaModel, _reply: Reply, sent: Mapping[str, str]) -> Reply:
    fields = {name: value for name, value in sent.items() if name != "Range"}
    return model.honest_reply(fields)


def _ignores_if_range(model: MediaModel, reply: Reply, sent: Mapping[str, str]) -> Reply:
    if "If-Range" not in sent:
        return reply
    fields = {name: value for name, value in sent.items() if name != "If-Range"}
    return replace(model.honest_reply(fields), honest=False)


def _ignores_conditions(model: MediaModel, reply: Reply, sent: Mapping[str, str]) -> Reply:
    if not any(name.startswith("If-") and name != "If-Range" for name in sent):
        return reply
    fields = {name: value for name, value in sent.items() if not name.startswith("If-") or name == "If-Range"}
    return replace(model.honest_reply(fields), honest=False)


def _says_unmodified(model: MediaModel, reply: Reply, sent: Mapping[str, str]) -> Reply:
    if "If-None-Match" not in sent and "If-Modified-Since" not in sent:
        return reply
    return Reply(304, tuple(model.fields()), honest=False)


def _always_206(model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    if reply.status != 200:
        return reply
    return model.part(0, len(model.film.content) - 1)


def _doubled(model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    name, value = model.random.choice(
        (("ETag", '"other"'), ("Content-Range", "bytes 0-0/7"), ("Content-Type", "text/html"), ("Last-Modified", "x"))
    )
    if name not in dict(reply.fields):
        return reply
    return replace(reply, fields=(*reply.fields, (name, value)), honest=False)


def _without(model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    name = model.random.choice(("ETag", "Last-Modified", "Content-Range"))
    return replace(reply, honest=False).with_field(name, None)


def _silent_change(model: MediaModel, _reply: Reply, sent: Mapping[str, str]) -> Reply:
    """Another version of the same length, whose response does not state all validators."""
    model.current, model.changes = 1 - min(model.current, 1), model.changes + 1
    fields = {name: value for name, value in sent.items() if name != "If-Range"}
    reply = replace(model.honest_reply(fields), honest=False)
    for name in model.random.choice((("ETag",), ("Last-Modified",), ("ETag", "Last-Modified"))):
        reply = reply.with_field(name, None)
    return reply


def _late_body(model: MediaModel, reply: Reply, _sent: Mapping[str, str]) -> Reply:
    """A body after a response that has none, which looks like another response."""
    page = b"HTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\nbad"
    status = model.random.choice((204, 304))
    return Reply(status, tuple(model.fields()), late=page, honest=False) if reply.status != 206 else reply


ODD_IF_RANGES = ("nonsense", '"open', '"a", "b"', "Tue, 24 Nov 99999999999999999999999 08:00:00 GMT")
"""What is neither an ETag nor a date, so that no part may answer it."""

FAULTS = (
    _status,
    _lost,
    _lost,
    _lost,
    _compressed,
    _page,
    _not_the_length,
    _no_length,
    _too_long,
    _coded,
    _other_part,
    _shorter_part,
    _unknown_total,
    _part_as_200,
    _parts,
    _ignores_range,
    _ignores_if_range,
    _ignores_conditions,
    _says_unmodified,
    _always_206,
    _doubled,
    _without,
    _silent_change,
    _late_body,
)


@dataclass(frozen=True)
class ClientRequest:
    """What a client requests. *fields* are among Range, If-Range and the conditions."""

    method: str
    fields: Mapping[str, str]

    @classmethod
    def generate(cls, random: Random, files: "tuple[Version, ...]") -> "ClientRequest":
        length = len(files[0].content)
        near = random.randrange(length + 2)
        fields: dict[str, str] = {}
        if random.random() < 0.6:
            fields["Range"] = random.choice(
                (
                    f"bytes={near}-",
                    f"bytes=0-{near}",
                    f"bytes=-{near}",
                    f"bytes=0-0,{near}-{near + 1}",
                    "bytes=0-",
                    "x=1-2",
                )
            )
        if random.random() < 0.3:
            version = random.choice(files)
            odd = random.choice(ODD_IF_RANGES)
            fields["If-Range"] = random.choice((f'"{version.tag}"', f'W/"{version.tag}"', version.modified, odd))
        if random.random() < 0.2:
            version = random.choice(files)
            name = random.choice(("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"))
            fields[name] = version.modified if name.endswith("Since") else f'"{version.tag}"'
        return cls("HEAD" if random.random() < 0.15 else "GET", fields)


@dataclass(frozen=True)
class Received:
    """What the client received. *status* is None for an error response of the gateway's own. *complete*: whether the
    body ended as its head stated; otherwise the connection was visibly lost."""

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(repr=False, default=b"")
    complete: bool = True


def violation(request: ClientRequest, received: Received, model: MediaModel) -> str | None:
    """Returns what is wrong with what a client received, or None."""
    headers, status, body = received.headers, received.status, received.body
    if status is None or (not received.complete and any(reply.too_long for reply in model.replies)):
        return None
    if "text/html" in headers.get("Content-Type", "") or "Content-Encoding" in headers:
        return "a page, or compressed"
    excluded = _excluded(request, received, model)
    if excluded is not None:
        return excluded
    if status in (304, 412, 416):
        return _bodiless(request, status, body)
    if status not in (200, 206):
        return f"status {status}"
    if request.method == "HEAD":
        lengths = {str(len(version.content)) for version in model.files}
        wrong = status != 200 or body or headers.get("Content-Length", "0") not in {*lengths, "0"}
        return "a HEAD with a wrong length, a body or a range" if wrong else None
    stated = headers.get("Content-Length")
    if stated is not None and received.complete and int(stated) != len(body):
        return "complete, and not of the stated length"
    if status == 200:
        return _whole(stated, received, model)
    if headers["Content-Type"].startswith("multipart/"):
        sources = [reply.body for reply in model.replies if reply.status == 206]
        return None if any(_matches(received, source) for source in sources) else "other parts than were sent"
    return _part(request, received, model)


def _excluded(request: ClientRequest, received: Received, model: MediaModel) -> str | None:
    """What is wrong with a response that states a version which the request's condition excludes."""
    condition, tag, modified = request.fields, received.headers.get("ETag"), received.headers.get("Last-Modified")
    age = [version.modified for version in model.files]
    if received.status in (200, 206):
        if tag is not None and condition.get("If-Match", tag) != tag:
            return "another version than If-Match names"
        limit = condition.get("If-Unmodified-Since")
        if modified in age and limit in age and DATES.index(modified) > DATES.index(limit):
            return "a newer version than If-Unmodified-Since allows"
    if received.status == 304:
        if tag is not None and condition.get("If-None-Match", tag).removeprefix("W/") != tag.removeprefix("W/"):
            return "unmodified, and not what If-None-Match names"
        limit = condition.get("If-Modified-Since")
        if modified in age and limit in age and DATES.index(modified) > DATES.index(limit):
            return "unmodified, and newer than If-Modified-Since"
    return None


def _bodiless(request: ClientRequest, status: int, body: bytes) -> str | None:
    causes = {
        304: ("If-None-Match", "If-Modified-Since"),
        412: ("If-Match", "If-Unmodified-Since"),
        416: ("Range",),
    }[status]
    if body or not any(name in request.fields for name in causes):
        return f"a {status} with a body or without a cause"
    return "a 416 to a HEAD" if status == 416 and request.method == "HEAD" else None


def _matches(received: Received, expected: bytes) -> bool:
    return received.body == expected if received.complete else expected.startswith(received.body)


def _whole(stated: str | None, received: Received, model: MediaModel) -> str | None:
    sources = [version.content for version in model.files]
    if received.headers["Content-Type"] == "application/octet-stream":
        sources += [PAGE[: len(source)] for source in sources]
    lawful = [source for source in sources if _matches(received, source)]
    if not lawful:
        return "a 200 that is no version of the film"
    if received.complete and stated is not None and int(stated) not in {len(source) for source in lawful}:
        return "a 200 of a wrong length"
    return None


def _part(request: ClientRequest, received: Received, model: MediaModel) -> str | None:
    stated = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", received.headers.get("Content-Range", ""))
    if stated is None:
        return "a 206 without a Content-Range"
    if not _answers_if_range(request, received):
        return "a part of another version than the If-Range names"
    first, end = int(stated[1]), int(stated[2]) + 1
    for version in model.files:
        spans = ranges.parse(request.fields.get("Range", ""), len(version.content))
        if stated[3] not in ("*", str(len(version.content))) or not spans:
            continue
        begins = {span[0] for span in spans} if len(spans) == 1 else {span[0] for span in spans} | {first}
        inside = (
            first in begins and first >= min(span[0] for span in spans) and end <= max(span[1] for span in spans) + 1
        )
        if inside and _matches(received, version.content[first:end]):
            return None
    is_page = received.headers["Content-Type"] == "application/octet-stream" and _matches(received, PAGE[first:end])
    return None if is_page else "a 206 with wrong bytes"


def _answers_if_range(request: ClientRequest, received: Received) -> bool:
    """Whether a 206 states no other version than the one that the If-Range names."""
    condition = request.fields.get("If-Range")
    if condition is None or condition in ODD_IF_RANGES:
        return condition is None
    name = "Last-Modified" if condition in DATES else "ETag"
    return received.headers.get(name, condition) == condition
