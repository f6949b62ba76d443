"""Limits that the kernel has on files."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def longest_file(length: int) -> Iterator[None]:
    """Has the kernel refuse to this process, and to those that it starts, files of more than *length* bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
