"""Boxes of MP4 files (ISO/IEC 14496-12, section 4.2). Pure."""

import struct
from collections.abc import Iterator

HEADER = 16
"""The longest header of a box, in bytes."""


class IndexUnreadableError(Exception):
    """The film has no index that can be read. Its text is the reason; it never holds a URL. *outcome* is what it counts
    as: damaged, too_large, no_index, timeout, unavailable, busy or internal."""

    def __init__(self, reason: str, outcome: str = "damaged") -> None:
        super().__init__(reason)
        self.outcome = outcome


def parse_header(head: bytes, left: int) -> tuple[int, bytes, int]:
    """Returns length, type and header length of the box that *head* begins, of which at most *left* bytes can exist.

    Raises IndexUnreadableError.
    """
    if len(head) < 8:
        raise IndexUnreadableError("a box is torn")
    length, kind = struct.unpack_from(">I4s", head)
    header = 8
    if length == 1:
        if len(head) < HEADER:
            raise IndexUnreadableError("a box is torn")
        (length,), header = struct.unpack_from(">Q", head, 8), HEADER
    elif length == 0:
        length = left
    if length < header or length > left:
        raise IndexUnreadableError("a box has an impossible size")
    return length, kind, header


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields type and content of each box in *data*. Raises IndexUnreadableError."""
    position = 0
    while position + 8 <= len(data):
        length, kind, header = parse_header(data[position : position + HEADER], len(data) - position)
        yield kind, data[position + header : position + length]
        position += length


def child(data: bytes, *path: bytes) -> bytes | None:
    """Returns the content of the first box at *path* in *data*, or None. Raises IndexUnreadableError."""
    content: bytes | None = data
    for kind in path:
        if content is None:
            return None
        content = next((inner for name, inner in boxes(content) if name == kind), None)
    return content
