"""Random requests that two servers might divide differently: their bodies hold a second request."""

import random

_LENGTHS = (
    "{n}",
    "+{n}",
    "0{n}",
    "{n} ",
    " {n}",
    "{n}, {n}",
    "{n},0",
    "0x{x}",
    "{n}.0",
    "-{n}",
    "",
    "\t{n}",
    "{n}\x0b",
)
_CODINGS = (
    *("chunked", "Chunked", "chunked ", "\tchunked", "xchunked", "chunked, identity", "identity, chunked", "identity"),
    *("gzip, chunked", "chunked, chunked", '"chunked"', "chunked;q=1", "\x0bchunked", "chunked\x00", "chunke\x00d", ""),
)
_NAMES_OF_LENGTH = ("Content-Length", "content-length", "Content_Length", "Content-Length ", " Content-Length", "X")
_NAMES_OF_CODING = (
    "Transfer-Encoding",
    "Transfer-encoding",
    "Transfer_Encoding",
    "Transfer-Encoding ",
    "X: y\nTE",
    "TE",
)
_VERSIONS = ("1.1", "1.1", "1.1", "1.1", "1.0")
_ENDS = ("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n ", "\r\r\n")
_CHUNK_SIZES = ("{x}", "{x}", "0{x}", "{x};a=b", "{x} ", "{x};\n", "0x{x}", "+{x}", "{x}\t;", "-1")


def ambiguous_request(choices: random.Random, second: str) -> bytes:
    """Returns a POST with lengths, codings and chunks chosen by *choices*, and the request *second* in its body."""
    method = choices.choice(("POST", "POST", "GET", "PUT"))
    lines = [f"{method} /api/v3/login HTTP/{choices.choice(_VERSIONS)}", "Host: recordings.example.edu"]
    body = _body(choices, second)
    for _ in range(choices.choice((0, 1, 1, 2))):
        size = choices.choice((len(body), len(body), len(body) - len(second), 0, 4))
        value = choices.choice(_LENGTHS if choices.random() < 0.5 else ("{n}",)).format(n=size, x=f"{size:x}")
        lines.append(f"{choices.choice(_NAMES_OF_LENGTH if choices.random() < 0.3 else _NAMES_OF_LENGTH[:1])}: {value}")
    for _ in range(choices.choice((0, 0, 1, 1, 2))):
        value = choices.choice(_CODINGS if choices.random() < 0.6 else ("chunked",))
        lines.append(f"{choices.choice(_NAMES_OF_CODING if choices.random() < 0.3 else _NAMES_OF_CODING[:1])}: {value}")
    if choices.random() < 0.2:
        lines.append(
            choices.choice(("Expect: 100-continue", "Connection: upgrade", "Upgrade: h2c", "Connection: close"))
        )
    rest = lines[1:]
    choices.shuffle(rest)
    end = choices.choice(_ENDS)
    head = lines[0] + "\r\n" + "".join(line + (end if choices.random() < 0.3 else "\r\n") for line in rest)
    return (head + choices.choice(("\r\n", "\r\n", "\r\n", "\n"))).encode("latin-1") + body.encode("latin-1")


def _body(choices: random.Random, second: str) -> str:
    kind = choices.randrange(4)
    if kind == 0:
        return second
    if kind == 1:
        return "0\r\n\r\n" + second
    size = choices.choice(_CHUNK_SIZES).format(x=f"{len(second):x}")
    if kind == 2:
        return f"{size}\r\n{second}\r\n0\r\n\r\n"
    return (
        "2\r\n{}\r\n"
        + choices.choice(("0\r\n\r\n", "0\n\n", "00\r\n\r\n", "0\r\nX: y\r\n\r\n", "0;a\r\n\r\n"))
        + second
    )
