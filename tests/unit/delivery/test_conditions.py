"""Conditions of a client's request, and media servers that ignore them."""

import random

import pytest
from multidict import CIMultiDict

from gateway.delivery.conditions import contradicts, http_date, is_if_range
from gateway.delivery.headers import media_request
from gateway.delivery.resume import can_continue, evaluate, strong_etag
from gateway.delivery.verdicts import Representation, Unusable, Usable

DATE, LATER = "Tue, 24 Nov 2026 08:00:00 GMT", "Tue, 24 Nov 2026 09:00:00 GMT"
HUGE = ("Tue, 24 Nov 99999999999999999999999 08:00:00 GMT", "Tue, 24 Nov 2026 08:00:00 +99999999999999999999")
ODD = ("nonsense", "", "v1", '"v1', 'v1"', '"v1", "v2"', "*", 'W/"v1"', 'w/"v1"', '"v1" x', *HUGE)
PART = {"Content-Range": "bytes 0-9/100", "Content-Length": "10"}


@pytest.mark.promise("streams-3")
@pytest.mark.parametrize("condition", ODD)
@pytest.mark.parametrize("validators", [{}, {"ETag": '"v1"', "Last-Modified": DATE}])
def test_an_if_range_that_no_file_meets_never_gets_a_part(condition: str, validators: dict[str, str]) -> None:
    assert not is_if_range(condition)
    request = media_request("GET", CIMultiDict({"Range": "bytes=0-9", "If-Range": condition}))
    assert not {"Range", "If-Range"} & request.headers.keys()
    part = CIMultiDict({**PART, **validators})
    whole = CIMultiDict({"Content-Length": "100", **validators})
    assert isinstance(evaluate(request, 206, part), Unusable)
    assert isinstance(evaluate(request, 200, whole), Usable)


@pytest.mark.parametrize(
    ("client", "status", "stated", "contradicting"),
    [
        ({"If-Match": '"v1"'}, 200, {"ETag": '"v1"'}, False),
        ({"If-Match": '"v1"'}, 200, {"ETag": '"v2"'}, True),
        ({"If-Match": '"v0", "v1"'}, 206, {"ETag": '"v1"'}, False),
        ({"If-Match": '"v0", "v1"'}, 206, {"ETag": '"v2"'}, True),
        ({"If-Match": "*"}, 200, {"ETag": '"v2"'}, False),
        ({"If-Match": "v1"}, 200, {"ETag": "v1"}, False),
        ({"If-Match": 'W/"v1"'}, 200, {"ETag": 'W/"v1"'}, True),
        ({"If-Match": '"v1"'}, 200, {"Last-Modified": DATE}, False),
        ({"If-Match": '"\udce9"'}, 200, {"ETag": '"v2"'}, True),
        ({"If-Match": '"v1"', "If-Unmodified-Since": DATE}, 200, {"ETag": '"v1"', "Last-Modified": LATER}, False),
        ({"If-Unmodified-Since": DATE}, 200, {"Last-Modified": DATE}, False),
        ({"If-Unmodified-Since": DATE}, 206, {"Last-Modified": LATER}, True),
        ({"If-Unmodified-Since": "nonsense"}, 206, {"Last-Modified": LATER}, False),
        ({"If-Unmodified-Since": DATE}, 206, {"Last-Modified": HUGE[0]}, False),
        ({"If-None-Match": '"v1"'}, 304, {"ETag": 'W/"v1"'}, False),
        ({"If-None-Match": '"v1"'}, 304, {"ETag": '"v2"'}, True),
        ({"If-None-Match": "*"}, 304, {"ETag": '"v2"'}, False),
        ({"If-None-Match": '"v1"'}, 200, {"ETag": '"v1"'}, False),
        ({"If-None-Match": '"v1"', "If-Modified-Since": DATE}, 304, {"ETag": '"v1"', "Last-Modified": LATER}, False),
        ({"If-Modified-Since": DATE}, 304, {"Last-Modified": LATER}, True),
        ({"If-Modified-Since": LATER}, 304, {"Last-Modified": DATE}, False),
    ],
)
def test_m2_a_response_of_a_file_that_a_condition_excludes_is_unusable(
    client: dict[str, str], status: int, stated: dict[str, str], *, contradicting: bool
) -> None:
    assert contradicts(client, status, stated.get("ETag"), stated.get("Last-Modified")) == contradicting
    fields = {"Content-Length": "100"} if status != 206 else PART
    for method in ("GET",) if status == 206 else ("GET", "HEAD"):
        request = media_request(method, CIMultiDict(client | ({"Range": "bytes=0-9"} if status == 206 else {})))
        verdict = evaluate(request, status, CIMultiDict(fields | stated))
        assert isinstance(verdict, Unusable) == contradicting


def test_no_text_of_a_date_or_an_etag_is_an_error() -> None:
    pick = random.Random(8)
    words = (
        "Tue,",
        "24",
        "Nov",
        "2026",
        "08:00:00",
        "GMT",
        "+0000",
        "9" * 30,
        ":::",
        "-",
        "+",
        '"',
        "W/",
        ",",
        "\udce9",
    )
    for _ in range(3000):
        text = pick.choice(("", " ", "-")).join(pick.choices(words, k=pick.randrange(9)))
        assert isinstance(http_date(text), float | None)
        assert is_if_range(text) in (True, False)
        names = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
        assert contradicts({pick.choice(names): text}, pick.choice((200, 304)), text, text) in (True, False)


@pytest.mark.parametrize("etag", ['""', 'w/"v1"', 'W/"v1"', "", None])
def test_an_etag_that_does_not_tell_files_apart_proves_nothing(etag: str | None) -> None:
    body = Representation(0, 100, 100, etag, ranges=True)
    assert strong_etag(body) is None
    assert not can_continue(body)
