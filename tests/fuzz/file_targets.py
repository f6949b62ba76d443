"""Targets of files and settings: MP4 indexes, audit lines, keytabs, TOML and the URLs of Redis."""

import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import quote

from gateway.delivery.film_boxes import IndexUnreadableError
from gateway.delivery.film_index import FilmBoxes, build_index, find_boxes
from gateway.model import Secret
from gateway.observe.audit_chain import ZEROS, Head, last_line_of, seal, unseal
from gateway.observe.audit_report import Selection, rows
from gateway.observe.audit_verify import verify
from gateway.redis_url import RedisUrl, parse_redis_url
from gateway.settings.keytab import read_principals
from gateway.settings.loading import load
from tests.fuzz.target import Target, text_of

_CONFIGURATIONS = Path(__file__).parents[2] / "config"
_KEY = b"k" * 32


def _box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _movie(*, fragmented: bool) -> bytes:
    """Returns an MP4 of one video track with four samples, in its ``moov`` box or in a ``moof`` box."""
    counts = 0 if fragmented else 4
    sizes = struct.pack(">4x2I", 0, counts) + struct.pack(">4I", 10, 20, 30, 40)[: 4 * counts]
    table = (
        _box(b"stsz", sizes),
        _box(b"stts", struct.pack(">4xI2I", 1, 4, 512)),
        _box(b"ctts", struct.pack(">4xI2I", 1, 4, 0)),
        _box(b"stsc", struct.pack(">4xI3I", 1, 1, 2, 1)),
        _box(b"stco", struct.pack(">4xI2I", 2, 700, 730)),
    )
    media = _box(
        b"mdia",
        _box(b"mdhd", bytes(12), struct.pack(">2I", 12800, 2048), bytes(4)),
        _box(b"hdlr", bytes(8), b"vide", bytes(13)),
        _box(b"minf", _box(b"stbl", *table)),
    )
    edits = _box(b"edts", _box(b"elst", struct.pack(">4xIIiI", 1, 160, 0, 0x10000)))
    track = _box(b"trak", _box(b"tkhd", bytes(12), struct.pack(">I", 1), bytes(68)), edits, media)
    extends = _box(b"mvex", _box(b"trex", struct.pack(">4x5I", 1, 1, 512, 10, 0)))
    moov = _box(b"moov", _box(b"mvhd", bytes(12), struct.pack(">2I", 1000, 160), bytes(80)), track, extends)
    run = _box(b"trun", struct.pack(">II2I", 0x200, 2, 11, 12))
    header = _box(b"tfhd", struct.pack(">II", 0x20000, 1))
    time = _box(b"tfdt", struct.pack(">II", 0, 512))
    moof = _box(b"moof", _box(b"mfhd", bytes(8)), _box(b"traf", header, time, run))
    return _box(b"ftyp", b"isom", bytes(4)) + moov + (moof if fragmented else b"") + _box(b"mdat", bytes(100))


def film(data: bytes) -> None:
    """The reader asks for bytes of the file alone, and what a range shows lies within the film."""
    reads = find_boxes(len(data))
    try:
        boxes = _drive(reads, data)
        index = build_index(boxes)
    except IndexUnreadableError:
        return
    assert len(index.offsets) == len(index.ends) == len(index.starts) == len(index.stops)
    assert list(index.offsets) == sorted(index.offsets)
    for first, last in ((0, len(data) - 1), (len(data) // 2, len(data)), (10**18, 10**18)):
        span = index.seconds(first, last)
        assert span is None or span[0] <= span[1] <= index.duration


def _drive(reads: object, data: bytes) -> FilmBoxes:
    sent: bytes | None = None
    while True:
        try:
            position, length = reads.send(sent)  # type: ignore[attr-defined]
        except StopIteration as stopped:
            boxes: FilmBoxes = stopped.value
            return boxes
        assert 0 <= position < len(data)
        assert 0 < length <= len(data) - position
        sent = data[position : position + length]


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Returns a directory of this process, which is removed with it."""
    return tempfile.TemporaryDirectory(prefix="fuzz-")


def _lines() -> list[bytes]:
    head, lines = Head("0123456789abcdef", 0, ZEROS), []
    for content in (
        b'{"event":"chain","time":"2026-11-29T01:00:00.000Z"}\n',
        b'{"event":"open","time":"2026-11-29T01:00:01.000Z","request_id":"a","delivery":"proxy","subject":"anna"}\n',
        b'{"event":"close","time":"2026-11-29T01:00:02.000Z","request_id":"a","outcome":"complete","bytes":10}\n',
        b'{"event":"deny_summary","time":"2026-11-29T01:00:03.000Z","count":7,"code":"rate_limited"}\n',
    ):
        line, head = seal(content, head, _KEY)
        lines.append(line)
    return lines


_AUDIT = _lines()


def audit(data: bytes) -> None:
    """Nothing but lines of the chain in their order passes as untouched, and any file can be reported on."""
    path = Path(_folder().name, "audit.jsonl")
    path.write_bytes(data)
    result = verify([path], _KEY)
    if not result.faults and data:
        lines = data.splitlines(keepends=True)
        assert any(_AUDIT[at : at + len(lines)] == lines for at in range(len(_AUDIT)))
    for line in data.split(b"\n"):
        sealed = unseal(line)
        assert sealed is None or sealed.content + b',"hash":"' + sealed.head.digest.encode() + b'"}' == line
    last_line_of(str(path))
    list(rows([path], Selection(), lambda _path, _line: None))


def keytab(data: bytes) -> None:
    """A keytab yields names, or is refused."""
    with suppress(ValueError, struct.error):
        assert all("@" in principal for principal in read_principals(data))


def _keytab() -> bytes:
    parts = [b"EXAMPLE.ORG", b"HTTP", b"gw.example.org"]
    entry = struct.pack(">H", 2) + b"".join(struct.pack(">H", len(part)) + part for part in parts) + bytes(20)
    return b"\x05\x02" + struct.pack(">i", len(entry)) + entry + struct.pack(">i", -4) + bytes(4)


def settings(data: bytes) -> None:
    """A configuration is accepted or has faults, each with a reason and a remedy; nothing else happens."""
    loaded = load(Path(__file__), {}, contents=data, needed_secrets=frozenset())
    assert (loaded.settings is None) == bool(loaded.faults)
    for fault in loaded.faults:
        assert str(fault).strip()
        str(fault).encode()


def redis_url(data: bytes) -> None:
    """A URL that is accepted, when written again, reads the same; no message repeats a part of it."""
    text = text_of(data).encode("utf-8", "replace").decode()
    try:
        parsed = parse_redis_url(Secret(text))
    except ValueError as error:
        if len(text) >= 8 and text in str(error):
            raise AssertionError("the message repeats the URL") from error
        return
    assert all(0 < port < 65536 and host for host, port in parsed.hosts)
    assert parsed.password is None or parsed.password.reveal() not in repr(parsed) or len(parsed.password.reveal()) < 8
    assert parse_redis_url(Secret(_written(parsed))) == parsed


def _written(url: RedisUrl) -> str:
    scheme = "redis+sentinel" if url.service else "rediss" if url.tls else "redis"
    hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in url.hosts)
    user = quote(url.username or "", safe="")
    login = "" if url.password is None else f"{user}:{quote(url.password.reveal(), safe='')}@"
    service = f"/{quote(url.service, safe='')}" if url.service else ""
    return f"{scheme}://{login}{hosts}{service}/{url.database}?{'&'.join(_query(url))}"


def _query(url: RedisUrl) -> Iterator[str]:
    yield f"socket_timeout={url.timeout:.3f}"
    secret = url.sentinel_password
    values = {
        "ssl_ca_certs": url.ca_file,
        "sentinel_username": url.sentinel_username,
        "sentinel_password": None if secret is None else secret.reveal(),
    }
    for name, value in values.items():
        if value is not None:
            yield f"{name}={quote(value, safe='')}"


_SMALL = b"""
[server]
listen = "127.0.0.1:8080"
public_url = "https://recordings.example.edu"
[valt]
base_url = "https://valt.example.edu"
[valt.accounts.reviewer]
username = "a"
password = "not-a-guess-1234567890"
[[identity]]
kind = "header"
networks = ["127.0.0.1/32"]
[[rules]]
groups = ["staff"]
account = "reviewer"
delivery = "proxy"
"""

TARGETS = (
    # An index of half a million samples, which is the limit, may take seconds; it is made in a process of its own.
    Target("MP4 index", film, (_movie(fragmented=False), _movie(fragmented=True)), limit=20.0),
    Target("audit", audit, (b"".join(_AUDIT), b"".join(_AUDIT[1:]), _AUDIT[0])),
    Target("keytab", keytab, (_keytab(),)),
    # Validation by pydantic, and the faults of a file of half the limit's size.
    Target("settings", settings, (_SMALL, (_CONFIGURATIONS / "gateway.toml").read_bytes()), limit=3.0),
    Target(
        "Redis URL",
        redis_url,
        (
            b"redis://u:p%40@h:1/2",
            b"rediss://[::1]/0?ssl_ca_certs=/a",
            b"redis+sentinel://a,b:1/s/3?sentinel_password=x",
        ),
    ),
)
