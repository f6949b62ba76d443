"""Whether the media server answers as the gateway needs it: byte ranges, If-Range and HEAD."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import aiohttp
from multidict import MultiMapping
from yarl import URL

from gateway.connection_failure import describe_failure
from gateway.delivery.http_fields import content_length, content_range
from gateway.delivery.media_server import MediaServer
from gateway.doctor.check import Check, broken, doubtful, good, not_tried
from gateway.doctor.remote_server import offset, parse_date, remedy_for
from gateway.errors import GatewayError
from gateway.model import Link
from gateway.ports import Clock

_FIRST, _LAST = 1, 4
"""The range that is requested. It does not begin at 0, so that a position that is off shows."""
_LOG = "look at the media server's log"
_UNQUOTED = re.compile('(?![Ww]/)[^"]+')
_OTHER_ETAG = '"valt-gateway-doctor"'


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a media server's response. *clock_ahead* is the offset of its clock in seconds, None if unknown."""

    status: int
    headers: MultiMapping[str]
    clock_ahead: float | None = None

    @property
    def etag(self) -> str | None:
        """The strong ETag, or None."""
        value = self.headers.get("ETag", "")
        return value if value.startswith('"') else None

    @property
    def identity(self) -> tuple[object, ...]:
        """What two answers of the same file to the same request have in common."""
        fields = (self.headers.get(name) for name in ("Content-Type", "ETag", "Last-Modified"))
        return (self.status, self.total, *fields)

    @property
    def total(self) -> int | None:
        """The length of the whole file, or None if it is not stated."""
        span = content_range(self.headers.get("Content-Range", ""))
        if self.status == 206:
            return None if span is None else span.total
        return content_length(self.headers.get("Content-Length", ""))


async def request_range(media: MediaServer, link: Link, headers: Mapping[str, str] | None = None) -> Answer:
    """Returns the head of the response to a request for a few bytes, with *headers* besides Range. The body is not
    read. Raises GatewayError."""
    fields = {"Range": f"bytes={_FIRST}-{_LAST}", "Accept-Encoding": "identity", **(headers or {})}
    response = await media.get(link, fields)
    response.close()
    return Answer(response.status, response.headers)


async def check_range(media: MediaServer, link: Link, clock: Clock) -> tuple[Check, Answer | None]:
    """Returns whether the media server sends the bytes that were requested, and its answer if it opened the link."""
    name = "media_range"
    before = clock.now()
    try:
        answer = await request_range(media, link)
    except GatewayError as error:
        remedy = remedy_for(str(error), ca="valt.ca_file", otherwise=_LOG)
        return broken(name, str(error), f"{remedy}. VALT's media server is usually on port 8000"), None
    date = parse_date(answer.headers)
    answer = replace(answer, clock_ahead=None if date is None else offset(date, before, clock.now()))
    if answer.status in (401, 403):
        detail = f"the media server answers {answer.status} to a new link"
        remedy = "compare the clocks of VALT's API server and media server; see link_clock"
        return broken(name, detail, remedy), None
    if answer.status not in (200, 206):
        detail = f"the media server answers {answer.status} to a new link"
        return broken(name, detail, f"{_LOG}, and whether the file is there"), None
    if answer.status == 200:
        detail = "the media server ignores ranges and sends the whole file: nobody can seek, and long streams break"
        return broken(name, detail, "let the media server, or the proxy before it, answer Range requests"), answer
    span = content_range(answer.headers.get("Content-Range", ""))
    if span is None or (span.first, span.end) != (_FIRST, _LAST + 1):
        detail = "the media server sends other bytes than were requested, or does not say which"
        return broken(name, detail, "look at a proxy or cache in front of the media server"), answer
    started = clock.monotonic()
    try:
        await media.read_range(link, _FIRST, _LAST + 1 - _FIRST, None)
    except GatewayError as error:
        return broken(name, f"the head arrives, and the bytes do not: {error}", _LOG), None
    detail = f"the bytes that were requested arrive within {clock.monotonic() - started:.2f} s"
    return good(name, f"{detail}; the file has {span.total or 'an unknown number of'} bytes"), answer


async def check_if_range(media: MediaServer, link: Link, first: Answer | None) -> Check:
    """Returns whether a range of a file that has changed is refused. *first* is the answer that has its validator."""
    name = "media_if_range"
    if first is None or first.status != 206:
        return not_tried(name, "ranges do not work", "correct media_range first")
    if first.etag is None:
        detail = "the media server sends no strong ETag, so that If-Range cannot be used"
        if _UNQUOTED.fullmatch(first.headers.get("ETag", "")):
            detail = "the media server's ETag has no quotes, so that If-Range cannot be used"
            remedy = "have it send the ETag in quotes: the gateway compares it as it is, but a browser cannot name it"
        elif first.total is not None and "Last-Modified" in first.headers:
            remedy = "nothing, if files never change: length and date are compared when a stream is resumed"
        else:
            remedy = "have it send ETag or Last-Modified: a stream that is interrupted cannot be resumed"
        return doubtful(name, detail, remedy)
    try:
        same = await request_range(media, link, {"If-Range": first.etag})
        changed = await request_range(media, link, {"If-Range": _OTHER_ETAG})
    except GatewayError as error:
        return not_tried(name, str(error), f"try again, and {_LOG}")
    if same.status != 206:
        detail = f"a range of the same file is answered {same.status}: an interrupted stream starts anew"
        return doubtful(name, detail, "look at a proxy or cache in front of the media server")
    if changed.status == 206:
        detail = "a range of another version of the file is sent: the gateway compares the ETag, browsers may not"
        return doubtful(name, detail, "look at a proxy or cache in front of the media server")
    if changed.status != 200:
        detail = f"a range of another version of the file is answered {changed.status}, and not with the whole file"
        return doubtful(name, detail, _LOG)
    return good(name, "206 for the same file, 200 for another one")


async def check_head(session: aiohttp.ClientSession, link: Link, first: Answer | None, *, redirects: bool) -> Check:
    """Returns whether the media server answers HEAD, which matters only to clients that are redirected to it
    (*redirects*): the gateway itself asks by GET."""
    name = "media_head"
    if first is None:
        return not_tried(name, "the media server did not open a link", "correct media_range first")
    url = URL(link.url.reveal(), encoded=True)
    try:
        async with session.head(url, allow_redirects=False) as response:
            answer = Answer(response.status, response.headers)
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
        detail = describe_failure(error, f"{url.host}:{url.port}")
    else:
        if answer.status == 200 and (first.total is None or answer.total == first.total):
            return good(name, "200 with the length of the file")
        detail = f"HEAD is answered {answer.status}" + ("" if answer.status != 200 else " with another length")
    if not redirects:
        return good(name, f"{detail}; no client needs it, because no rule redirects")
    remedy = 'use delivery = "proxy", where the gateway answers HEAD itself'
    return doubtful(name, f"{detail}: clients that are redirected cannot ask for the length", remedy)
