"""Address parsing and membership in trusted networks."""

import pytest

from gateway.network import TrustedNetworks, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.0.0.5", "10.0.0.5"), ("::ffff:10.0.0.5", "10.0.0.5"), ("FD00::7", "fd00::7"), ("::1", "::1")],
)
def test_an_address_is_parsed_and_a_mapped_one_becomes_ipv4(text: str, address: str) -> None:
    assert str(parse_address(text)) == address


@pytest.mark.parametrize("text", ["", " ", "10.0.0", "10.0.0.5/32", "10.0.0.256", "example.edu", "unix", "\udcff"])
def test_text_that_is_not_an_address_is_none(text: str) -> None:
    assert parse_address(text) is None


def test_networks_of_the_same_list_and_unix_sockets_are_equal() -> None:
    campus = TrustedNetworks(["10.0.0.0/8", "unix"])
    assert campus == TrustedNetworks(["unix", "10.0.0.0/8"])
    assert hash(campus) == hash(TrustedNetworks(["unix", "10.0.0.0/8"]))
    for networks in (["10.0.0.0/8"], ["10.0.0.0/9", "unix"], []):
        assert campus != TrustedNetworks(networks)
    assert campus != ("10.0.0.0/8", "unix")


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("10.0.0.5", True),
        ("::ffff:10.0.0.5", True),
        ("fd00::7", True),
        ("10.0.0.6", False),
        ("::1", False),
        ("", False),
        ("10.0.0.5.example.edu", False),
        (None, False),
    ],
)
def test_a_peer_is_trusted_if_one_network_contains_it(peer: str | None, trusted: bool) -> None:
    assert (peer in TrustedNetworks(("10.0.0.5/32", "fd00::/8"))) is trusted


def test_unix_sockets_are_trusted_only_if_listed() -> None:
    assert None in TrustedNetworks(("unix",))
    assert "127.0.0.1" not in TrustedNetworks(("unix",))
    assert None not in TrustedNetworks(("0.0.0.0/0", "::/0"))


def test_an_empty_list_is_false_and_any_other_true() -> None:
    assert not TrustedNetworks(())
    assert TrustedNetworks(("unix",))
    assert TrustedNetworks(("10.0.0.0/8",))


def test_a_network_that_is_not_valid_raises_value_error() -> None:
    with pytest.raises(ValueError, match="host bits"):
        TrustedNetworks(("10.0.0.5/8",))
