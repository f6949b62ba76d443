"""Where listening sockets are, as a reload compares them."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sockets import places_of


@pytest.fixture(params=["127.0.0.1", "::1"])
def tcp(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.create_server((request.param, 0), family=family) as sock:
        yield sock


def test_a_listener_of_its_own_is_where_its_configuration_says(tcp: socket.socket) -> None:
    passed = {"public": [tcp]}
    for listen in ("0.0.0.0:8080", "unix:/run/public.sock"):
        assert places_of(listen, 0o660, passed) == ((listen, 0o660),)


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_passed_sockets_are_where_they_are_bound(tcp: socket.socket, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "public.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        path.chmod(mode)
        places = places_of("systemd:public", 0o600, {"admin": [], "public": [tcp, sock]})
    host, port = tcp.getsockname()[:2]
    assert places == ((f"[{host}]:{port}" if ":" in host else f"{host}:{port}", 0), (f"unix:{path}", mode))


@pytest.mark.promise("security-S16")
def test_everybody_may_connect_to_a_passed_socket_without_a_path(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as removed:
        abstract.bind("\0planted-name")
        removed.bind(str(tmp_path / "removed"))
        (tmp_path / "removed").unlink()
        places = places_of("systemd:public", 0o600, {"public": [abstract, removed]})
    assert places == (("unix:@planted-name", 0o666), (f"unix:{tmp_path / 'removed'}", 0o666))
