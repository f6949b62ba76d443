"""Builds the index of a film in a process of its own.

How it works. The tables of a long film keep Python busy for seconds, in which the event loop and all streams would
wait, also if a thread built the index: they waited 8 s for a table of seven million entries. So `build_in_process`
starts this module as a program, which reads the film's boxes from its standard input and writes the index to its
standard output. It has limits of processor time and memory, nothing of this process's environment or files, and is
killed if the caller is cancelled.
"""

import asyncio
import resource
import struct
import sys
from array import array
from pathlib import Path

from gateway.delivery.film_boxes import IndexUnreadableError
from gateway.delivery.film_index import FilmBoxes, FilmIndex, build_index

_CPU_SECONDS = 20
_MEMORY = 1024 * 1024 * 1024
"""Bytes of address space; half a million samples need 400 MB."""
_TYPES = "qqdddd"
"""Of the arrays of a FilmIndex."""
_PACKAGES = Path(__file__).parents[2]


async def build_in_process(boxes: FilmBoxes) -> FilmIndex:
    """Returns what `build_index` returns. Raises IndexUnreadableError, also if the program fails or exceeds a limit."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-P", "-m", "gateway.delivery.film_parser"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": str(_PACKAGES)},
        )
    except OSError:
        raise IndexUnreadableError("the parser cannot be started", "internal") from None
    try:
        out, _ = await process.communicate(_pack(boxes))
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode or not out:
        raise IndexUnreadableError("the parser exceeded its limits", "too_large")
    if out[:1] == b"!":
        outcome, _, reason = out[1:].decode().partition(":")
        raise IndexUnreadableError(reason, outcome)
    return _unpack_index(out[1:])


def _pack(boxes: FilmBoxes) -> bytes:
    parts = [struct.pack("=QQ", len(boxes.moov), len(boxes.fragments)), boxes.moov]
    for position, body in boxes.fragments:
        parts += [struct.pack("=QQ", position, len(body)), body]
    return b"".join(parts)


def _unpack(data: bytes) -> FilmBoxes:
    (length, count), at = struct.unpack_from("=QQ", data), 16
    moov, at = data[at : at + length], at + length
    fragments = []
    for _ in range(count):
        position, length = struct.unpack_from("=QQ", data, at)
        fragments.append((position, data[at + 16 : at + 16 + length]))
        at += 16 + length
    return FilmBoxes(moov, fragments)


def _pack_index(index: FilmIndex) -> bytes:
    arrays = (index.offsets, index.ends, index.starts, index.stops, index.least, index.greatest)
    return b"".join([struct.pack("=QQ", len(index.offsets), len(index.least)), *(each.tobytes() for each in arrays)])


def _unpack_index(data: bytes) -> FilmIndex:
    (samples, blocks), at = struct.unpack_from("=QQ", data), 16
    arrays = []
    for kind, count in zip(_TYPES, (samples,) * 4 + (blocks,) * 2, strict=True):
        one: array[float] = array(kind)
        one.frombytes(data[at : at + 8 * count])
        at += 8 * count
        arrays.append(one)
    offsets, ends, *others = arrays
    return FilmIndex(offsets, ends, *others)  # type: ignore[arg-type]


def main() -> None:
    """Reads boxes from standard input; writes ``=`` and the index, or ``!``, the outcome, a colon and the reason."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        result = b"=" + _pack_index(build_index(_unpack(sys.stdin.buffer.read())))
    except IndexUnreadableError as error:
        result = f"!{error.outcome}:{error}".encode()
    except MemoryError:
        result = b"!too_large:too large for the parser's memory"
    except Exception as error:
        result = f"!damaged:{type(error).__name__}".encode()
    sys.stdout.buffer.write(result)


if __name__ == "__main__":
    main()
