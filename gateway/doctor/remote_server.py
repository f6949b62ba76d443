"""What the checks of other servers share: what an operator can do about one that cannot be reached, by the reason that
`describe_failure` gives, and by how much its clock differs, as far as a time in its responses shows. Pure."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_NAME = "correct the host name, or the resolver of this machine (/etc/resolv.conf)"
_REFUSED = "start the server, or correct the port; a firewall may refuse the connection too"
_REMEDIES = (
    ("certificate has expired", "renew the server's certificate"),
    ("certificate is not yet valid", "compare the clocks, or correct the server's certificate"),
    ("mismatch", "use the name that the server's certificate has, or have the server present another certificate"),
    ("certificate verify failed", "have the server send its whole chain, or name the CA's file: {ca}"),
    ("TLS", "the port does not speak TLS as expected: compare scheme and port with the server's configuration"),
    ("Connection refused", _REFUSED),
    ("Errno 111", _REFUSED),
    ("in time", "open the port in the firewalls between this machine and the server, or look at the server's load"),
    ("unreachable", "correct the address, or the routes of this machine"),
    ("No route", "correct the address, or the routes of this machine"),
    ("Name or service not known", _NAME),
    ("name resolution", _NAME),
    ("associated with hostname", _NAME),
    ("closed the connection", "look at the server's log: it, or a firewall before it, ended the connection"),
    ("HTTP 5", "look at the server's log: a proxy before it is up, and the service behind that is not"),
)
"""A part of a reason, and the remedy; the first that fits is used."""
_TIMELY = 5.0
"""Seconds by which two clocks may differ without a word."""


def remedy_for(reason: str, *, ca: str, otherwise: str = "look at the server's log") -> str:
    """Returns the remedy for *reason*. *ca* says where a private CA is configured."""
    return next((remedy for part, remedy in _REMEDIES if part in reason), otherwise).format(ca=ca)


def offset(stated: float, before: float, after: float) -> float:
    """Returns by how many seconds the other clock is ahead (negative: behind). *stated* are its Unix seconds, cut off
    to a whole number, in the response to a request that was sent at *before* and answered at *after*."""
    if stated > after:
        return stated - after
    return min(0.0, stated + 1.0 - before)


def parse_date(headers: Mapping[str, str]) -> float | None:
    """Returns the Date of a response in Unix seconds (RFC 9110, section 6.6.1), None if it has none that is valid."""
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):  # OverflowError for a day beyond 64 bits
        return None


def is_timely(seconds: float) -> bool:
    """Whether an offset is so small that nothing depends on it."""
    return abs(seconds) <= _TIMELY


def describe_offset(seconds: float) -> str:
    """Returns an offset in words: "equal to", "40 s ahead of" or "40 s behind"."""
    if is_timely(seconds):
        return "equal to"
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"
