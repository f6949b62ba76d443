"""The doctor's pure parts: results, clocks, reasons, and times in links."""

import jwt
import pytest

from gateway.doctor.check import Result, broken, doubtful, good, not_tried, worst
from gateway.doctor.links import Times, media_origin
from gateway.doctor.remote_server import describe_offset, is_timely, offset, parse_date, remedy_for
from gateway.model import Link, Secret


def link(query: str) -> Link:
    return Link(Secret(f"https://media.example.edu:8000/distribution/1/1_1_1.mp4{query}"), None, None)


def test_the_worst_result_counts() -> None:
    fine, perhaps, bad = good("a", "fine"), doubtful("b", "perhaps", "look"), broken("c", "bad", "repair")
    assert worst([]) is Result.GOOD
    assert worst([fine, fine]) is Result.GOOD
    assert worst([perhaps, fine]) is Result.DOUBTFUL
    assert worst([perhaps, bad, fine]) is Result.BROKEN


def test_what_could_not_be_tried_is_doubtful_and_says_why() -> None:
    check = not_tried("media_range", "there is no link", "correct valt_link first")
    assert (check.result, check.detail) == (Result.DOUBTFUL, "not tried: there is no link")


@pytest.mark.parametrize(
    ("stated", "before", "after", "expected"),
    [
        (100.0, 100.2, 100.4, 0.0),  # cut off to a whole second
        (100.0, 99.0, 103.0, 0.0),
        (105.0, 100.2, 100.4, 4.6),
        (90.0, 100.5, 100.6, -9.5),
        (90.0, 88.0, 300.0, 0.0),  # the request took so long that the clock may be right
    ],
)
def test_an_offset_is_what_the_duration_of_the_request_does_not_explain(
    stated: float, before: float, after: float, expected: float
) -> None:
    assert offset(stated, before, after) == pytest.approx(expected)


def test_an_offset_is_described_from_the_other_machines_view() -> None:
    assert [describe_offset(seconds) for seconds in (3.0, -5.0, 40.4, -90.0)] == [
        *("equal to", "equal to", "40 s ahead of", "90 s behind")
    ]
    assert [is_timely(seconds) for seconds in (-5.0, 5.1)] == [True, False]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Date": "Tue, 06 May 2025 15:58:00 GMT"}, 1_746_547_080.0),
        ({"Date": "yesterday"}, None),
        ({"Date": ""}, None),
        ({"Date": "Sun, 23333333333333333333339 Nov 2026 01:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_a_date_that_is_not_valid_is_none(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_date(headers) == seconds


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"iat": 100, "exp": 1900}, Times(100.0, 1900.0)),
        ({"iat": 100.5}, Times(100.5, None)),
        ({"iat": True, "exp": "soon"}, Times(None, None)),
        ({"iat": float("nan"), "exp": 10**400}, Times(None, None)),
    ],
)
def test_the_times_of_a_link_are_read_without_its_key(claims: dict[str, object], expected: Times) -> None:
    token = jwt.encode(claims, "a key of 32 bytes that nobody has", algorithm="HS256")
    assert Times.of(link(f"?filename=x.mp4&access_token={token}")) == expected


@pytest.mark.parametrize("query", ["", "?access_token=", "?access_token=rubbish", "?access_token=a.b.c"])
def test_a_link_without_a_token_that_can_be_read_has_no_times(query: str) -> None:
    assert Times.of(link(query)) == Times(None, None)


def test_the_origin_of_a_link_has_no_path_and_no_token() -> None:
    assert media_origin(link("?access_token=secret")) == "https://media.example.edu:8000"


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("valt:443: certificate verify failed: certificate has expired", "renew"),
        ("valt:443: certificate verify failed: self-signed certificate", "its CA"),
        ("valt:443: certificate verify failed: Hostname mismatch, certificate is not valid for 'valt'", "the name"),
        ("valt:443: TLS: WRONG_VERSION_NUMBER", "scheme and port"),
        ("valt:443: Connection refused", "start the server"),
        ("[Errno 111] Connect call failed ('::1', 443, 0, 0)", "start the server"),
        ("valt:443: it did not respond in time", "firewalls"),
        ("valt:443: Network is unreachable", "routes"),
        ("valt:443: No route to host", "routes"),
        ("valt:443: Name or service not known", "host name"),
        ("valt:443: Temporary failure in name resolution", "host name"),
        ("valt:443: it closed the connection before its response was complete", "ended the connection"),
        ("VALT answered HTTP 502", "a proxy before it is up"),
        ("anything else", "ask the vendor"),
    ],
)
def test_each_reason_has_its_own_remedy(reason: str, remedy: str) -> None:
    assert remedy in remedy_for(reason, ca="name its CA", otherwise="ask the vendor")
