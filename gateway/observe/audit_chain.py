"""The hash chain of the audit: each line contains a hash over itself and over the hash of the line before it.

How it works. A chain is the lines of one writer's run. Line *n* ends with ``"chain":…,"seq":n,"hash":…``; the hash is
SHA-256, or HMAC-SHA-256 with a key, over the 64 hexadecimal digits of line *n - 1* (zeros for the first line) and the
bytes of line *n* before ``,"hash":``. A ``chain`` line is the first of each file and of each run. Its ``previous``
names the line before it, so that chains and files are linked as well. Pure, except for
`last_line_of` and `read_chain_key`.
"""

import gzip
import hashlib
import hmac
import os
import secrets
import zlib
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

import orjson

ZEROS = "0" * 64
"""The previous hash of a chain's first line."""
SEAL_BYTES = 135
"""More than `seal` adds to a line whose chain has an id of 16 characters and at most 10^12 lines."""
_HASH = b',"hash":"'
_TAIL = 64 + len('"}')
_DIGITS = frozenset(b"0123456789abcdef")
_MAX_LINE = 64 * 1024
"""Bytes at the end of a file in which its last line is searched."""


class Head(NamedTuple):
    """The last line of a chain. *seq* is 0, and *digest* is ZEROS, if the chain has no line yet."""

    chain: str
    seq: int
    digest: str


class SealedLine(NamedTuple):
    """A line as it was read. *content* is what the hash covers."""

    content: bytes
    head: Head
    fields: dict[str, Any]


def new_chain() -> Head:
    """Returns the head of a chain without lines. Its id is 64 random bits in hex."""
    return Head(secrets.token_hex(8), 0, ZEROS)


def read_chain_key(path: Path) -> bytes:
    """Returns the key in the file: its bytes without a line feed at the end. Raises OSError."""
    return path.read_bytes().removesuffix(b"\n")


def digest_of(previous: str, content: bytes, key: bytes | None) -> str:
    """Returns the 64 digits for a line with *content* after a line whose digits are *previous*."""
    data = previous.encode() + content
    return hashlib.sha256(data).hexdigest() if key is None else hmac.digest(key, data, "sha256").hex()


def seal(line: bytes, head: Head, key: bytes | None) -> tuple[bytes, Head]:
    """Returns *line*, a JSON object and a line feed, as the line after *head*; and the head that it becomes."""
    seq = head.seq + 1
    content = line[:-2] + f',"chain":"{head.chain}","seq":{seq}'.encode()
    digest = digest_of(head.digest, content, key)
    return content + f',"hash":"{digest}"}}\n'.encode(), Head(head.chain, seq, digest)


def unseal(line: bytes) -> SealedLine | None:
    """Returns the parts of *line*, which is without its line feed; None if it does not have the form of a sealed line.

    The hash is not verified.
    """
    content, digest, end = line[: -_TAIL - len(_HASH)], line[-_TAIL:-2], line[-2:]
    if line[-_TAIL - len(_HASH) : -_TAIL] != _HASH or end != b'"}' or not _DIGITS.issuperset(digest):
        return None
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(fields, dict):
        return None
    head = _head(fields.get("chain"), fields.get("seq"), digest.decode())
    return None if head is None else SealedLine(content, head, fields)


def previous_of(fields: dict[str, Any]) -> Head | None:
    """Returns the head that a ``chain`` line with *fields* names, or None if it names none."""
    previous = fields.get("previous")
    if not isinstance(previous, dict):
        return None
    return _head(previous.get("chain"), previous.get("seq"), previous.get("hash"))


def last_line_of(path: str) -> Head | None:
    """Returns the head of the last whole line of the file, or of the newest file that was rotated away from *path*.

    Rotated files are those whose name begins with *path*'s; of compressed ones only .gz is read, which takes some
    seconds for a gigabyte. None if there is no such line, or if it cannot be read.
    """
    try:
        rotated = list(Path(path).parent.glob(f"{Path(path).name}?*"))
        rotated.sort(key=lambda other: other.stat().st_mtime, reverse=True)
        for candidate in (Path(path), *rotated[:1]):
            if candidate.is_file() and (head := _last_head(candidate)) is not None:
                return head
    except (OSError, EOFError, zlib.error):
        pass  # the line that opens the run says that nothing was before it, and `audit verify` names the gap
    return None


def _last_head(path: Path) -> Head | None:
    if path.name.endswith(".gz"):
        with gzip.open(path) as compressed:
            tail = b"".join(deque(compressed, maxlen=2))
    else:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _MAX_LINE))
            tail = file.read()
    *whole, _ = tail.split(b"\n")
    for line in reversed(whole):
        sealed = unseal(line)
        if sealed is not None:
            return sealed.head
    return None


def _head(chain: object, seq: object, digest: object) -> Head | None:
    if not isinstance(chain, str) or not isinstance(seq, int) or not isinstance(digest, str) or seq < 1:
        return None
    return Head(chain, seq, digest)
