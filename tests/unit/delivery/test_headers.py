"""Which header fields pass, each way."""

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.delivery.headers import content_disposition, media_request, response_headers
from gateway.delivery.http_fields import RangeSpec, byte_ranges
from gateway.delivery.resume import evaluate
from gateway.delivery.verdicts import Representation, Usable

WHOLE = Usable(200, Representation(0, 10, 10))


def sent(usable: Usable, media: Mapping[str, str], *, is_mp4: bool = False) -> dict[str, str]:
    return dict(response_headers(usable, CIMultiDict(media), "film.mp4", attachment=False, is_mp4=lambda: is_mp4))


def test_only_a_range_and_its_conditions_reach_the_media_server() -> None:
    client = {
        "Range": "bytes=0-1",
        "If-Range": '"a"',
        "If-None-Match": '"b"',
        "Authorization": "Bearer x",
        "Cookie": "valt_gateway_session=x",
        "X-Forwarded-User": "anna",
        "User-Agent": "mpv",
        "Accept-Encoding": "gzip",
    }
    request = media_request("GET", CIMultiDict(client))
    assert request.headers == {
        "Accept-Encoding": "identity",
        "Range": "bytes=0-1",
        "If-Range": '"a"',
        "If-None-Match": '"b"',
    }
    assert request.ranges == (RangeSpec(0, 1),)


@pytest.mark.promise("media-M4")
def test_m4_a_list_in_several_lines_passes_as_one() -> None:
    for name in ("If-Match", "If-None-Match"):
        lines = CIMultiDict([(name, '"a"'), ("Range", "bytes=0-1"), (name.lower(), 'W/"b", "c"')])
        assert media_request("GET", lines).headers[name] == '"a", W/"b", "c"'
        broken = CIMultiDict([(name, '"a"'), ("Range", "bytes=0-1"), (name, NOT_UTF8)])
        assert media_request("GET", broken).headers == {"Accept-Encoding": "identity"}


NOT_UTF8 = b'"\xe9"'.decode("utf-8", "surrogateescape")


@pytest.mark.promise("media-M4")
@pytest.mark.parametrize(
    ("client", "passed"),
    [
        ({"Range": "bytes=0-1", "If-Range": NOT_UTF8}, set()),
        ({"Range": "bytes=0-1", "If-Range": '"\u00e9"'}, {"Range", "If-Range"}),
        ({"If-Range": '"a"'}, set()),
        ({"Range": "bytes=5-3", "If-Range": '"a"'}, set()),
        ({"Range": "bytes=0-1", "If-Match": NOT_UTF8}, set()),
        ({"Range": "bytes=0-1", "If-Match": NOT_UTF8, "If-Unmodified-Since": "x"}, set()),
        ({"If-None-Match": NOT_UTF8, "If-Modified-Since": "x"}, set()),
        ({"If-None-Match": '"\u00e9"', "If-Modified-Since": "x"}, {"If-None-Match", "If-Modified-Since"}),
    ],
)
def test_m4_fields_that_belong_together_pass_together(client: dict[str, str], passed: set[str]) -> None:
    request = media_request("GET", CIMultiDict(client))
    assert request.headers == {"Accept-Encoding": "identity"} | {name: client[name] for name in passed}
    assert (request.ranges is None) == ("Range" not in passed)


@pytest.mark.parametrize("value", ["bytes=5-3", "bytes=a-b", "items=0-1", "bytes 0-1", "bytes=", "bytes=-", ""])
def test_a_range_that_is_not_valid_is_not_sent(value: str) -> None:
    assert media_request("GET", CIMultiDict({"Range": value})).headers == {"Accept-Encoding": "identity"}


@pytest.mark.promise("media-M6")
def test_m6_a_head_is_a_get_of_the_first_byte_without_the_clients_range() -> None:
    client = {"Range": "bytes=5-", "If-Range": '"a"', "If-None-Match": '"b"'}
    request = media_request("HEAD", CIMultiDict(client))
    assert request.headers == {"Accept-Encoding": "identity", "Range": "bytes=0-0", "If-None-Match": '"b"'}
    assert request.method == "HEAD"


def test_only_the_description_of_the_bytes_reaches_the_client() -> None:
    media = {
        "Content-Type": "video/mp4",
        "Content-Length": "10",
        "ETag": '"a"',
        "Server": "WowzaStreamingEngine",
        "Set-Cookie": "JSESSIONID=1",
        "Location": "https://valt.example.edu:8000/x?access_token=secret",
        "Content-Disposition": 'attachment; filename="x"',
        "X-Powered-By": "PHP",
        "Access-Control-Allow-Origin": "*",
    }
    assert sent(WHOLE, media) == {
        "Content-Length": "10",
        "ETag": '"a"',
        "Content-Type": "video/mp4",
        "Content-Disposition": 'inline; filename="film.mp4"',
        "Cache-Control": "private, no-store, no-transform",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-site",
        "X-Valt-Gateway-Delivery": "proxy",
    }


@pytest.mark.promise("media-M9")
@pytest.mark.parametrize("claim", [None, "bytes", "none"])
@pytest.mark.parametrize("usable", [WHOLE, Usable(206, Representation(0, 5, 10)), Usable(304), Usable(416)])
def test_m9_accept_ranges_is_the_media_servers_claim_or_none(claim: str | None, usable: Usable) -> None:
    media = {} if claim is None else {"Accept-Ranges": claim}
    assert sent(usable, media).get("Accept-Ranges") == claim


@pytest.mark.promise("media-M6", "media-M9")
@pytest.mark.parametrize(
    ("status", "stated", "expected"),
    [(206, None, "bytes"), (206, "bytes", "bytes"), (206, "none", "none"), (200, None, None), (200, "bytes", "bytes")],
)
def test_m6_a_head_states_ranges_where_a_part_proves_them(
    status: int, stated: str | None, expected: str | None
) -> None:
    media = CIMultiDict({"Content-Length": "1", "Content-Range": "bytes 0-0/10"} if status == 206 else {})
    if stated is not None:
        media["Accept-Ranges"] = stated
    verdict = evaluate(media_request("HEAD", CIMultiDict()), status, media)
    assert isinstance(verdict, Usable)
    assert sent(verdict, media).get("Accept-Ranges") == expected


def test_m9_a_206_of_the_whole_film_without_a_range_proves_none() -> None:
    media = CIMultiDict({"Content-Length": "10", "Content-Range": "bytes 0-9/10"})
    verdict = evaluate(media_request("GET", CIMultiDict()), 206, media)
    assert isinstance(verdict, Usable)
    assert "Accept-Ranges" not in sent(verdict, media)


@pytest.mark.parametrize(
    ("usable", "fields"),
    [
        (WHOLE, {"Content-Length": "10"}),
        (Usable(200, Representation(0, None, None)), {}),
        (Usable(206, Representation(2, 5, 10)), {"Content-Length": "3", "Content-Range": "bytes 2-4/10"}),
        (Usable(206, Representation(2, 5, None)), {"Content-Length": "3", "Content-Range": "bytes 2-4/*"}),
    ],
)
def test_length_and_position_are_those_of_the_verdict(usable: Usable, fields: dict[str, str]) -> None:
    headers = sent(usable, {"Content-Length": "77", "Content-Range": "Bytes 7-8/9"})
    assert {name: value for name, value in headers.items() if name in ("Content-Length", "Content-Range")} == fields


@pytest.mark.parametrize("stated", ["text/html", "image/svg+xml", "video/mp4, text/html", "application/xhtml+xml", "x"])
@pytest.mark.parametrize("is_mp4", [False, True])
def test_what_is_not_media_is_never_sent_as_a_page(stated: str, is_mp4: bool) -> None:
    assert sent(WHOLE, {"Content-Type": stated}, is_mp4=is_mp4)["Content-Type"] == "application/octet-stream"


@pytest.mark.promise("media-M7")
@pytest.mark.parametrize(
    ("stated", "passed"),
    [
        ("video/mp4;charset=UTF-8", "video/mp4;charset=UTF-8"),
        ('Video/MP4 ; codecs="avc1.42E01E, mp4a.40.2"', 'Video/MP4 ; codecs="avc1.42E01E, mp4a.40.2"'),
        ("audio/mpeg", "audio/mpeg"),
        ("application/mp4", "application/mp4"),
        ("video/mp4;", "video/mp4;"),
        ("video/mp4; a=b, text/html", "video/mp4"),
        ("video/mp4; charset", "video/mp4"),
        ("video/mp4; a=1; a=2", "video/mp4"),
    ],
)
def test_m7_a_media_type_is_judged_by_type_and_subtype(stated: str, passed: str) -> None:
    assert sent(WHOLE, {"Content-Type": stated})["Content-Type"] == passed


@pytest.mark.promise("media-M7")
@pytest.mark.parametrize(
    "stated",
    [None, "", " ", "application/octet-stream", "binary/octet-stream", "Application/Octet-Stream;charset=binary"],
)
@pytest.mark.parametrize(("is_mp4", "passed"), [(True, "video/mp4"), (False, "application/octet-stream")])
def test_m7_a_generic_or_missing_type_is_mp4_if_the_link_names_one(
    stated: str | None, is_mp4: bool, passed: str
) -> None:
    media = {} if stated is None else {"Content-Type": stated}
    assert sent(WHOLE, media, is_mp4=is_mp4)["Content-Type"] == passed


@pytest.mark.promise("media-M12")
@pytest.mark.parametrize(
    "stated", ["multipart/byteranges; boundary=THIS_STRING", 'Multipart/ByteRanges;charset=x;  boundary="a b=c"']
)
def test_m12_parts_keep_their_type_as_it_was_stated(stated: str) -> None:
    headers = sent(Usable(206), {"Content-Type": stated, "Content-Length": "500"})
    assert (headers["Content-Type"], headers["Content-Length"]) == (stated, "500")
    assert "Content-Range" not in headers


@pytest.mark.parametrize("status", [304, 412, 416])
def test_a_response_without_a_body_states_none(status: int) -> None:
    headers = sent(Usable(status), {"Content-Length": "10", "ETag": '"a"', "Content-Range": "bytes */10"})
    assert "Content-Length" not in headers
    assert "Content-Disposition" not in headers
    assert headers.get("Content-Range") == ("bytes */10" if status == 416 else None)
    assert headers["ETag"] == '"a"'


@pytest.mark.promise("media-M15")
def test_m15_validators_pass_byte_for_byte_or_not_at_all() -> None:
    tag = '"\u00e9"'
    headers = sent(WHOLE, {"ETag": tag, "Last-Modified": NOT_UTF8})
    assert headers["ETag"] == tag
    assert "Last-Modified" not in headers


@pytest.mark.promise("media-M13")
@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("film.mp4", 'inline; filename="film.mp4"'),
        ("A+B.mp4", 'inline; filename="A+B.mp4"'),
        ("Seán 1.mp4", "inline; filename=\"Sean 1.mp4\"; filename*=UTF-8''Se%C3%A1n%201.mp4"),
        ('a"b\\c\r\nd.mp4', "inline; filename=\"a_b_c__d.mp4\"; filename*=UTF-8''a%22b%5Cc%0D%0Ad.mp4"),
        ("日本.mp4", "inline; filename=\"video.mp4\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.mp4"),
        ("日本 1.mp4", "inline; filename=\"1.mp4\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%201.mp4"),
        ("🎬", "inline; filename=\"video\"; filename*=UTF-8''%F0%9F%8E%AC"),
        (".mp4", "inline; filename=\"video.mp4\"; filename*=UTF-8''.mp4"),
        ("..hidden", "inline; filename=\"video.hidden\"; filename*=UTF-8''..hidden"),
        ("a" * 300 + ".mp4", f"inline; filename=\"{'a' * 251}.mp4\"; filename*=UTF-8''{'a' * 300}.mp4"),
        ("日本.日本", "inline; filename=\"video\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.%E6%97%A5%E6%9C%AC"),
    ],
)
def test_m13_a_name_is_sent_as_rfc_6266_and_8187_have_it(name: str, header: str) -> None:
    assert content_disposition(name, attachment=False) == header


@pytest.mark.promise("media-M13")
@given(
    st.text(max_size=120) | st.text("aé日🎬.", min_size=200, max_size=400),
    st.sampled_from(["", ".mp4", ".", "..", ".日本", ".m p"]),
)
def test_m13_the_ascii_name_is_never_empty_hidden_or_too_long(stem: str, extension: str) -> None:
    name = stem + extension
    plain = content_disposition(name, attachment=False).partition('filename="')[2].partition('"')[0]
    assert 1 <= len(plain) <= 255
    assert plain.isascii()
    assert plain.isprintable()
    assert plain[0] not in ". "
    assert not extension.isascii() or len(extension) < 3 or plain.endswith(extension)


def test_a_download_is_an_attachment() -> None:
    assert content_disposition("film.mp4", attachment=True) == 'attachment; filename="film.mp4"'


@pytest.mark.parametrize("text", ["bytes=" + " " * 8000 + "x", "bytes= " + " " * 4000 + "-" + " " * 4000 + "x"])
def test_a_range_of_spaces_takes_linear_time(text: str) -> None:
    begin = time.process_time()
    for _ in range(100):
        assert byte_ranges(text) is None
    assert time.process_time() - begin < 2.0  # with backtracking, 12 seconds
