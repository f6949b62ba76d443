"""Which of VALT's links are accepted, and what is read from them."""

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from gateway.errors import LinkRefusedError
from gateway.valt.allowed_hosts import AllowedHosts, parse_link

HTTPS = AllowedHosts.of("https://valt.example.edu", ("media2.example.edu:8000", "10.1.2.3:8000", "[fd00::1]:8000"))
HTTP = AllowedHosts.of("http://valt.example.edu", ())


def token(claims: Any) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJQUzUxMiJ9.{part}.c2ln"


def test_the_csp_sources_are_the_allowed_hosts() -> None:
    allowed_hosts = AllowedHosts.of("https://valt.example.edu:444", ("media2.example.edu:8000",))
    assert allowed_hosts.csp_sources() == ["https://valt.example.edu:*", "https://media2.example.edu:8000"]
    assert HTTP.csp_sources() == ["http://valt.example.edu:*"]
    assert HTTPS.csp_sources() == ["https:"]  # CSP has no syntax for [fd00::1]
    assert AllowedHosts.of("http://[::1]:80", ()).csp_sources() == ["http:"]


@pytest.mark.promise("findings-F")
@pytest.mark.parametrize(
    "url",
    [
        "https://valt.example.edu:8000/distribution/r/1_r_1.mp4?filename=a.mp4&access_token=x.y.z",
        "https://valt.example.edu/x",
        "https://media2.example.edu:8000/x",
        "https://10.1.2.3:8000/x",
        "https://[fd00::1]:8000/x",
    ],
)
def test_links_to_the_api_host_and_listed_hosts_are_returned_unchanged(url: str) -> None:
    assert parse_link(url, HTTPS, 0.0).url.reveal() == url


@pytest.mark.promise("findings-15")
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/x",
        "https://media2.example.edu:8001/x",
        "https://media2.example.edu/x",
        "http://valt.example.edu:8000/x",
        "https://valt.example.edu.evil.test/x",
        "https://valt.example.edu@evil.test/x",
        "https://valt.example.edu:8000@evil.test/x",
        "https://evil.test\\@valt.example.edu/x",
        "https://valt.example.edu\\.evil.test/x",
        "https:evil.test",
        "https:///evil.test",
        "//valt.example.edu/x",
        "ftp://valt.example.edu/x",
        "HTTPS://valt.example.edu/x",
        " https://valt.example.edu/x",
        "https://valt.example.edu/x\n",
        "https://valt.example.edu/\tx",
        "https://valt.example.edu/x#y",
        "https://valt.example.edu:99999/x",
        "https://valt.example.edu:/x",
        "https://ⓥalt.example.edu/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://[::1]/x",
        "https://[2001:d..b8::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://2130706433/x",
        "https://valt.example.edu",
        "https://valt.example.edu/x?",
        "https://valt.example.edu/" + "a" * 9000,
        "",
    ],
)
def test_links_to_other_hosts_and_ambiguous_links_are_refused(url: str) -> None:
    with pytest.raises(LinkRefusedError) as refused:
        parse_link(url, HTTPS, 0.0)
    assert url not in str(refused.value) or not url


def test_a_default_port_may_be_written() -> None:
    url = "https://valt.example.edu:443/x?y"
    assert parse_link(url, HTTPS, 0.0).url.reveal() == url


def test_http_is_allowed_where_the_api_itself_is_http() -> None:
    assert parse_link("http://valt.example.edu:8000/x", HTTP, 0.0)
    assert parse_link("https://valt.example.edu:8443/x", HTTP, 0.0)


@given(st.text(alphabet="ahtps:/.@\\?#[]%0123456789évalt-\t ", max_size=60))
def test_both_parsers_agree_on_every_link_that_is_accepted(tail: str) -> None:
    for raw in (tail, "https://" + tail, "https://valt.example.edu" + tail):
        try:
            accepted = parse_link(raw, HTTPS, 0.0).url.reveal()
        except LinkRefusedError:
            continue
        split, url = urlsplit(accepted), URL(accepted, encoded=True)
        assert accepted == raw == str(url)
        assert split.hostname == url.host == "valt.example.edu"
        assert split.username is None
        assert url.user is None


@pytest.mark.parametrize(
    ("encoded", "name"),
    [
        ("Just%2Ba%2Broom%2B%2BTW3304.mp4", "Just a room  TW3304.mp4"),
        ("A%252BB.mp4", "A+B.mp4"),
        ("Se%25C3%25A1n%2B1.mp4", "Seán 1.mp4"),
        ("plain.mp4", "plain.mp4"),
        ("a%252Fb%250d%250a.mp4", "a_b__.mp4"),
        ("", None),
        ("...", None),
        (".mp4", "video.mp4"),
        ("%2B.mp4", "video.mp4"),
        (".hidden.mp4", "hidden.mp4"),
        ("Room%2B1.%2B", "Room 1"),
        ("a" * 300 + ".mp4", "a" * 251 + ".mp4"),
        ("%25C3%25A9" * 200 + ".mp4", "é" * 125 + ".mp4"),
        ("%25F0%259F%258E%25AC.mp4", "\N{CLAPPER BOARD}.mp4"),
        ("1.%2B" + "x" * 300, ("1. " + "x" * 300)[:255]),
    ],
)
def test_the_file_name_is_decoded_twice_and_sanitized(encoded: str, name: str | None) -> None:
    assert parse_link(f"https://valt.example.edu/x?filename={encoded}", HTTPS, 0.0).filename == name


@pytest.mark.parametrize("claims", [{"exp": 10**400}, {"exp": "9"}, {"exp": None}, {}, [], {"exp": [1]}, {"exp": True}])
def test_an_exp_that_is_not_a_finite_number_is_ignored(claims: Any) -> None:
    assert parse_link(f"https://valt.example.edu/x?access_token={token(claims)}", HTTPS, 0.0).expires_at is None


@pytest.mark.parametrize("text", ["a", "a.b", "a.b.c", "..", "a.e30.c", "a.%%.c"])
def test_a_token_that_is_not_a_jwt_has_no_expiry(text: str) -> None:
    assert parse_link(f"https://valt.example.edu/x?access_token={text}", HTTPS, 0.0).expires_at is None


def test_the_link_expires_with_its_token() -> None:
    assert parse_link(
        f"https://valt.example.edu/x?access_token={token({'exp': 1746565216})}", HTTPS, 0.0
    ).expires_at == (1746565216.0)
