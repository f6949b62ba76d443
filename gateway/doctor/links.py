"""What VALT's links are good for: their clock, their lifetime, and what else they open."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from gateway.doctor.check import Check, broken, doubtful, good, not_tried
from gateway.doctor.media import Answer, request_range
from gateway.doctor.remote_server import describe_offset, offset
from gateway.doctor.valt import Sample, ValtChecks
from gateway.errors import GatewayError
from gateway.model import Link
from gateway.ports import Clock
from gateway.settings.model import LinksSettings
from gateway.valt_backend import ValtBackend

_LONGEST_WAIT = 120.0
"""Seconds that are waited for the end of a link."""
_PAST_END = 3.0
"""Seconds after the end of a link at which it is used: its times are whole seconds, and clocks differ a little."""
_PROXY = 'use delivery = "proxy" in every rule: then no link leaves the gateway'


@dataclass(frozen=True, slots=True)
class Times:
    """When a link was issued and ends, in Unix seconds; None is not stated."""

    issued_at: float | None
    expires_at: float | None

    @classmethod
    def of(cls, link: Link) -> "Times":
        """Returns the times in the token of *link*, which only VALT can verify."""
        token = parse_qs(urlsplit(link.url.reveal()).query).get("access_token", [""])[0]
        try:
            claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, RecursionError):
            claims = {}
        return cls(*(_seconds(claims.get(name)) for name in ("iat", "exp")))


def media_origin(link: Link) -> str:
    """Returns scheme, host and port of the media server that *link* names."""
    parts = urlsplit(link.url.reveal())
    return f"{parts.scheme}://{parts.netloc}"


async def check_clock(sample: Sample, first: Answer | None, links: LinksSettings, *, redirects: bool) -> Check:
    """Returns whether the clock of VALT, by its link and by the Date of the media server's answer *first*, agrees with
    this machine's, and how long a link is valid. *redirects*: whether a rule gives links to clients."""
    name = "link_clock"
    times = Times.of(sample.link)
    if times.issued_at is None or times.expires_at is None:
        detail = "the link does not say when it was issued and when it ends: the gateway cannot know when to renew it"
        return doubtful(name, detail, "ask VALT's vendor for links with iat and exp, as VALT 6 has them")
    lifetime = times.expires_at - times.issued_at
    ahead = offset(times.issued_at, sample.requested_at, sample.received_at)
    detail = f"a link is valid for {lifetime:.0f} s; VALT's clock is {describe_offset(ahead)} this machine's"
    media_ahead = None if first is None else first.clock_ahead
    if media_ahead is not None:
        detail += f", and the media server's is {describe_offset(media_ahead)} it"
    remedy = "synchronise the clocks of this machine, VALT and its media server by NTP"
    if abs(ahead) >= lifetime / 2:
        return broken(name, f"{detail}: links are used after their end, or not at all", remedy)
    if max(abs(ahead), abs((ahead if media_ahead is None else media_ahead) - ahead)) > links.margin:
        return doubtful(name, f"{detail}: more than links.margin, {links.margin:.0f} s", remedy)
    if redirects and lifetime < links.min_life:
        reason = f"{detail}: shorter than links.min_life, {links.min_life:.0f} s, so that each redirect asks VALT"
        return doubtful(name, reason, f"lower links.min_life, or {_PROXY}")
    return good(name, detail)


async def check_other_recording(backend: ValtBackend, valt: ValtChecks, sample: Sample, *, redirects: bool) -> Check:
    """Returns whether the token in the link of one recording opens the file of another."""
    name = "link_opens_other_recording"
    other = await valt.other_sample(sample)
    if other is None:
        remedy = "run doctor when the account sees a second recording"
        return not_tried(name, "there is no second recording with a link", remedy)
    try:
        own = await request_range(backend.media, other.link)
        without = await request_range(backend.media, _with_query_of(None, other.link, backend))
        swapped = await request_range(backend.media, _with_query_of(sample.link, other.link, backend))
    except GatewayError as error:
        return not_tried(name, str(error), "see media_range")
    if own.status not in (200, 206):
        return not_tried(name, f"the second recording's own link is answered {own.status}", "see media_range")
    if _opens(without, own):
        detail = "the media server needs no token: whoever reaches it opens every recording whose address they know"
        remedy = (
            "let a firewall give only the gateway access to the media server's port, and report it to VALT's vendor"
        )
        return broken(name, detail, remedy)
    if not _opens(swapped, own):
        return good(name, f"the file of another recording is answered {swapped.status}")
    detail = "a link of one recording opens another's file"
    if not redirects:
        return good(name, f"{detail}; no rule redirects, so that no link leaves the gateway")
    return broken(name, f"{detail}, and a rule gives links to people by redirect", _PROXY)


async def check_end(
    backend: ValtBackend,
    sample: Sample,
    first: Answer | None,
    clock: Clock,
    on_wait: Callable[[float], None],
    *,
    redirects: bool,
) -> Check:
    """Returns whether a link is accepted after its end. If that is near, waits for it, and calls *on_wait* with the
    seconds before. *first* is the media server's answer to the link before its end, None if it did not open it."""
    name = "link_outlives_exp"
    if first is None:
        return not_tried(name, "the media server did not open a link", "correct media_range first")
    times = Times.of(sample.link)
    if times.expires_at is None:
        return doubtful(name, "not tried: the link states no end, and may be valid for ever", _PROXY)
    # By VALT's clock, which may differ from this one.
    issued_at = times.issued_at
    ahead = 0.0 if issued_at is None else offset(issued_at, sample.requested_at, sample.received_at)
    left = times.expires_at - ahead - clock.now() + _PAST_END
    if left > _LONGEST_WAIT:
        reason = f"the link ends only in {left / 60:.0f} minutes; doctor waits for {_LONGEST_WAIT / 60:.0f} at most"
        return not_tried(name, reason, _try_by_hand(redirects=redirects))
    if left > 0:
        on_wait(left)
        await clock.sleep(left)
    try:
        answer = await request_range(backend.media, sample.link)
    except GatewayError as error:
        return not_tried(name, str(error), "see media_range")
    if answer.status not in (200, 206):
        return good(name, f"{answer.status} to a link after its end")
    detail = "a link is accepted after its end"
    if not redirects:
        return good(name, f"{detail}; no rule redirects, so that no link leaves the gateway")
    return broken(name, f"{detail}: whoever was redirected once keeps the recording", _PROXY)


def _try_by_hand(*, redirects: bool) -> str:
    if redirects:
        return f"try an old link by hand; if it opens, {_PROXY}"
    return "nothing, as long as no rule redirects: no link leaves the gateway"


def _with_query_of(source: Link | None, target: Link, backend: ValtBackend) -> Link:
    """Returns *target* with the query of *source*, with no query if that is None. Raises LinkRefusedError."""
    path = target.url.reveal().partition("?")[0]
    query = "" if source is None else f"?{source.url.reveal().partition('?')[2]}"
    return backend.client.read_link(path + query)


def _opens(answer: Answer, own: Answer) -> bool:
    """Whether *answer* is of the same file as *own*, the answer to the file's own link."""
    return answer.identity == own.identity


def _seconds(value: object) -> float | None:
    """Returns *value* if it is a finite number, else None."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
