"""Requests that two parsers could read differently are refused, each for the reason that is its own. Pure."""

import tracemalloc
from dataclasses import dataclass, field
from typing import cast

import pytest
from aiohttp import HttpVersion, HttpVersion10, HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy
from yarl import URL

from gateway.errors import BadRequestError, GatewayError, MisdirectedRequestError
from gateway.web.request import Request
from gateway.web.request_validation import (
    MAX_HEAD,
    MAX_LINE,
    MAX_WAITING,
    SINGLE_PARAMETERS,
    HeadScanner,
    RequestValidator,
    WaitingHeads,
    is_same_origin,
    origin_of,
)

PUBLIC_URL = "https://recordings.example.edu:8443"
HOST = ("Host", "recordings.example.edu:8443")


@dataclass
class Head:
    """What the checks read of a request."""

    raw_path: str = "/"
    fields: list[tuple[str, str]] = field(default_factory=lambda: [HOST])
    version: HttpVersion = HttpVersion11

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return CIMultiDictProxy(CIMultiDict(self.fields))

    @property
    def has_query(self) -> bool:
        return "?" in self.raw_path

    @property
    def query(self) -> MultiDictProxy[str]:
        return MultiDictProxy(MultiDict(URL(self.raw_path, encoded=True).query))


def refusal(head: Head, public_url: str = PUBLIC_URL, identity_headers: tuple[str, ...] = ("X-Remote-User",)) -> object:
    """Returns the class and the message of the error, or None if the request is accepted."""
    try:
        RequestValidator(identity_headers, public_url).check(cast("Request", head))
    except GatewayError as error:
        return type(error), str(error)
    return None


@pytest.mark.parametrize("version", [HttpVersion(0, 9), HttpVersion(1, 2), HttpVersion(2, 0)])
def test_a_version_that_is_neither_http_1_0_nor_1_1_is_refused(version: HttpVersion) -> None:
    assert refusal(Head(version=version)) == (BadRequestError, "the HTTP version is not 1.0 or 1.1")
    assert refusal(Head(version=HttpVersion10)) is None
    assert refusal(Head(version=HttpVersion11)) is None


@pytest.mark.promise("security-S17")
@pytest.mark.parametrize(
    "target",
    [
        "*",
        "v",
        "//evil.example/v",
        "/v#part",
        "https://recordings.example.edu:8443/v#part",
        "https:///v",
        "https://?v",
        "ftp://recordings.example.edu:8443/v",
        "x https://recordings.example.edu:8443/v",
    ],
)
def test_a_target_in_neither_origin_nor_absolute_form_is_refused(target: str) -> None:
    reason = "the request target is neither in origin nor in absolute form"
    assert refusal(Head(target)) == (BadRequestError, reason)


@pytest.mark.parametrize(
    "target",
    [
        "https://recordings.example.edu/v",
        "https://evil.example:8443/v",
        "https://anna@recordings.example.edu:8443/v",
        "https://recordings.example.edu:x/v",
        "https://recordings.example.edu:8443@evil.example/v",
    ],
)
def test_a_target_of_another_authority_is_misdirected(target: str) -> None:
    reason = "the authority of the request target is not public_url's"
    assert refusal(Head(target)) == (MisdirectedRequestError, reason)


@pytest.mark.parametrize("scheme", ["https", "http", "HTTPS"])
def test_a_target_of_our_own_authority_is_accepted_in_either_scheme(scheme: str) -> None:
    assert refusal(Head(f"{scheme}://RECORDINGS.example.edu:8443/v/r1/v1")) is None


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Range", "If-Range", "Host", "Content-Length", "Transfer-Encoding", "X-Remote-User"],
)
def test_a_header_that_may_occur_once_is_refused_twice_in_any_case(name: str) -> None:
    others = [] if name == "Host" else [HOST]
    value = {"Host": HOST[1], "Transfer-Encoding": "chunked"}.get(name, "1")
    assert refusal(Head(fields=[*others, (name, value)])) is None
    twice = refusal(Head(fields=[*others, (name, value), (name.upper(), value)]))
    assert twice == (BadRequestError, f"the header {name} is repeated")


def test_headers_that_may_be_lists_may_be_repeated() -> None:
    assert (
        refusal(Head(fields=[HOST, ("Accept", "a/b"), ("Accept", "c/d"), ("X-Other", "1"), ("X-Other", "2")])) is None
    )


@pytest.mark.parametrize(
    ("host", "is_accepted"),
    [
        ("recordings.example.edu", True),
        ("recordings.example.edu:8443", True),
        ("192.0.2.1:80", True),
        ("[2001:db8::1]:80", True),
        ("a_b-c.d~e%20", True),
        ("host:", True),
        ("", True),
        ("two hosts", False),
        ("a,b", False),
        ("a/b", False),
        ("anna@host", False),
        ("host:80x", False),
        ("[2001:db8::1", False),
        ("höst", False),
    ],
)
def test_the_header_host_is_one_host_with_or_without_a_port(host: str, is_accepted: bool) -> None:
    expected = None if is_accepted else (BadRequestError, "the header Host is not one host")
    assert refusal(Head(fields=[("Host", host)])) == expected


def test_a_request_without_host_is_accepted_and_public_urls_host_always_is() -> None:
    assert refusal(Head(fields=[])) is None
    assert refusal(Head(fields=[("Host", "bücher.example")]), "https://bücher.example") is None


@pytest.mark.parametrize(
    ("coding", "version", "is_accepted"),
    [
        ("chunked", HttpVersion11, True),
        (" Chunked ", HttpVersion11, True),
        ("chunked", HttpVersion10, False),
        ("gzip, chunked", HttpVersion11, False),
        ("gzip", HttpVersion11, False),
        ("", HttpVersion11, False),
        ("identity", HttpVersion10, False),
    ],
)
def test_the_only_transfer_coding_is_chunked_in_http_1_1(coding: str, version: HttpVersion, is_accepted: bool) -> None:
    expected = None if is_accepted else (BadRequestError, "the transfer coding is not supported")
    assert refusal(Head(fields=[HOST, ("Transfer-Encoding", coding)], version=version)) == expected


@pytest.mark.parametrize("name", SINGLE_PARAMETERS)
def test_a_parameter_that_the_gateway_reads_is_refused_twice(name: str) -> None:
    assert refusal(Head(f"/v/r1/v1?{name}=1")) is None
    assert refusal(Head(f"/v/r1/v1?{name}=1&{name}=1")) == (BadRequestError, "a query parameter is repeated")


def test_parameters_of_others_may_be_repeated() -> None:
    assert refusal(Head("/v/r1/v1?other=1&other=2")) is None
    assert refusal(Head("/oauth2/auth/v/r1?ticket=1&ticket=2")) is None
    assert refusal(Head("/v/oauth2/auth/r1?ticket=1&ticket=2")) == (BadRequestError, "a query parameter is repeated")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://host.example", ("host.example", None)),
        ("http://HOST.example:80/p", ("host.example", None)),
        ("http://host.example:443", ("host.example", None)),
        ("https://host.example:8443?q", ("host.example", 8443)),
        ("https://[2001:db8::1]:81", ("2001:db8::1", 81)),
        ("https://anna@host.example", None),
        ("https://host.example:99999", None),
        ("https://[host", None),
        ("/path", None),
        ("https://:80", None),
    ],
)
def test_the_origin_is_host_and_port_without_the_ports_of_http(url: str, origin: tuple[str, int | None] | None) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("fields", "is_own"),
    [
        ([("Sec-Fetch-Site", "same-origin")], True),
        ([("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.example")], True),
        ([("Sec-Fetch-Site", "same-site"), ("Origin", PUBLIC_URL)], False),
        ([("Sec-Fetch-Site", "cross-site"), ("Origin", PUBLIC_URL)], False),
        ([("Origin", PUBLIC_URL)], True),
        ([("Origin", "https://evil.example")], False),
        ([], False),
    ],
)
def test_fetch_metadata_or_origin_show_a_page_of_the_gateway(fields: list[tuple[str, str]], is_own: bool) -> None:
    assert is_same_origin(cast("Request", Head(fields=fields)), PUBLIC_URL) is is_own


def test_heads_wait_up_to_the_limit_and_not_a_byte_more() -> None:
    assert WaitingHeads().add(MAX_WAITING, 1, 0, chunked=False) is False
    assert WaitingHeads().add(MAX_WAITING + 1, 1, 0, chunked=False) is True
    waiting = WaitingHeads()
    assert waiting.add(MAX_WAITING, 1, 0, chunked=False) is False
    assert waiting.add(1, 2, 0, chunked=False) is True


def test_heads_whose_requests_are_answered_no_longer_wait() -> None:
    waiting = WaitingHeads()
    assert waiting.add(MAX_WAITING - 10, 1, 0, chunked=False) is False
    assert waiting.add(10, 2, 0, chunked=False) is False
    assert waiting.add(MAX_WAITING - 10, 3, 1, chunked=False) is False  # ten bytes of the second still wait
    assert waiting.add(1, 4, 1, chunked=False) is True
    assert waiting.add(1, 5, 4, chunked=False) is False


def test_behind_a_chunked_request_everything_counts() -> None:
    waiting = WaitingHeads()
    assert waiting.add(MAX_WAITING, 1, 0, chunked=False) is False
    assert waiting.add(1, 2, 1, chunked=True) is True


def test_of_more_requests_than_are_parsed_ahead_only_so_many_count() -> None:
    assert WaitingHeads().add(MAX_WAITING + 32, 32, 0, chunked=False) is True
    assert WaitingHeads().add(2 * MAX_WAITING, 64, 0, chunked=False) is False
    assert WaitingHeads().add(2 * MAX_WAITING + 1, 64, 0, chunked=False) is True
    assert WaitingHeads().add(2 * MAX_WAITING, 164, 101, chunked=False) is True


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def scanned(*segments: bytes) -> tuple[HeadScanner, tuple[int, int, int, int, int, bool, int]]:
    """Returns the scanner of *segments*, and its figures after the last one."""
    scanner = HeadScanner()
    for segment in segments:
        assert scanner.feed(segment, MAX_HEAD) is True
    return scanner, (
        scanner.started,
        scanner.completed,
        scanner.size,
        scanner.begin,
        scanner.head_size,
        scanner.is_last,
        scanner.body_left,
    )


@pytest.mark.parametrize(
    ("segments", "figures"),
    [
        ([], (0, 0, 0, 0, 0, False, 0)),
        ([b"\r\n"], (0, 0, 0, 0, 0, False, 0)),
        ([b"G"], (1, 0, 1, 0, 1, False, 0)),
        ([GET], (1, 1, 27, 0, 0, False, 0)),
        ([GET[:-1]], (1, 0, 26, 0, 26, False, 0)),
        ([GET[:-1], b"\n"], (1, 1, 27, 0, 0, False, 0)),
        ([GET[:-2], b"\r\n"], (1, 1, 27, 0, 0, False, 0)),
        ([GET[:-3], b"\n\r\n"], (1, 1, 27, 0, 0, False, 0)),
        ([GET[:-4], b"\r\n\r\n" + GET[:5]], (2, 1, 32, 4, 5, False, 0)),
        ([GET + GET + GET], (3, 3, 81, 54, 0, False, 0)),
        ([GET + b"\r\n" + GET[:9]], (2, 1, 36, 29, 9, False, 0)),
        ([b"\n" + GET], (1, 1, 27, 1, 0, False, 0)),
        ([b"X" + GET], (1, 1, 28, 0, 0, False, 0)),
        ([GET, GET], (2, 2, 54, 0, 0, False, 0)),
        ([POST % 5], (1, 1, 38, 0, 0, False, 5)),
        ([POST % 5 + b"hell"], (1, 1, 38, 0, 0, False, 1)),
        ([POST % 5 + b"hello"], (1, 1, 38, 0, 0, False, 0)),
        ([POST % 5, b"he", b"llo" + GET], (2, 2, 65, 3, 0, False, 0)),
        ([POST % 5 + b"hello" + GET[:5]], (2, 1, 43, 43, 5, False, 0)),
        ([POST % 4 + b"\r\n\r\n" + GET], (2, 2, 65, 42, 0, False, 0)),
        ([POST % 0 + GET], (2, 2, 65, 38, 0, False, 0)),
        ([POST % 12, b"A: b\r\n\r\nC: d" + GET], (2, 2, 66, 12, 0, False, 0)),
        ([b"GET / HTTP/1.1\r\nContent-Length: \r\n\r\n"], (1, 1, 36, 0, 0, False, 0)),
        ([CHUNKED], (1, 1, 47, 0, 0, True, 0)),
        ([CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + GET, GET], (1, 1, 47, 0, 0, True, 0)),
        ([GET + CHUNKED], (2, 2, 74, 27, 0, True, 0)),
        ([CHUNKED[:-2], b"Content-Length: 5\r\n\r\n"], (1, 1, 66, 0, 0, True, 5)),
    ],
)
def test_heads_and_bodies_are_followed_to_the_byte(
    segments: list[bytes], figures: tuple[int, int, int, int, int, bool, int]
) -> None:
    assert scanned(*segments)[1] == figures


@pytest.mark.parametrize("head", [POST % 5, CHUNKED, b"GET / HTTP/1.1\r\nX: %s\r\n\r\n" % (b"a" * 9000)])
@pytest.mark.parametrize("earlier", [b"", GET, POST % 3 + b"abc"], ids=["first", "after a head", "after a body"])
def test_a_head_is_the_same_wherever_it_is_divided(head: bytes, earlier: bytes) -> None:
    whole = scanned(earlier + head)[1]
    for cut in (*range(1, 60), len(head) - 3, len(head) - 1):
        divided = scanned(earlier + head[:cut], head[cut:])[1]
        assert divided[:3] + divided[4:] == whole[:3] + whole[4:]


def test_a_line_is_scanned_again_from_its_beginning_and_no_earlier_line_is() -> None:
    scanner, figures = scanned(b"POST / HTTP/1.1\r\nX: y\r\nContent-Le", b"ngth: 7", b"", b"0\r\n", b"\r\n")
    assert figures == (1, 1, 45, 0, 0, False, 70)
    assert scanner.feed(bytes(70) + GET, MAX_HEAD)
    assert (scanner.completed, scanner.begin) == (2, 70)


def test_a_head_may_be_as_large_as_the_limit_and_no_larger() -> None:
    for segments in ([GET], [GET[:10], GET[10:]]):
        scanner = HeadScanner()
        assert [scanner.feed(segment, len(GET)) for segment in segments][-1] is True
        scanner = HeadScanner()
        assert [scanner.feed(segment, len(GET) - 1) for segment in segments][-1] is False


def test_the_fields_are_read_of_divided_and_large_heads_alone() -> None:
    assert scanned()[0].fields is None
    assert scanned(GET)[0].fields is None
    divided = scanned(b"GET / HTTP/1.1\r\nAcc", b"ept: text/html\r\n\r\n")[0]
    assert divided.fields is not None
    assert (dict(divided.fields.fields), divided.fields.is_complete) == ({"Accept": "text/html"}, True)
    assert divided.feed(GET, MAX_HEAD)
    assert divided.fields is None, "those of the earlier head"
    for size, has_fields in ((MAX_LINE, False), (MAX_LINE + 1, True)):
        head = GET[:-4] + b"a" * (size - len(GET)) + b"\r\n\r\n"
        assert (scanned(head)[0].fields is not None) is has_fields


@pytest.mark.parametrize("size", [900, 1024, 1100, 5000])
def test_of_a_long_line_beginning_and_end_are_enough(size: int) -> None:
    begin, end = b"POST / HTTP/1.1\r\nContent-Length: 5\r\nX: ", b"a" * size
    assert scanned(begin, end, b"\r\n\r\n")[1][-1] == 5
    assert scanned(begin + end, b"\r\n\r\n")[1][-1] == 5
    assert scanned(begin + end + b"\r", b"\n\r\n")[1][-1] == 5


@pytest.mark.parametrize("name", [b"Content-Length: ", b"transfer-encoding :"])
def test_a_line_about_the_body_has_2_kib_at_most(name: bytes) -> None:
    begin, longest = b"POST / HTTP/1.1", b"\r\n" + name + b" " * (2048 - len(name) - 2)
    assert scanned(begin, longest, b"")[0].completed == 0
    scanner, _ = scanned(begin, longest)
    assert scanner.feed(b" ", MAX_HEAD) is False
    assert scanner.head_size == MAX_HEAD + 1
    assert scanner.feed(b"\r\n\r\n", MAX_HEAD) is False
    assert scanner.completed == 0
    scanner, _ = scanned(begin)
    assert scanner.feed(longest + b"\r\n\r\n", MAX_HEAD) is False
    assert scanned(begin + longest[:-1] + b"\r\n\r\n")[0].completed == 1
    assert scanned(begin, b"\r\nX-" + longest[2:], b" \r\n\r\n")[0].completed == 1


@pytest.mark.parametrize("size", [900, 1024, 1100, 5000])
def test_of_a_long_line_the_end_shows_where_the_head_ends(size: int) -> None:
    assert scanned(GET[:-4] + b"a" * size + b"\r\n\r", b"\n" + GET)[1][:2] == (2, 2)


def test_of_a_long_line_little_is_stored() -> None:
    tracemalloc.start()
    try:
        scanner, _ = scanned(b"GET / HTTP/1.1\r\nX: " + b"a" * 30_000)
        assert tracemalloc.get_traced_memory()[0] < 15_000
    finally:
        tracemalloc.stop()
    assert scanner.head_size == 30_019


def test_the_scanner_shows_its_figures() -> None:
    scanner, _ = scanned(GET + POST % 5 + b"h", b"ello", GET[:3])
    assert repr(scanner) == "<HeadScanner head_size=3 completed=2 body_left=0>"


def test_all_segments_whose_requests_are_answered_are_forgotten() -> None:
    waiting = WaitingHeads()
    third = MAX_WAITING // 4
    assert [waiting.add(third, number, 0, chunked=False) for number in (1, 2, 3)] == [False] * 3
    assert waiting.add(2 * third, 4, 2, chunked=False) is False
    assert waiting.add(third, 5, 2, chunked=False) is False
    assert waiting.add(1, 6, 2, chunked=False) is True
    assert waiting.add(1, 7, 4, chunked=False) is False
