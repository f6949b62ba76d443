"""The conditions of a client's request (RFC 9110, section 13.1), and which responses contradict them. Pure.

A media server decides about them, but there are servers that ignore some, and a response of another version of the file
would then pass for that of the version which the client named. What a response does not state is not judged.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from aiohttp import hdrs

_TAG = re.compile(r'(?:W/)?"[^"\x00-\x1f\x7f]*"')
_WEAK = "W/"


def http_date(text: str) -> float | None:
    """Returns the Unix time of a date in any of the forms of RFC 9110, section 5.6.7, or None if it is none."""
    try:
        parsed = parsedate_to_datetime(text)
        return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):  # OverflowError for numbers of more than 64 bits
        return None


def is_if_range(text: str) -> bool:
    """Whether an If-Range can be true of a response: it must be one strong ETag or a date (RFC 9110, 13.1.5)."""
    return _TAG.fullmatch(text) is not None if text.startswith('"') else http_date(text) is not None


def holds_if_range(condition: str, etag: str | None, last_modified: str | None) -> bool:
    """Whether a 206 with these validators may answer a request with this If-Range: an ETag must be strong and the
    response's, a date must be its Last-Modified."""
    if not is_if_range(condition):
        return False
    if condition.startswith('"'):
        return etag in (None, condition)
    return last_modified is None or http_date(condition) == http_date(last_modified)


def contradicts(conditions: Mapping[str, str], status: int, etag: str | None, last_modified: str | None) -> bool:
    """Whether a response with these validators contradicts the *conditions* of the request that it answers.

    With a 200 or 206 it does if its file is not the one of If-Match, or newer than If-Unmodified-Since; with a 304 if
    its file is not the one of If-None-Match, or newer than If-Modified-Since. A date counts only without an ETag's
    condition (RFC 9110, section 13.2.2).
    """
    if status in (200, 206):
        tags, date = conditions.get(hdrs.IF_MATCH), conditions.get(hdrs.IF_UNMODIFIED_SINCE)
    elif status == 304:
        tags, date = conditions.get(hdrs.IF_NONE_MATCH), conditions.get(hdrs.IF_MODIFIED_SINCE)
    else:
        return False
    if tags is not None:
        return etag is not None and tags.strip() != "*" and not _is_listed(etag, tags, weakly=status == 304)
    limit = None if date is None else http_date(date)
    changed = None if last_modified is None else http_date(last_modified)
    return limit is not None and changed is not None and changed > limit


def _is_listed(etag: str, tags: str, *, weakly: bool) -> bool:
    """Whether *etag* is one of *tags*, by the comparison of RFC 9110, section 8.8.3.2. Text without any ETag is taken
    as one: some servers write theirs without quotes."""
    listed = _TAG.findall(tags) or [tags.strip()]
    if weakly:
        return etag.removeprefix(_WEAK) in (tag.removeprefix(_WEAK) for tag in listed)
    return not etag.startswith(_WEAK) and etag in listed
