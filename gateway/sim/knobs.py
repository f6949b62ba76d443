"""Every fault that the simulator can have. A test, or a curious person, turns them while it runs."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class Knobs:
    """Spans are seconds. Lists are used up, an entry a request. Dicts and sets are keyed by operation: login,
    download, record, search, rooms; *delay* and *gate* know media too."""

    # Any operation
    delay: dict[str, float] = field(default_factory=dict)
    gate: dict[str, asyncio.Event] = field(default_factory=dict)
    """An operation waits for its event."""
    fail: dict[str, list[int]] = field(default_factory=dict)
    """Statuses that the next calls of an operation are answered with. For media there is *refuse_media*."""
    rubbish: set[str] = field(default_factory=set)
    """Operations answered by a page instead of JSON."""

    # Tokens and links
    refuse_logins: bool = False
    token_life: float = 8 * 3600.0
    clock_ahead: float = 0.0
    """VALT's clock, and with it every link's iat, nbf and exp, is so far ahead."""
    link_life: float = 1800.0
    expiry_cuts: bool = False
    """A body that is still running when its link dies ends by a TCP reset; whether VALT does so is not known."""
    link_without_exp: bool = False
    link_not_jwt: bool = False
    link_host: str | None = None
    """``host:port`` that links name instead of the distribution server's."""
    link_scheme: str | None = None
    url_under_data: bool = False
    """The download call answers ``{"data": {"url": …}}``."""
    unscoped_links: bool = True
    """A link's token opens every file, as VALT's names none; False binds it to its path."""

    # The distribution server's heads
    refuse_media: list[int] = field(default_factory=list)
    """Statuses that the next requests are answered with."""
    ignore_range: bool = False
    wrong_content_range: bool = False
    """Content-Range tells a place one byte further on."""
    chunked: bool = False
    """No Content-Length."""
    validators: str = "strong"
    """strong, weak or none."""

    # The distribution server's bodies
    reset_after: list[int] = field(default_factory=list)
    """The next bodies end by a TCP reset after so many bytes; a negative number: inside the head."""
    end_after: list[int] = field(default_factory=list)
    """The next bodies end by a clean close after so many bytes, whatever Content-Length promised."""
    stall_after: list[int] = field(default_factory=list)
    """The next bodies stand still after so many bytes until *stall_gate* is set."""
    stall_gate: asyncio.Event = field(default_factory=asyncio.Event)
    change_after: list[int] = field(default_factory=list)
    """The next bodies are cut after so many bytes, and the file is another from then on."""
    extra_bytes: int = 0
    """So many bytes too many follow each body."""
