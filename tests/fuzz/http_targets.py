"""Targets of HTTP: response heads, ranges, media types, conditions, request heads, targets and preferences."""

import re
from contextlib import suppress
from dataclasses import replace

from multidict import CIMultiDict

from gateway.delivery import headers as delivery_headers
from gateway.delivery import http_fields
from gateway.delivery.conditions import holds_if_range, is_if_range
from gateway.delivery.response_head import UnsupportedResponseError, parse
from gateway.delivery.resume import evaluate, is_identified, resume_request
from gateway.delivery.verdicts import Usable
from gateway.doctor.remote_server import parse_date
from gateway.errors import AccessDeniedError, InvalidVideoError
from gateway.model import Video
from gateway.request_trace import parse_traceparent
from gateway.web.handlers.listing_query import ListingQuery
from gateway.web.handlers.login import own_path
from gateway.web.handlers.original_target import parse_target
from gateway.web.negotiation import accepts_gzip, prefers_json
from gateway.web.request_validation import HeadScanner, origin_of
from tests.fuzz.target import Target, field_of, lines_of, text_of

_HEAD = b'HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nContent-Range: bytes 0-9/20\r\nETag: "a"'
_BODY_FIELDS = re.compile(b"content-length|transfer-encoding", re.IGNORECASE)
_FIELDS = (
    b'206\nContent-Range: bytes 0-9/20\nContent-Length: 10\nContent-Type: video/mp4\nETag: "a"\n'
    b'Last-Modified: Sun, 29 Nov 2026 01:00:00 GMT\n\nRange: bytes=0-9\nIf-Range: "a"'
)


def response_head(data: bytes) -> None:
    """A head that is accepted, when written again, reads the same."""
    head = data.split(b"\r\n\r\n")[0] + b"\r\n\r\n"
    try:
        parsed = parse(head)
    except UnsupportedResponseError:
        return
    if parsed is None:
        assert re.match(rb"HTTP/1\.1 1\d\d", head)
        return
    assert 200 <= parsed.status < 600
    assert 0 <= parsed.length < 10**19
    lines = [f"HTTP/1.1 {parsed.status} ", *(f"{name}: {value}" for name, value in parsed.headers.items())]
    assert parse("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")) == parsed


def content_range(data: bytes) -> None:
    """What is accepted lies within the file, and reads the same again."""
    text = text_of(data)
    parsed = http_fields.content_range(text)
    if parsed is not None:
        assert 0 <= parsed.first < parsed.end
        assert parsed.total is None or parsed.end <= parsed.total
        total = "*" if parsed.total is None else parsed.total
        assert http_fields.content_range(f"bytes {parsed.first}-{parsed.end - 1}/{total}") == parsed
    for number in (http_fields.unsatisfied_total(text), http_fields.content_length(text)):
        assert number is None or 0 <= number < 10**19


def media_type(data: bytes) -> None:
    """A type that is accepted, when written again, reads the same; a boundary can be written into a body."""
    parsed = http_fields.media_type(field_of(data))
    if parsed is None:
        return
    assert re.fullmatch(r"[!-~]+/[!-~]+", parsed.name) is not None
    boundary = parsed.boundary
    assert boundary is None or (1 <= len(boundary) <= 70 and boundary.isprintable() and boundary.isascii())
    if parsed.parameters is not None:
        escaped = {name: re.sub(r'(["\\])', r"\\\1", value) for name, value in parsed.parameters.items()}
        written = parsed.name + "".join(f'; {name}="{value}"' for name, value in escaped.items())
        assert http_fields.media_type(written) == parsed


def byte_ranges(data: bytes) -> None:
    """What a range selects is never outside the file."""
    parsed = http_fields.byte_ranges(text_of(data))
    if parsed is None:
        return
    for total in (0, 1, 10, 10**6, 10**19):
        for spec in parsed:
            bounds = spec.bounds(total)
            assert bounds is None or 0 <= bounds[0] < bounds[1] <= total
    written = ",".join(f"{'' if s.first is None else s.first}-{'' if s.last is None else s.last}" for s in parsed)
    assert http_fields.byte_ranges(f"bytes={written}") == parsed


def media_response(data: bytes) -> None:
    """A response that is passed on states bytes within the file, which are among those that were requested, and no
    field of it ends its line."""
    response, _, request = data.partition(b"\n\n")
    first, *lines = lines_of(response)
    status = int(first) if re.fullmatch("[2-5][0-9]{2}", first, re.ASCII) else 206
    client = CIMultiDict(line.partition(":")[::2] for line in lines_of(request))
    media = CIMultiDict((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    for method in ("GET", "HEAD"):
        sent = delivery_headers.media_request(method, client)
        verdict = evaluate(sent, status, media)
        if not isinstance(verdict, Usable):
            continue
        body = verdict.body
        if body is not None:
            assert body.first >= 0
            assert body.end is None or body.first <= body.end
            assert None in (body.total, body.end) or (body.end or 0) <= (body.total or 0)
        answer = delivery_headers.response_headers(verdict, media, "film.mp4", attachment=False, is_mp4=lambda: True)
        assert not any(set("\r\n\0") & set(name + value) for name, value in answer.items())
        if verdict.status == 206 and "Content-Range" in answer:
            assert http_fields.content_range(answer["Content-Range"]) is not None
        if body is not None and body.end is not None and body.first < body.end and is_identified(body):
            position = (body.first + body.end) // 2
            again = resume_request(replace(body, ranges=True), position)
            assert again.ranges is not None
            assert http_fields.byte_ranges(again.headers["Range"]) == again.ranges


def conditions(data: bytes) -> None:
    """An If-Range holds only for a strong ETag or a date."""
    condition, _, rest = text_of(data).partition("\n")
    etag, _, date = rest.partition("\n")
    if holds_if_range(condition, etag or None, date or None):
        assert is_if_range(condition)
        assert not condition.startswith("W/")
    parse_date({"Date": condition})


def request_heads(data: bytes) -> None:
    """Where the segments of a connection are cut changes nothing of what the guard counts, unless a head has two
    fields for the length of its body: aiohttp refuses those."""
    if any(len(_BODY_FIELDS.findall(head)) > 1 for head in data.split(b"\r\n\r\n")):
        return
    whole, cut = HeadScanner(), HeadScanner()
    fits = whole.feed(data, 10_000)
    if not fits:
        return
    step = 1 + len(data) % 7
    for at in range(0, len(data), step):
        assert cut.feed(data[at : at + step], 10_000)
    counted = (whole.completed, whole.head_size, whole.body_left, whole.is_last, whole.size)
    assert counted == (cut.completed, cut.head_size, cut.body_left, cut.is_last, cut.size)


def original_target(data: bytes) -> None:
    """A recording that a front's path is for has an id, and its plain path is for the same recording and video."""
    try:
        target = parse_target(field_of(data))
    except (AccessDeniedError, InvalidVideoError):
        return
    if target.recording is not None:
        assert Video.parse(target.recording, target.video or "1").recording == target.recording
        path = f"/recordings/{target.recording}" + (f"/videos/{target.video}" if target.video else "")
        assert replace(target, query="") == parse_target(path)


def redirect_target(data: bytes) -> None:
    """After sign-in a browser is sent to a path of this gateway and nowhere else."""
    path = own_path(field_of(data))
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert not set("\r\n\t\0\\") & set(path)


def origin(data: bytes) -> None:
    """The origin of a URL is the same when it is written again."""
    parsed = origin_of(field_of(data))
    if parsed is not None:
        host, port = parsed
        with suppress(UnicodeError):
            written = f"[{host}]" if ":" in host else host
            assert origin_of(f"https://{written}" + ("" if port is None else f":{port}")) in (parsed, None)


def listing_query(data: bytes) -> None:
    """The address of a list, when it is read again, limits the list in the same way."""
    values = text_of(data).encode("utf-8", "replace").decode().split("\n")
    query = ListingQuery.parse(dict(zip(("q", "since", "until", "room", "author"), values, strict=False)))
    assert ListingQuery.parse(query.parameters()) == query
    assert query.address(2).isascii()
    query.for_valt()


def trace_parent(data: bytes) -> None:
    """A traceparent that is accepted, when written again, reads the same."""
    parsed = parse_traceparent(text_of(data))
    if parsed is not None:
        assert parsed == parse_traceparent(f"00-{parsed.trace:032x}-{parsed.span:016x}-{int(parsed.is_sampled):02x}")


def preferences(data: bytes) -> None:
    """A type of quality 0 is never preferred."""
    text = field_of(data)
    prefers_json(text)
    accepts_gzip(text)
    assert not prefers_json(text.replace("application/json", "application/json;q=0,")) or "json" in text.lower()
    assert not accepts_gzip("gzip;q=0")


def content_disposition(data: bytes) -> None:
    """A name of VALT's ends neither the field nor the quoted string."""
    name = text_of(data).encode("utf-8", "replace").decode()
    field = delivery_headers.content_disposition(name, attachment=True)
    assert field.isascii()
    assert field.isprintable()
    assert re.fullmatch(r"attachment; filename=\"[^\"\\]+\"(; filename\*=UTF-8''[^ \"]*)?", field) is not None


TARGETS = (
    Target("response head", response_head, (_HEAD, b"HTTP/1.1 103 Early Hints\r\nLink: </a>", b"HTTP/1.1 304 ")),
    Target("Content-Range", content_range, (b"bytes 0-9/20", b"bytes 5-5/*", b"bytes */20", b"12")),
    Target(
        "multipart type",
        media_type,
        (b"multipart/byteranges; boundary=THIS_STRING", b'multipart/byteranges; boundary="a b\\"c"', b"video/mp4"),
    ),
    Target("Range", byte_ranges, (b"bytes=0-9", b"bytes=-5", b"bytes=5-", b"bytes=0-1, 4-5 ,-7", b"bytes=9-1")),
    Target(
        "media response", media_response, (_FIELDS, b"416\nContent-Range: bytes */20\n\nRange: bytes=30-", b"304\n\n")
    ),
    Target(
        "If-Range and dates",
        conditions,
        (b'"a"\n"a"\n', b'W/"a"\n"a"\n', b"Sun, 29 Nov 2026 01:00:00 GMT\n\nSunday, 29-Nov-26 01:00:00 GMT"),
    ),
    Target(
        "request heads",
        request_heads,
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
            b"POST /api/v3/login HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHo",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            b"\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ),
    ),
    Target(
        "path behind a front",
        original_target,
        (b"/recordings/12/videos/3?a=b", b"/x/..%2Frecordings%2F12;a=b", b"https://h/recordings/12/captions.vtt"),
    ),
    Target("path after sign-in", redirect_target, (b"/recordings/1?a=b", b"//evil.example", b"/\\evil", b"/a/..//b")),
    Target(
        "origin of a URL", origin, (b"https://a.example:8443/x", b"http://[::1]:80", b"//a@b", b"https://A.Example")
    ),
    Target(
        "list of recordings",
        listing_query,
        (b"text\n2026-03-01\n2026-03-09\nroom\nauthor", b"\n0001-01-01\n9999-12-31"),
    ),
    Target("traceparent", trace_parent, (b"00-" + b"4b" * 16 + b"-" + b"01" * 8 + b"-01", b"cc-" + b"4" * 32)),
    Target("Accept", preferences, (b"text/html,application/json;q=0.9,*/*;q=0.8", b"gzip;q=0, br;q=1", b"a;q=nan")),
    Target("Content-Disposition", content_disposition, (b"film.mp4", "Sitzung 3 ü.mp4".encode(), b'a"b\\c.mp4')),
)
