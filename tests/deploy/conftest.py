"""A port for nginx or Prometheus."""

from collections.abc import Iterator

import pytest

from tests.support.ports import kept_port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with kept_port() as port:
        yield port
