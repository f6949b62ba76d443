"""What of a request is read as credentials, and what a trusted proxy may state."""

from dataclasses import dataclass, field
from typing import cast

import pytest
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy
from yarl import URL

from gateway.model import Credentials, Secret
from gateway.network import parse_hop
from gateway.web.credentials import CredentialsReader, TrustedProxies
from gateway.web.request import Request


@dataclass
class Head:
    """What the reader reads of a request."""

    target: str = "/v/r1/v1"
    fields: list[tuple[str, str]] = field(default_factory=list)
    method: str = "GET"
    peer: str | None = "10.0.0.5"

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return CIMultiDictProxy(CIMultiDict(self.fields))

    @property
    def has_query(self) -> bool:
        return "?" in self.target

    @property
    def query(self) -> MultiDictProxy[str]:
        return MultiDictProxy(MultiDict(URL(self.target, encoded=True).query))


def read(head: Head, **options: bool) -> Credentials:
    reader = CredentialsReader(
        ["X-Remote-User", "X-REMOTE-USER"], lambda cookies: {f"session of {len(cookies)}": Secret(cookies[0])}
    )
    return reader.read(cast("Request", head), **options)


def test_a_request_without_anything_has_no_credentials() -> None:
    assert read(Head()) == Credentials(peer="10.0.0.5")
    assert read(Head(peer=None)) == Credentials()


def test_only_the_headers_that_providers_read_are_read_by_their_whole_names() -> None:
    fields = [("authorization", "Bearer x"), ("X-REMOTE-USER", "anna"), ("X_Remote_User", "ben"), ("X-Other", "y")]
    assert read(Head(fields=fields)).headers == {"authorization": "Bearer x", "x-remote-user": "anna"}


def test_cookies_are_given_as_they_arrived_and_sessions_are_read_of_them() -> None:
    credentials = read(Head(fields=[("Cookie", "a=1"), ("cookie", "b=2")]))
    assert list(credentials.cookies) == ["a=1", "b=2"]
    assert credentials.sessions == {"session of 2": Secret("a=1")}


@pytest.mark.parametrize(
    ("options", "ticket", "token"),
    [
        ({}, "T", None),
        ({"access_token": True}, "T", "A"),
        ({"access_token": True, "with_query": False}, None, None),
        ({"with_query": False}, None, None),
    ],
)
def test_tickets_and_access_tokens_come_from_the_query_where_it_counts(
    options: dict[str, bool], ticket: str | None, token: str | None
) -> None:
    credentials = read(Head("/v/r1/v1?ticket=T&access_token=A"), **options)
    assert credentials.ticket == (None if ticket is None else Secret(ticket))
    assert credentials.access_token == (None if token is None else Secret(token))


def test_an_empty_ticket_is_a_ticket_and_not_none() -> None:
    assert read(Head("/?ticket=&access_token="), access_token=True) == Credentials(
        ticket=Secret(""), access_token=Secret(""), peer="10.0.0.5"
    )


def test_only_a_head_leaves_a_ticket_valid() -> None:
    assert [read(Head(method=method)).consume_ticket for method in ("GET", "POST", "HEAD")] == [True, True, False]


def test_an_address_may_demand_a_token_for_one_video() -> None:
    assert read(Head()).video_token_only is False
    assert read(Head(), video_token_only=True).video_token_only is True


@pytest.mark.promise("security-S6")
def test_a_request_id_is_a_trusted_proxys_and_at_most_200_characters_long() -> None:
    proxies = TrustedProxies(["10.0.0.0/24"])

    def request_id(peer: str | None, *fields: tuple[str, str]) -> str | None:
        return proxies.request_id(peer, CIMultiDictProxy(CIMultiDict(fields)))

    assert request_id("10.0.0.5", ("x-request-id", "abc")) == "abc"
    assert request_id("10.0.0.5", ("X-Request-ID", "x" * 201)) == "x" * 200
    assert request_id("10.0.0.5", ("X-Request-ID", "")) == ""
    assert request_id("10.0.0.5") is None
    assert request_id("192.0.2.1", ("X-Request-ID", "abc")) is None
    assert request_id(None, ("X-Request-ID", "abc")) is None
    assert proxies.trusts("10.0.0.5") is True
    assert proxies.trusts("192.0.2.1") is False


@pytest.mark.parametrize("hop", ["\x0b", "X", "\x0b203.0.113.7", "X203.0.113.7"])
def test_a_hop_of_other_characters_than_an_address_is_unknown(hop: str) -> None:
    headers = CIMultiDictProxy(CIMultiDict([("X-Forwarded-For", f"203.0.113.7, {hop}")]))
    assert TrustedProxies(["10.0.0.0/24"]).client("10.0.0.5", headers) == "unknown"
    assert parse_hop(hop) is None


def test_thirty_two_hops_are_read_and_not_one_more() -> None:
    proxies = TrustedProxies(["10.0.0.0/24"])
    for trusted, client in ((31, "192.0.2.9"), (32, "10.0.0.6")):
        hops = ", ".join(["192.0.2.9", *["10.0.0.6"] * trusted])
        headers = CIMultiDictProxy(CIMultiDict([("X-Forwarded-For", hops)]))
        assert proxies.client("10.0.0.5", headers) == client
