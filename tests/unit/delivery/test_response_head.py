"""The parser of response heads: which ones the spliced path accepts, how long the body is, and what may be reused."""

import pytest

from gateway.delivery.response_head import Head, UnsupportedResponseError, parse


def parsed(head: bytes) -> Head:
    result = parse(head)
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 5),
        (b"HTTP/1.1 206 \r\nContent-Length:0\r\n\r\n", 0),
        (b"HTTP/1.1 200\r\ncontent-length: \t 7 \r\n\r\n", 7),
    ],
)
def test_the_length_of_a_200_or_206_is_what_it_states(head: bytes, length: int) -> None:
    assert parsed(head).length == length
    assert parsed(head).reusable


@pytest.mark.parametrize("status", [b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 Early Hints"])
def test_an_interim_response_is_none(status: bytes) -> None:
    assert parse(status + b"\r\n\r\n") is None


@pytest.mark.promise("media-M5")
@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("fields", [b"", b"Content-Length: 0\r\n", b"Content-Length: 5\r\n"])
def test_m5_a_connection_is_not_reused_after_204_and_304(status: int, fields: bytes) -> None:
    head = parsed(b"HTTP/1.1 %d X\r\n%s\r\n" % (status, fields))
    assert (head.status, head.length, head.reusable) == (status, 0, False)


@pytest.mark.parametrize(
    ("fields", "reusable"),
    [
        (b"Content-Length: 0\r\n", True),
        (b"Content-Length: 5\r\n", False),
        (b"Transfer-Encoding: chunked\r\n", False),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", False),
        (b"", False),
    ],
)
@pytest.mark.parametrize("status", [302, 401, 403, 404, 412, 416, 429, 500, 503])
def test_m8_only_200_and_206_need_a_stated_length(status: int, fields: bytes, reusable: bool) -> None:
    head = parsed(b"HTTP/1.1 %d X\r\n%s\r\n" % (status, fields))
    assert (head.status, head.length, head.reusable) == (status, 0, reusable)


@pytest.mark.parametrize("value", [b"close", b"Close", b"keep-alive, close", b"keep-alive\r\nConnection: close"])
def test_a_connection_that_the_server_will_close_is_not_reusable(value: bytes) -> None:
    assert not parsed(b"HTTP/1.1 200 OK\r\nConnection: %s\r\nContent-Length: 5\r\n\r\n" % value).reusable


def test_bytes_above_7f_are_decoded_so_that_they_can_be_sent_again() -> None:
    head = parsed(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "\xc3\xa9\xe9"\r\n\r\n')
    assert head.headers["ETag"].encode("utf-8", "surrogateescape") == b'"\xc3\xa9\xe9"'


UNSUPPORTED = [
    b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/2 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 600 OK\r\nContent-Length: 5\r\n\r\n",
    b"ICY 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 5\n\n\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5_0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n Content-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n folded\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\x00b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\rb\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\nb\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\rb\r\nY: c\nd\r\n\r\n",
    b"HTTP/1.1 200 O\x00K\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n: empty\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + b"X: y\r\n" * 64 + b"\r\n",
]


@pytest.mark.parametrize("head", UNSUPPORTED)
def test_anything_but_a_plain_head_with_one_stated_length_is_not_supported(head: bytes) -> None:
    with pytest.raises(UnsupportedResponseError):
        parse(head)


@pytest.mark.promise("media-M8")
@pytest.mark.parametrize(
    ("head", "lasting"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"HTTP/1.0 206 OK\r\nContent-Length: 5\r\n\r\n", True),
        (b"HTTP/1.0 416 X\r\n\r\n", False),
        (b"HTTP/1.0 401 X\r\n\r\n", False),
        (b"HTTP/1.1 2000 OK\r\n\r\n", False),
        (b"HTTP/1.1 206 OK\r\nContent-Type: Multipart/ByteRanges; boundary=x\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", False),
    ],
)
def test_m8_only_what_no_client_can_cause_lasts(head: bytes, lasting: bool) -> None:
    with pytest.raises(UnsupportedResponseError) as error:
        parse(head)
    assert error.value.lasting is lasting
