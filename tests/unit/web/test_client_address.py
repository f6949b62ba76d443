"""The client's address behind trusted proxies."""

import random

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.network import TrustedNetworks, parse_hop
from gateway.web.credentials import TrustedProxies
from tests.support import plain_addresses as plain
from tests.support.generated import sequences

PROXIES = TrustedProxies(["10.0.0.0/24", "unix"])


def client(peer: str | None, *forwarded: str) -> str | None:
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    return PROXIES.client(peer, CIMultiDictProxy(headers))


@pytest.mark.promise("identity-I12", "security-S17")
@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7:4711\t", "203.0.113.7"),
        ("203.0.113.7:_hidden", "203.0.113.7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ('"[2001:db8::7]:4711"', "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ('fe80::1%"x', None),
        ("[2001:db8::7", None),
        ("[2001:db8::7]80", None),
        ("203.0.113.7:123456", None),
        ("203.0.113.7:port", None),
        ("unix:", None),
        ("unknown", None),
        ("", None),
        ("203.0.113.07", None),
        ("203.0.113.7, 10.0.0.1", None),
        ("203.0.113.\u0667", None),
    ],
)
def test_a_hop_is_an_address_with_or_without_port_brackets_and_zone(text: str, address: str | None) -> None:
    assert parse_hop(text) == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", ["203.0.113.7"], "192.0.2.1"),  # not a trusted proxy
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.5", ["198.51.100.1, 203.0.113.7, 10.0.0.6"], "203.0.113.7"),
        ("10.0.0.5", ["198.51.100.1", "203.0.113.7:80 , 10.0.0.6:81"], "203.0.113.7"),
        ("::ffff:10.0.0.5", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("10.0.0.5", ["10.0.0.9, 10.0.0.6"], "10.0.0.9"),  # somebody on a proxy's own network
        ("10.0.0.5", ["garbage"], "unknown"),
        ("10.0.0.5", ["garbage, 10.0.0.6"], "unknown"),
        ("10.0.0.5", ["garbage, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.5", [", ,"], "10.0.0.5"),
        (None, ["203.0.113.7"], "203.0.113.7"),
        (None, [], None),
        ("10.0.0.5", [", ".join(["10.0.0.9"] + ["10.0.0.6"] * 40)], "10.0.0.6"),
    ],
)
def test_the_client_is_the_last_hop_that_is_no_proxy(peer: str | None, forwarded: list[str], expected: str) -> None:
    assert client(peer, *forwarded) == expected


@pytest.mark.promise("identity-I12")
def test_an_unreadable_address_has_not_the_rights_of_the_proxy_that_states_it() -> None:
    for network in ("10.0.0.0/8", "0.0.0.0/0", "::/0", "unix"):
        assert client("10.0.0.5", "x") not in TrustedNetworks([network])


@pytest.mark.promise("identity-I12")
def test_generated_spellings_are_the_addresses_of_the_plain_model() -> None:
    chance = random.Random(12)
    for _ in range(sequences(500)):
        address = plain.an_address(chance)
        spelling = plain.a_spelling(chance, address)
        assert parse_hop(spelling) == address.canonical(), spelling
        bad = plain.a_bad_spelling(chance)
        assert parse_hop(bad) is None, bad


@pytest.mark.promise("identity-I12")
def test_generated_chains_of_proxies_end_at_the_client_of_the_plain_model() -> None:
    chance = random.Random(13)
    for _ in range(sequences(500)):
        length = chance.randrange(8, 33)
        first = chance.randrange(2**length) * 2 ** (32 - length)
        network = TrustedNetworks([f"{plain.dotted(first)}/{length}"])
        proxies = TrustedProxies([f"{plain.dotted(first)}/{length}"])
        peer = plain.an_address(chance, near=first)
        assert (peer.canonical() in network) == peer.is_in(first, length, plain.V4)
        hops = [
            plain.an_address(chance, near=first) if chance.random() < 0.9 else None for _ in range(chance.randrange(5))
        ]
        texts = [plain.a_bad_spelling(chance) if hop is None else plain.a_spelling(chance, hop) for hop in hops]
        expected = peer.canonical()
        if peer.is_in(first, length, plain.V4):
            for hop in reversed(hops):
                expected = "unknown" if hop is None else hop.canonical()
                if hop is None or not hop.is_in(first, length, plain.V4):
                    break
        cut = chance.randrange(len(texts) + 1)
        values = [", ".join(part) for part in (texts[:cut], texts[cut:]) if part]
        headers = CIMultiDictProxy(CIMultiDict([("X-Forwarded-For", value) for value in values]))
        assert proxies.client(peer.canonical(), headers) == expected, (network, peer, values)
