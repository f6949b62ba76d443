"""A free port for nginx or Prometheus."""

from collections.abc import Iterator

import pytest

from tests.support.free_ports import free_port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with free_port() as port:
        yield port
