"""Fault injection: every fault that the simulator can produce. The values may be changed while it runs."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class Knobs:
    """Times are seconds. Of a list each request consumes one entry. Dicts and sets are keyed by operation: login,
    download, record, search, rooms, comments, general, and for *delay* and *gate* also media."""

    # Any operation
    delay: dict[str, float] = field(default_factory=dict)
    gate: dict[str, asyncio.Event] = field(default_factory=dict)
    """An operation waits for its event."""
    fail: dict[str, list[int]] = field(default_factory=dict)
    """Statuses of the next responses of an operation. For media use *refuse_media*."""
    keep_after_408: bool = False
    """Whether the connection stays open after a 408."""
    rubbish: set[str] = field(default_factory=set)
    """Operations that respond with an HTML page instead of JSON."""

    refuse: dict[str, int] = field(default_factory=dict)
    """Statuses with which an operation refuses its caller for good, as for an account without the right."""
    drop_used_connections: set[str] = field(default_factory=set)
    """Operations whose request closes its connection without a response if the connection has served before, as when
    a server closes an idle connection."""
    drop: dict[str, int] = field(default_factory=dict)
    """The number of next requests of an operation that close their connection without a response."""

    # Content
    version: str = "6.5.1"
    """VALT's version. With one that begins with 5 there are no comments."""
    recording_now: dict[int, tuple[str, float]] = field(default_factory=dict)
    """What is being recorded, by room: the id of the recording and the seconds since its start."""

    # Tokens and links
    refuse_logins: bool = False
    token_life: float = 8 * 3600.0
    clock_ahead: float = 0.0
    """How far VALT's clock is ahead, and with it every link's iat, nbf and exp."""
    link_life: float = 1800.0
    expiry_cuts: bool = False
    """Whether a body that is still being sent when its link expires ends by a TCP reset. What VALT does is unknown."""
    ignore_exp: bool = False
    """Whether the media server opens links after their exp too."""
    link_without_exp: bool = False
    link_not_jwt: bool = False
    link_host: str | None = None
    """``host:port`` that links name instead of the media server's."""
    link_scheme: str | None = None
    url_under_data: bool = False
    """The download call returns ``{"data": {"url": …}}``."""
    unscoped_links: bool = True
    """Whether a link's token opens every file: VALT's names none. False limits it to the link's path."""

    # Response heads of the media server
    refuse_media: list[int] = field(default_factory=list)
    """Statuses of the next responses."""
    ignore_range: bool = False
    ignore_if_range: bool = False
    """Whether a range is sent whatever If-Range says."""
    refuse_head: bool = False
    """Whether HEAD is answered 405."""
    media_date_ahead: float | None = None
    """How far the media server's clock is ahead, by the Date of its responses; None is no Date."""
    wrong_content_range: bool = False
    """Content-Range names a position one byte too far."""
    chunked: bool = False
    """No Content-Length."""
    validators: str = "strong"
    """strong, weak, unquoted or none."""

    # Response bodies of the media server
    reset_after: list[int] = field(default_factory=list)
    """The next bodies end by a TCP reset after this number of bytes; a negative number resets inside the head."""
    end_after: list[int] = field(default_factory=list)
    """The next bodies end by a regular close after this number of bytes, whatever Content-Length says."""
    stall_after: list[int] = field(default_factory=list)
    """The next bodies pause after this number of bytes until *stall_gate* is set."""
    stall_gate: asyncio.Event = field(default_factory=asyncio.Event)
    change_after: list[int] = field(default_factory=list)
    """The next bodies are reset after this number of bytes, and the file has another content from then on."""
    send_buffer: int | None = None
    """Bytes of a body that the kernel holds for each new connection, as of a server at the end of a slow line."""
    extra_bytes: int = 0
    """The number of bytes that follow each body in excess."""
