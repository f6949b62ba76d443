"""Where heads end: the scanner against a plain model of whole pipelines, cut at any byte."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.web.request_validation import MAX_HEAD, HeadScanner
from tests.support.generated import sequences

LIMIT = 300
"""Bytes; small, so that generated heads are on both sides of it."""

filler = st.text(alphabet="ab:\r\n", max_size=60).map(lambda text: text.replace("\r", "").replace("\n", "").encode())
names = st.sampled_from([b"Content-Length", b"content-length", b"CONTENT-LENGTH"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request: a head with fields of any size, and the body that it announces."""
    lines = [
        b"GET / HTTP/1.1",
        *(b"X-%d: %s" % (n, value) for n, value in enumerate(draw(st.lists(filler, max_size=6)))),
    ]
    body = b""
    match draw(st.sampled_from(["none", "length", "chunked"])):
        case "length":
            body = draw(st.binary(max_size=80)).replace(b"\r\n\r\n", b"")
            spaces, zeros = b" " * draw(st.integers(0, 3)), b"0" * draw(st.sampled_from([0, 0, 1, 20, 150]))
            lines.insert(draw(st.integers(1, len(lines))), b"%s:%s%s%d" % (draw(names), spaces, zeros, len(body)))
        case "chunked":
            lines.insert(draw(st.integers(1, len(lines))), b"Transfer-Encoding: chunked")
            body = b"5;x=y\r\nhello\r\n0\r\n\r\n"
        case _:
            pass
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def model(received: bytes) -> tuple[int, int, bool, bool]:
    """Complete heads, bytes of the unfinished head, whether the last was chunked, whether all were within the limit."""
    completed = 0
    while received:
        head, end, rest = received.partition(b"\r\n\r\n")
        size = len(head) + len(end)
        if size > LIMIT:
            return completed, size, False, False
        if not end:
            return completed, size, False, True
        completed += 1
        fields = dict(line.lower().partition(b":")[::2] for line in head.split(b"\r\n")[1:])
        if b"transfer-encoding" in fields:
            return completed, 0, True, True
        received = rest[int(fields.get(b"content-length", b"0")) :]
    return completed, 0, False, True


@settings(max_examples=sequences(500), deadline=None)
@given(
    st.lists(requests(), min_size=1, max_size=4).map(b"".join),
    st.lists(st.integers(1, 50), max_size=20),
    st.integers(0),
)
@example(b"GET / HTTP/1.1\r\nContent-Length: 12\r\n\r\nhello, world", [1] * 60, 0)
@example(b"GET / HTTP/1.1\r\nContent-Length: %s5\r\n\r\nhello" % (b"0" * 150), [160, 10], 205)
def test_the_scanner_agrees_with_the_plain_model_wherever_input_is_cut(
    stream: bytes, cuts: list[int], end: int
) -> None:
    received = stream[: end % (len(stream) + 1)]
    scanner = HeadScanner()
    position, within = 0, True
    for cut in [*cuts, len(received)]:
        segment = received[position : position + cut]
        within = scanner.feed(segment, LIMIT)
        position += len(segment)
        if not within or position == len(received):
            break
    completed, unfinished, chunked, allowed = model(received[:position])
    assert within == allowed
    if within:
        assert (scanner.completed, scanner.head_size, scanner.is_last) == (completed, unfinished, chunked)


@pytest.mark.parametrize("size", [900, 5000])
@pytest.mark.parametrize("segment", [1, 7, 1000])
def test_a_body_follows_a_long_line_wherever_that_is_cut(size: int, segment: int) -> None:
    scanner = HeadScanner()
    head = b"POST / HTTP/1.1\r\nX: %s\r\nContent-Length: 5\r\nY: %s\r\n\r\n" % (b"a" * size, b"b" * size)
    stream = (head + b"hello") * 2
    for position in range(0, len(stream), segment):
        assert scanner.feed(stream[position : position + segment], MAX_HEAD)
    assert (scanner.completed, scanner.head_size, scanner.body_left) == (2, 0, 0)


@pytest.mark.promise("security-S5")
@pytest.mark.parametrize("segment", [1, 1500, 10_000])
@pytest.mark.parametrize(
    "value",
    [b"0" * 1500 + b"28" + b" " * 1500, b" " * 2000 + b"28" + b" " * 100, b"28" + b" " * 3000, b"0" * 3000],
)
def test_a_length_whose_line_is_too_long_to_follow_is_refused(value: bytes, segment: int) -> None:
    stream = b"POST / HTTP/1.1\r\nContent-Length: %s\r\n\r\n%s" % (value, b"a" * 28)
    scanner = HeadScanner()
    fits = [scanner.feed(stream[at : at + segment], MAX_HEAD) for at in range(0, len(stream), segment)]
    assert fits == sorted(fits, reverse=True), "no later segment has the head followed again"
    assert not fits[-1]
    assert not scanner.completed


@pytest.mark.parametrize("filler", [b"0", b" ", b"\t", b"1"], ids=["zeros", "spaces", "tabs", "digits"])
def test_a_long_length_takes_the_scanner_linear_time(filler: bytes) -> None:
    scanner = HeadScanner()
    line = b"Content-Length:" + filler * (MAX_HEAD - 100)
    begin = time.process_time()
    assert not scanner.feed(b"GET / HTTP/1.1\r\n" + line, MAX_HEAD)
    assert time.process_time() - begin < 1.0  # it takes a millisecond; with backtracking, minutes


@pytest.mark.promise("security-S5")
@pytest.mark.parametrize("segment", [1 << 24, 256 * 1024, 4099], ids=["at once", "as read", "divided"])
@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1\r\n\r\n", b"A\r\n\r\n", b"A\r\n\r\n\r\n\r\n"], ids=["smallest", "odd", "lines"]
)
def test_many_tiny_heads_take_the_scanner_linear_time(segment: int, head: bytes) -> None:
    count = 200_000
    stream, scanner = head * count, HeadScanner()
    begin = time.process_time()
    for position in range(0, len(stream), segment):
        assert scanner.feed(stream[position : position + segment], MAX_HEAD)
    assert scanner.completed == count
    assert time.process_time() - begin < 20.0  # it takes half a second; if each head copied what follows it, minutes


@pytest.mark.promise("security-S5")
@pytest.mark.parametrize("line", [b"X: ", b"Cookie: ", b"Cookie: a=", b"Cookie: a=b; "])
def test_a_head_that_arrives_byte_by_byte_takes_the_scanner_little_time(line: bytes) -> None:
    scanner = HeadScanner()
    repeated = b"a=b; " if b";" in line else b"a"
    stream = b"GET / HTTP/1.1\r\n" + line + repeated * ((MAX_HEAD - 100) // len(repeated))
    begin = time.process_time()
    for position in range(len(stream)):
        assert scanner.feed(stream[position : position + 1], MAX_HEAD)
    assert time.process_time() - begin < 5.0  # it takes half a second
