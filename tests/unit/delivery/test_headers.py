"""Which headers pass."""

import pytest

from gateway.delivery.headers import content_disposition, request_headers, response_headers


def test_only_a_range_and_its_conditions_reach_the_media_server() -> None:
    asked = {
        "Range": "bytes=0-1",
        "If-Range": '"a"',
        "If-None-Match": '"b"',
        "Authorization": "Bearer x",
        "Cookie": "valt_gateway_session=x",
        "X-Forwarded-User": "anna",
        "User-Agent": "mpv",
        "Accept-Encoding": "gzip",
    }
    assert request_headers(asked) == {
        "Accept-Encoding": "identity",
        "Range": "bytes=0-1",
        "If-Range": '"a"',
        "If-None-Match": '"b"',
    }


def test_nothing_of_the_media_servers_but_the_description_of_the_bytes_is_told() -> None:
    answered = {
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
    assert response_headers(answered, 200, "film.mp4", attachment=False) == {
        "Content-Length": "10",
        "ETag": '"a"',
        "Content-Type": "video/mp4",
        "Content-Disposition": 'inline; filename="film.mp4"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store, no-transform",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-site",
        "X-Valt-Gateway-Delivery": "proxy",
    }


@pytest.mark.parametrize("stated", ["text/html", "image/svg+xml", "", "video/mp4, text/html", "application/xhtml+xml"])
def test_what_is_not_media_is_never_shown_as_a_page(stated: str) -> None:
    headers = response_headers({"Content-Type": stated}, 200, "film.mp4", attachment=False)
    assert headers["Content-Type"] == "application/octet-stream"


def test_multipart_ranges_keep_their_boundary() -> None:
    stated = "multipart/byteranges; boundary=THIS_STRING"
    assert response_headers({"Content-Type": stated}, 206, "f.mp4", attachment=False)["Content-Type"] == stated


@pytest.mark.parametrize("status", [304, 412, 416])
def test_an_answer_without_a_body_promises_none(status: int) -> None:
    headers = response_headers({"Content-Length": "10", "ETag": '"a"'}, status, "f.mp4", attachment=False)
    assert "Content-Length" not in headers
    assert "Content-Disposition" not in headers
    assert headers["ETag"] == '"a"'


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("film.mp4", 'inline; filename="film.mp4"'),
        ("A+B.mp4", 'inline; filename="A+B.mp4"'),
        ("Seán 1.mp4", "inline; filename=\"Sean 1.mp4\"; filename*=UTF-8''Se%C3%A1n%201.mp4"),
        ('a"b\\c\r\nd.mp4', "inline; filename=\"a_b_c__d.mp4\"; filename*=UTF-8''a%22b%5Cc%0D%0Ad.mp4"),
        ("日本.mp4", "inline; filename=\".mp4\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.mp4"),
    ],
)
def test_a_name_is_told_as_rfc_6266_and_8187_have_it(name: str, header: str) -> None:
    assert content_disposition(name, attachment=False) == header


def test_a_download_is_an_attachment() -> None:
    assert content_disposition("film.mp4", attachment=True) == 'attachment; filename="film.mp4"'
