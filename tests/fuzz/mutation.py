"""Random changes of seeds, for machines without atheris: the same *choices* make the same inputs."""

import random
from collections.abc import Sequence

_MAX_SIZE = 4096
_INTERESTING = (
    *(b"", b"\0", b"\xff", b"\n", b"\r\n", b";", b",", b"=", b'"', b"\\", b"/", b"..", b"%2F", b"%", b"-", b"*", b":"),
    *(b"0", b"-1", b"18446744073709551615", b"9223372036854775808", b"1e999", b"NaN", b"\xed\xa0\x80", "é".encode()),
    *(b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"null", b"true", b"[", b"]", b"{", b"}", b"[]", b"{}", b" "),
)


def mutate(seeds: Sequence[bytes], choices: random.Random) -> bytes:
    """Returns one of *seeds* after up to eight random changes."""
    data = bytearray(choices.choice(seeds))
    for _ in range(choices.randint(0, 8)):
        _change(data, seeds, choices)
    return bytes(data[:_MAX_SIZE])


def _change(data: bytearray, seeds: Sequence[bytes], choices: random.Random) -> None:
    at = choices.randrange(len(data) + 1)
    end = min(len(data), at + choices.choice([1, 1, 2, 4, 8, 32]))
    match choices.randrange(6):
        case 0:
            data[at:at] = choices.choice(_INTERESTING)
        case 1:
            data[at:end] = choices.choice(_INTERESTING)
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = data[at:end] * choices.choice([1, 1, 2, 50])
        case 4:
            data[at:end] = choices.randbytes(end - at)
        case _:
            other = choices.choice(seeds)
            begin = choices.randrange(len(other) + 1)
            data[at:end] = other[begin : begin + choices.choice([1, 4, 16, 64])]
