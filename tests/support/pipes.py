"""Pipes that nobody reads."""

import os


def fill(writer: int) -> int:
    """Writes until the pipe takes no more; returns the number of bytes."""
    os.set_blocking(writer, False)
    written = 0
    try:
        while True:
            written += os.write(writer, b"f" * 4096)
    except BlockingIOError:
        return written
    finally:
        os.set_blocking(writer, True)
