"""Networks inside others: what is found is what a comparison of all pairs finds, and in less time than that takes."""

import json
from ipaddress import ip_network
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.networks import NetworkIndex
from tests.unit.settings.broken import HEADER
from tests.unit.settings.configurations import GOOD, load_text

_V4 = st.builds(
    lambda address, length: str(ip_network((address, length), strict=False)),
    st.integers(0, 31).map(lambda low: 0x0A000000 + low),
    st.integers(26, 32) | st.just(0),
)
_V6 = st.builds(
    lambda low, length: str(ip_network((low, length), strict=False)), st.integers(0, 7), st.integers(124, 128)
)
_NETWORK = _V4 | _V6 | st.just("unix")
NUMBER = 250


def share(one: str, other: str) -> bool:
    if "unix" in (one, other):
        return one == other
    return ip_network(one).overlaps(ip_network(other))


def contains(outer: str, inner: str) -> bool:
    return share(outer, inner) and (outer == inner or ip_network(outer).prefixlen < ip_network(inner).prefixlen)


@given(st.lists(_NETWORK, max_size=6), _NETWORK)
def test_an_index_finds_the_networks_that_a_comparison_of_all_pairs_finds(networks: list[str], one: str) -> None:
    index = NetworkIndex(networks)
    assert set(index.containing(one)) == {network for network in networks if contains(network, one)}
    assert index.overlaps(one) == any(share(network, one) for network in networks)


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("proxies", [True, False])
def test_many_proxies_and_many_rules_by_networks_are_checked_in_time(tmp_path: Path, proxies: bool) -> None:
    peers = [f"192.{number // 200}.{number % 200}.0/24" for number in range(NUMBER)]
    text = GOOD.partition("[[grants]]")[0] + HEADER.replace('["10.0.0.5/32"]', json.dumps(peers))
    trusted = f"trusted_proxies = {json.dumps(peers)}" if proxies else ""
    text = text.replace("[server]\n", f'[server]\nlisten = "0.0.0.0:8080"\n{trusted}\n')
    for number in range(NUMBER):
        rooms = json.dumps([f"10.{number}.{room}.0/24" for room in range(5)])
        text += f'[[grants]]\nname = "rule{number}"\ngroups = ["group{number}"]\nrecordings = ["{number + 1}"]\n'
        text += f'networks = {rooms}\naccount = "reviewer"\n'
    start = process_time()
    loaded = load_text(tmp_path, text)
    assert process_time() - start < 4  # a comparison of all pairs takes three times as long
    assert (loaded.faults, loaded.warnings) == ((), ())
