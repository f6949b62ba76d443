"""Requests that two parsers could read differently are refused, each for the reason that is its own. Pure."""

from dataclasses import dataclass, field
from typing import cast

import pytest
from aiohttp import HttpVersion, HttpVersion10, HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy
from yarl import URL

from gateway.errors import BadRequestError, GatewayError, MisdirectedRequestError
from gateway.web.request import Request
from gateway.web.request_validation import (
    MAX_WAITING,
    SINGLE_PARAMETERS,
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
