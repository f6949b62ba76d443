"""Reads several TLS records at once, where a body passes through this process on its way to a viewer over TLS."""

import socket
import ssl


def with_further_records(sock: socket.socket, first: bytes, size: int) -> bytes:
    """Returns *first*, which was read from *sock*, with what has arrived after it, *size* bytes at most.

    A read of a TLS connection returns one record, 16 KiB, at most. Raises OSError.
    """
    pieces, left = [first], size - len(first)
    while left > 0:
        try:
            piece = sock.recv(left)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            break
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
