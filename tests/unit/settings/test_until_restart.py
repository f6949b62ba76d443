"""A reload keeps the running listeners: it is refused if one would lose its protection before the restart."""

import json
from dataclasses import replace
from pathlib import Path
from time import process_time

import pytest

from gateway.settings.loading import Loaded, load
from gateway.settings.model import Settings
from gateway.settings.until_restart import InForce
from tests.unit.settings.broken import HEADER
from tests.unit.settings.configurations import GOOD, load_text, private

pytestmark = pytest.mark.promise("security-S16")

TOKEN = 'token = "planted-token-that-nobody-guesses"\n'
LOCK = 'secret_header = "X-Lock"\nsecret = "planted-0a1b2c3d4e5f6g7h8i9j0k-planted"\n'
BY_NETWORK = ("[[grants]]\n", '[[grants]]\nnetworks = ["10.0.0.0/8"]\n')
BY_LOOPBACK = ("[[grants]]\n", '[[grants]]\nnetworks = ["127.0.0.0/8"]\n')
BY_SOCKET = ("[[grants]]\n", '[[grants]]\nnetworks = ["unix"]\n')
REFUSAL = """\
[[grants]]
name = "rooms"
allow = false
groups = ["*"]
recordings = ["*"]
account = "reviewer"
networks = ["10.0.0.0/8"]

"""
REFUSING = ("[[grants]]\n", f"{REFUSAL}[[grants]]\n")
OTHER = HEADER.replace('"front"', '"other"') + 'subject_header = "X-Other"\ngroups_header = "X-Other-Groups"\n'
EVERYWHERE = HEADER.replace("10.0.0.5/32", '0.0.0.0/0", "::/0')
UNIX_FRONT = HEADER.replace("10.0.0.5/32", "unix")
LOCAL_FRONT = HEADER.replace("10.0.0.5/32", "127.0.0.1")
TRUSTED = 'trusted_proxies = ["unix"]\n'

LOCAL = GOOD.replace("[server]\n", '[server]\nlisten = "127.0.0.1:8080"\ntrusted_proxies = ["127.0.0.1"]\n')
TCP = GOOD.replace("[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n')
PROXIES = 'trusted_proxies = ["10.0.0.5", "172.16.0.0/24"]\n'
BEHIND = TCP.replace("[server]\n", f"[server]\n{PROXIES}")
"""A port behind proxies of other machines, of which one has an address in the network of the rules."""
UNTRUSTED = LOCAL.replace('trusted_proxies = ["127.0.0.1"]\n', "")
BOTH = ('"127.0.0.1"', '"127.0.0.1", "::1"')
BY_NAME = LOCAL.replace("127.0.0.1:8080", "localhost:8080")
BY_IPV6 = LOCAL.replace("127.0.0.1", "[::1]", 1).replace('"127.0.0.1"', '"::1"')
IPV6_FRONT = LOCAL_FRONT.replace("127.0.0.1", "::1")
IN_A_ROW = LOCAL.replace('"127.0.0.1"]', '"127.0.0.1", "10.0.0.5"]')
ELSEWHERE = LOCAL.replace("127.0.0.1", "10.0.0.6", 1).replace('"127.0.0.1"]', '"10.0.0.5"]')
OWN_TLS = ("[server]\n", '[server]\ntls_cert_file = "cert.pem"\ntls_key_file = "key.pem"\n')


def admin(listen: str, more: str = "") -> str:
    return f'{GOOD}[admin]\nlisten = "{listen}"\n{more}'


def socket(mode: str, more: str = "", server: str = "") -> str:
    lines = f'[server]\nlisten = "unix:public.sock"\nsocket_mode = "{mode}"\n{server}'
    return GOOD.replace("[server]\n", lines) + more


REFUSED = {
    "the token of an admin listener that is still open": (
        admin("0.0.0.0:9464", TOKEN),
        admin("127.0.0.1:9464"),
        "admin.listen",
    ),
    "the token of an admin socket that is still open": (
        socket("0666") + f'[admin]\nlisten = "unix:admin.sock"\n{TOKEN}',
        socket("0660") + '[admin]\nlisten = "unix:admin.sock"\n',
        "server.socket_mode",
    ),
    "the secret of a front whose socket is still open": (
        socket("0666", UNIX_FRONT + LOCK),
        socket("0660", UNIX_FRONT),
        "server.socket_mode",
    ),
    "the token of a listener that is still wider than the new one": (
        admin("0.0.0.0:9464", TOKEN),
        admin("10.99.0.5:9464"),
        "admin.listen",
    ),
    "the token of an open socket whose mode stays": (
        socket("0666") + f'[admin]\nlisten = "unix:admin.sock"\n{TOKEN}',
        socket("0666") + '[admin]\nlisten = "127.0.0.1:9464"\n',
        "admin.listen",
    ),
    "the secret of a front whose open socket is the service manager's next": (
        socket("0666", UNIX_FRONT + LOCK),
        socket("0666", UNIX_FRONT).replace("unix:public.sock", "systemd:public"),
        "server.listen",
    ),
    "trust in a socket that is still open": (
        socket("0666").replace(*BY_NETWORK),
        socket("0660", server=TRUSTED).replace(*BY_NETWORK),
        "server.socket_mode",
    ),
    "a front that trusts who connects to a socket that is still open": (
        socket("0666", server=TRUSTED),
        socket("0660", UNIX_FRONT, server=TRUSTED),
        "server.socket_mode",
    ),
    "a rule by networks at a socket whose peers may still state any address": (
        socket("0666", server=TRUSTED),
        socket("0660", server=TRUSTED).replace(*BY_NETWORK),
        "server.socket_mode",
    ),
    "a second front without a secret at a socket that is still open": (
        socket("0666", UNIX_FRONT + LOCK),
        socket("0660", UNIX_FRONT + LOCK + OTHER.replace("10.0.0.5/32", "unix")),
        "server.socket_mode",
    ),
    "a refusal by networks where the proxy is trusted at the next socket alone": (
        LOCAL.replace(*REFUSING),
        socket("0660", server=TRUSTED).replace(*REFUSING),
        "server.listen",
    ),
    "a refusal by networks at a port that clients will reach themselves": (
        LOCAL.replace(*REFUSING),
        TCP.replace(*REFUSING),
        "server.listen",
    ),
    "a refusal by networks at a socket whose proxy is trusted no more": (
        socket("0660", server=TRUSTED).replace(*REFUSING),
        LOCAL.replace(*REFUSING),
        "server.listen",
    ),
    "a refusal by networks behind a proxy elsewhere that is trusted no more": (
        BEHIND.replace(*REFUSING),
        socket("0660", server=TRUSTED).replace(*REFUSING),
        "server.listen",
    ),
    "a refusal by networks behind a proxy elsewhere that is no proxy of the port on loopback": (
        BEHIND.replace(*REFUSING),
        LOCAL.replace(*REFUSING),
        "server.listen",
    ),
    "a refusal by networks where no proxy is trusted at the next port of loopback": (
        BEHIND.replace(*REFUSING),
        LOCAL.replace('trusted_proxies = ["127.0.0.1"]\n', "").replace(*REFUSING),
        "server.listen",
    ),
    "a refusal by networks behind proxies of which some are trusted no more": (
        BEHIND.replace(*REFUSING),
        BEHIND.replace("8080", "8081").replace("172.16.0.0/24", "172.16.0.0/25").replace(*REFUSING),
        "server.listen",
    ),
    "a refusal by networks behind two proxies in a row of which one is trusted no more": (
        IN_A_ROW.replace(*REFUSING),
        LOCAL.replace("8080", "8081").replace(*REFUSING),
        "server.listen",
    ),
    "a refusal by networks whose proxy is trusted at neither socket": (
        socket("0660", server=TRUSTED).replace(*REFUSING),
        socket("0660").replace("public.sock", "other.sock").replace(*REFUSING),
        "server.listen",
    ),
    "a refusal by networks at a port without TLS until the restart": (
        BEHIND.replace(*REFUSING),
        TCP.replace(*OWN_TLS).replace(*REFUSING),
        "server.tls_cert_file",
    ),
    "a rule that allows the network of a proxy that is trusted no more": (
        BEHIND.replace(*BY_NETWORK),
        socket("0660", server=TRUSTED).replace(*BY_NETWORK),
        "server.listen",
    ),
    "a rule that allows by networks and is new with the listener": (
        BEHIND,
        socket("0660", server=TRUSTED).replace(*BY_NETWORK),
        "server.listen",
    ),
    "a rule that allows the network of a proxy at a port without TLS until the restart": (
        BEHIND.replace(*BY_NETWORK),
        TCP.replace(*OWN_TLS).replace(*BY_NETWORK),
        "server.tls_cert_file",
    ),
    "a rule that allows loopback, where the proxy is trusted at the next socket alone": (
        LOCAL.replace(*BY_LOOPBACK),
        socket("0660", server=TRUSTED).replace(*BY_LOOPBACK),
        "server.listen",
    ),
    "a rule that allows loopback, where a proxy that is not trusted still connects": (
        LOCAL.replace('trusted_proxies = ["127.0.0.1"]\n', ""),
        TCP.replace(*BY_LOOPBACK),
        "server.listen",
    ),
    "a rule that allows whoever connects to the socket, where the proxy is trusted no more": (
        socket("0660", server=TRUSTED).replace(*BY_SOCKET),
        LOCAL.replace(*BY_SOCKET),
        "server.listen",
    ),
    "trust in addresses at an open socket whose peers may only name people": (
        socket("0666", UNIX_FRONT).replace(*BY_NETWORK),
        socket("0660", UNIX_FRONT, server=TRUSTED).replace(*BY_NETWORK),
        "server.socket_mode",
    ),
    "a front that names people, where the trusted proxy passed on all that clients send": (
        LOCAL,
        LOCAL.replace("8080", "8081") + LOCAL_FRONT,
        "server.listen",
    ),
    "a front that names people, where a proxy that is not trusted passed on all that clients send": (
        UNTRUSTED,
        UNTRUSTED.replace("8080", "8081") + HEADER.replace("10.0.0.5/32", "127.0.0.0/8"),
        "server.listen",
    ),
    "a front that names people, where a proxy elsewhere passed on all that clients send": (
        BEHIND,
        TCP.replace("8080", "8081") + HEADER.replace("10.0.0.5/32", "172.16.0.0/16"),
        "server.listen",
    ),
    "a front that names people at a port without TLS until the restart": (
        BEHIND,
        BEHIND.replace(*OWN_TLS) + HEADER,
        "server.tls_cert_file",
    ),
    "a front that names people at the next socket, where the proxy passed on all that clients send": (
        socket("0660"),
        socket("0660", UNIX_FRONT).replace("public.sock", "other.sock"),
        "server.listen",
    ),
    "a front that names people by another header than the proxy had to remove": (
        LOCAL + LOCAL_FRONT,
        LOCAL.replace("8080", "8081") + LOCAL_FRONT + 'subject_header = "Remote-User"\n',
        "server.listen",
    ),
    "a front that names groups by another header than the proxy had to remove": (
        LOCAL + LOCAL_FRONT,
        LOCAL.replace("8080", "8081") + LOCAL_FRONT + 'groups_header = "Remote-Groups"\n',
        "server.listen",
    ),
    "a front that names people, at one proxy more than the one that had to remove that": (
        BEHIND + HEADER,
        BEHIND.replace("8080", "8081") + HEADER.replace('"10.0.0.5/32"', '"10.0.0.5", "172.16.0.1"'),
        "server.listen",
    ),
    "trust in addresses that the proxy of loopback had to state to nobody": (
        UNTRUSTED,
        LOCAL.replace("8080", "8081").replace(*BY_NETWORK),
        "server.listen",
    ),
    "trust in addresses that the proxy of a socket had to state to nobody": (
        socket("0660"),
        socket("0660", server=TRUSTED).replace("public.sock", "other.sock").replace(*REFUSING),
        "server.listen",
    ),
    "a front of one more address by which the proxy reaches the running name": (
        BY_NAME + LOCAL_FRONT,
        (BY_NAME.replace("8080", "8081") + LOCAL_FRONT).replace(*BOTH),
        "server.listen",
    ),
    "trust in one more address by which the proxy reaches the running name": (
        BY_NAME.replace(*BY_NETWORK),
        BY_NAME.replace("8080", "8081").replace(*BOTH).replace(*BY_NETWORK),
        "server.listen",
    ),
    "a refusal by networks whose proxy is trusted at the IPv6 address of loopback alone": (
        LOCAL.replace(*REFUSING),
        BY_IPV6.replace(*REFUSING),
        "server.listen",
    ),
    "another header of a front elsewhere that is known as a front alone": (
        TCP + HEADER,
        TCP.replace("8080", "8081") + OTHER,
        "server.listen",
    ),
    "a second front without a secret on the machine of the first, and another port": (
        TCP + HEADER + LOCK,
        TCP.replace("8080", "8081") + HEADER + LOCK + OTHER,
        "server.listen",
    ),
    "another header of a front of this machine at a port that others reach": (
        TCP + LOCAL_FRONT,
        LOCAL.replace("8080", "8081") + LOCAL_FRONT + 'subject_header = "Remote-User"\n',
        "server.listen",
    ),
    "trust in addresses that a front elsewhere had to state to nobody": (
        TCP + HEADER,
        BEHIND.replace("8080", "8081").replace(*BY_NETWORK) + HEADER,
        "server.listen",
    ),
    "a refusal by networks behind two proxies in a row of which the nearer is trusted no more": (
        IN_A_ROW.replace(*REFUSING),
        ELSEWHERE.replace(*REFUSING),
        "server.listen",
    ),
}
APPLIED = {
    "a token that stays": (admin("0.0.0.0:9464", TOKEN), admin("127.0.0.1:9464", TOKEN)),
    "an admin listener of loopback": (admin("127.0.0.1:9464", TOKEN), admin("127.0.0.1:9465")),
    "a listener that stays": (admin("127.0.0.1:9464", TOKEN), admin("127.0.0.1:9464")),
    "a secret that stays": (socket("0666", UNIX_FRONT + LOCK), socket("0660", UNIX_FRONT + LOCK)),
    "a token that an open listener never had": (admin("0.0.0.0:9464"), admin("127.0.0.1:9464")),
    "the token of a listener of loopback": (admin("127.0.0.1:9464", TOKEN), admin("127.0.0.1:9465")),
    "the token of a listener that stays": (admin("0.0.0.0:9464", TOKEN), admin("0.0.0.0:9464")),
    "the token of a listener that is narrower than the new one": (
        admin("10.99.0.5:9464", TOKEN),
        admin("0.0.0.0:9464"),
    ),
    "the token of a listener whose port is another": (admin("10.99.0.5:9464", TOKEN), admin("10.99.0.5:9465")),
    "the token of an open socket, for a port that other machines reach": (
        socket("0666") + f'[admin]\nlisten = "unix:admin.sock"\n{TOKEN}',
        socket("0666") + '[admin]\nlisten = "10.99.0.5:9464"\n',
    ),
    "a token that an earlier reload has dropped": (
        admin("0.0.0.0:9464", TOKEN),
        admin("0.0.0.0:9464"),
        admin("127.0.0.1:9464"),
    ),
    "a narrower socket without a token": (
        socket("0640") + '[admin]\nlisten = "unix:admin.sock"\n',
        socket("0660") + '[admin]\nlisten = "unix:admin.sock"\n',
    ),
    "the token of a socket of the service alone": (
        socket("0600") + f'[admin]\nlisten = "unix:admin.sock"\n{TOKEN}',
        socket("0660") + '[admin]\nlisten = "unix:admin.sock"\n',
    ),
    "the secret of a front that has another address now": (
        TCP + HEADER + LOCK,
        TCP.replace("0.0.0.0", "127.0.0.1") + HEADER.replace("10.0.0.5/32", "127.0.0.1"),
    ),
    "the secret of a front whose address alone is trusted by a start too": (
        TCP + HEADER + LOCK,
        TCP.replace("8080", "8081") + HEADER,
    ),
    "the secret of a front at a socket of the group": (
        socket("0660", UNIX_FRONT + LOCK),
        socket("0660", UNIX_FRONT).replace("public.sock", "other.sock"),
    ),
    "two fronts, of which one has a secret": (
        TCP + HEADER + LOCK + OTHER,
        TCP.replace("8080", "8081") + HEADER + LOCK + OTHER,
    ),
    "a second front without a secret on another machine, and another port": (
        TCP + HEADER + LOCK,
        TCP.replace("8080", "8081") + HEADER + LOCK + OTHER.replace("10.0.0.5/32", "10.0.0.6"),
    ),
    "a second front without a secret, where the first one may be anywhere": (
        TCP + EVERYWHERE + LOCK,
        TCP.replace("8080", "8081") + EVERYWHERE + LOCK + OTHER,
    ),
    "trust in addresses of loopback, where the front that is not trusted is elsewhere": (
        TCP + HEADER,
        LOCAL.replace(*BY_NETWORK) + LOCAL_FRONT,
    ),
    "another header of a front elsewhere at a listener that stays": (TCP + HEADER, TCP + OTHER),
    "TLS that another program speaks from now on": (
        TCP.replace('8080"', '443"\ntls_cert_file = "cert.pem"\ntls_key_file = "key.pem"'),
        TCP.replace("0.0.0.0", "127.0.0.1"),
    ),
    "trust in a socket of the service alone": (
        socket("0600"),
        socket("0660", server=TRUSTED),
    ),
    "trust in an open socket whose peers' addresses decide nothing": (
        socket("0666"),
        socket("0660", server=TRUSTED),
    ),
    "trust in a socket that was trusted": (
        socket("0666", UNIX_FRONT),
        socket("0660", UNIX_FRONT + OTHER.replace("10.0.0.5/32", "unix")),
    ),
    "a refusal by networks whose proxy stays": (
        LOCAL.replace(*REFUSING),
        LOCAL.replace("8080", "8081").replace(*REFUSING),
    ),
    "a refusal by networks whose proxy was never trusted": (
        LOCAL.replace('trusted_proxies = ["127.0.0.1"]\n', "").replace(*REFUSING),
        socket("0660", server=TRUSTED).replace(*REFUSING),
    ),
    "a refusal by networks at a port that clients reach themselves": (
        TCP.replace(*REFUSING),
        socket("0660", server=TRUSTED).replace(*REFUSING),
    ),
    "a rule that allows by networks, and decides nothing until the restart": (
        LOCAL.replace(*BY_NETWORK),
        socket("0660", server=TRUSTED).replace(*BY_NETWORK),
    ),
    "a proxy elsewhere that is trusted until the restart": (
        BEHIND.replace(*REFUSING),
        socket("0660", server=PROXIES.replace("[", '["unix", ')).replace(*REFUSING),
    ),
    "a proxy elsewhere that is trusted in halves until the restart": (
        BEHIND.replace(*REFUSING),
        BEHIND.replace("8080", "8081")
        .replace('"172.16.0.0/24"', '"172.16.0.0/25", "172.16.0.128/25"')
        .replace(*REFUSING),
    ),
    "a proxy that is trusted no more at a listener that stays": (
        BEHIND.replace(*REFUSING),
        TCP.replace(*REFUSING),
        TCP.replace("8080", "8081").replace(*REFUSING),
    ),
    "a proxy elsewhere that is trusted no more where no rule is by networks": (
        BEHIND,
        socket("0660", server=TRUSTED),
    ),
    "a rule that allows networks without the address of the proxy": (
        BEHIND.replace(*BY_NETWORK).replace("10.0.0.5", "172.17.0.5"),
        socket("0660", server=TRUSTED).replace(*BY_NETWORK),
    ),
    "trust in a socket that nobody connects to yet, taken back": (
        BEHIND.replace(*REFUSING),
        socket("0660", server=PROXIES.replace("[", '["unix", ')).replace(*REFUSING),
        BEHIND.replace(*REFUSING),
        BEHIND.replace("8080", "8081").replace(*REFUSING),
    ),
    "a proxy of the next listener that was misspelt": (
        BEHIND.replace(*REFUSING),
        socket("0660", server=PROXIES.replace("[", '["10.0.0.66", ')).replace(*REFUSING),
        socket("0660", server=PROXIES.replace("[", '["10.0.0.6", ')).replace(*REFUSING),
    ),
    "a front that names people at a listener that stays, and then moves": (
        LOCAL,
        LOCAL + LOCAL_FRONT,
        LOCAL.replace("8080", "8081") + LOCAL_FRONT,
    ),
    "a front that names people by what a client cannot know": (
        LOCAL,
        LOCAL.replace("8080", "8081") + LOCAL_FRONT + LOCK,
    ),
    "a front that names people at an address from which nobody connects yet": (
        LOCAL,
        LOCAL.replace("8080", "8081") + HEADER,
    ),
    "a front of every machine that was known at a part of them": (
        BEHIND + HEADER + LOCK,
        BEHIND.replace("8080", "8081").replace('"172.16.0.0/24"', '"10.0.0.6"')
        + HEADER.replace("10.0.0.5/32", "10.0.0.4/31"),
    ),
    "trust in addresses at a listener that stays": (UNTRUSTED.replace(*BY_NETWORK), LOCAL.replace(*BY_NETWORK)),
    "a front that names people at every address of the next name": (
        LOCAL + LOCAL_FRONT,
        (BY_NAME + LOCAL_FRONT).replace(*BOTH),
    ),
    "a front that names people at the other address of loopback": (LOCAL + LOCAL_FRONT, BY_IPV6 + IPV6_FRONT),
    "a front that names people at the IPv4 address of loopback again": (BY_IPV6 + IPV6_FRONT, LOCAL + LOCAL_FRONT),
    "trust in addresses at every address of the next name": (
        LOCAL.replace(*BY_NETWORK),
        BY_NAME.replace(*BOTH).replace(*BY_NETWORK),
    ),
    "trust in addresses at the other address of loopback": (
        LOCAL.replace(*BY_NETWORK),
        BY_IPV6.replace(*BY_NETWORK),
    ),
    "a front elsewhere that connects to no listener of loopback": (
        IN_A_ROW,
        ELSEWHERE + HEADER,
    ),
    "trust in addresses, which decide nothing": (UNTRUSTED, LOCAL.replace("8080", "8081")),
    "trust in addresses of a proxy that is elsewhere": (
        LOCAL.replace(*BY_NETWORK),
        IN_A_ROW.replace("8080", "8081").replace(*BY_NETWORK),
    ),
    "more workers": (GOOD, GOOD.replace("[server]\n", "[server]\nworkers = 2\n")),
    "a listener of its own": (GOOD, GOOD.replace("[server]\n", '[server]\nlisten = "0.0.0.0:8081"\n')),
}
PASSED = {
    "a port of loopback": ((("127.0.0.1:8080", 0),), True),
    "a port of every address": ((("0.0.0.0:8080", 0),), False),
    "a socket of the group": ((("unix:/run/passed.sock", 0o660),), True),
    "a socket of every user": ((("unix:/run/passed.sock", 0o666),), False),
    "a port of loopback and a socket of every user": ((("127.0.0.1:8080", 0), ("unix:/run/passed.sock", 0o666)), False),
}
"""Where the sockets of the service manager are, and whether whoever connects there is to be trusted."""


def settings_of(folder: Path, text: str) -> Settings:
    settings = load_text(folder, text).settings
    assert settings is not None
    return settings


def faults_of_reload(in_force: InForce, new: Settings) -> list[tuple[str, bool]]:
    """Returns the keys of the faults, as a worker has them too, and whether each has a reason and a remedy."""
    faults = list(in_force.faults_of_reload(new))
    passed_on = InForce.decode(json.loads(json.dumps(in_force.encode())))
    assert list(passed_on.faults_of_reload(new)) == faults
    return [(fault.key, "until then" in fault.reason and bool(fault.remedy)) for fault in faults]


@pytest.mark.parametrize("name", REFUSED)
def test_a_reload_that_opens_what_still_listens_is_refused(tmp_path: Path, name: str) -> None:
    running, new, key = REFUSED[name]
    in_force = InForce.at_start(settings_of(tmp_path, running), {})
    assert faults_of_reload(in_force, settings_of(tmp_path, new)) == [(key, True)]
    again = in_force.after_reload(settings_of(tmp_path, running))
    assert faults_of_reload(again, settings_of(tmp_path, new)) == [(key, True)]


@pytest.mark.parametrize("name", APPLIED)
def test_a_reload_that_leaves_the_listeners_protected_is_applied(tmp_path: Path, name: str) -> None:
    started, *reloaded = [settings_of(tmp_path, text) for text in APPLIED[name]]
    in_force = InForce.at_start(started, {})
    for new in reloaded:
        assert faults_of_reload(in_force, new) == []
        in_force = in_force.after_reload(new)


@pytest.mark.parametrize("change", [REFUSING, BY_NETWORK])
def test_a_proxy_connects_until_the_restart_whatever_was_reloaded_since(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    moved = socket("0660", server=TRUSTED)
    in_force = InForce.at_start(settings_of(tmp_path, BEHIND), {})
    for _ in range(2):
        assert faults_of_reload(in_force, settings_of(tmp_path, moved)) == []
        in_force = in_force.after_reload(settings_of(tmp_path, moved))
    assert faults_of_reload(in_force, settings_of(tmp_path, moved.replace(*change))) == [("server.listen", True)]


def test_a_network_of_proxies_that_is_trusted_in_part_is_named_as_it_was_written(tmp_path: Path) -> None:
    running = LOCAL.replace('["127.0.0.1"]', '["127.0.0.0/8"]').replace(*REFUSING)
    moved = settings_of(tmp_path, LOCAL.replace("8080", "8081").replace(*REFUSING))
    (fault,) = InForce.at_start(settings_of(tmp_path, running), {}).faults_of_reload(moved)
    assert "127.0.0.0/8 sends requests to" in fault.reason


def test_headers_that_a_proxy_had_to_remove_are_those_before_the_move(tmp_path: Path) -> None:
    moved = LOCAL.replace("8080", "8081")
    in_force = InForce.at_start(settings_of(tmp_path, LOCAL), {})
    locked = settings_of(tmp_path, moved + LOCAL_FRONT + LOCK)
    assert faults_of_reload(in_force, locked) == []
    in_force = in_force.after_reload(locked)
    assert faults_of_reload(in_force, settings_of(tmp_path, moved + LOCAL_FRONT)) == [("server.listen", True)]


def test_a_move_behind_hundreds_of_proxies_is_compared_in_time(tmp_path: Path) -> None:
    peers = json.dumps([f"192.{number // 100}.{number % 100}.1" for number in range(250)])
    front = HEADER.replace('["10.0.0.5/32"]', peers)
    running = TCP.replace("[server]\n", f"[server]\ntrusted_proxies = {peers}\n") + front
    in_force = InForce.at_start(settings_of(tmp_path, running), {})
    moved = settings_of(tmp_path, running.replace("8080", "8081"))
    start = process_time()
    assert list(in_force.faults_of_reload(moved)) == []
    assert process_time() - start < 1  # a comparison of each header with all others takes minutes


@pytest.mark.parametrize("name", PASSED)
def test_of_a_passed_socket_its_own_address_and_mode_decide(tmp_path: Path, name: str) -> None:
    places, is_safe = PASSED[name]
    running = admin("systemd:admin", TOKEN)
    in_force = replace(InForce.at_start(settings_of(tmp_path, running), {}), admin=places)
    moved = settings_of(tmp_path, admin("127.0.0.1:9464"))
    assert faults_of_reload(in_force, moved) == ([] if is_safe else [("admin.listen", True)])
    assert faults_of_reload(in_force, settings_of(tmp_path, admin("systemd:admin"))) == []


@pytest.mark.parametrize("name", PASSED)
def test_trust_in_a_unix_socket_is_refused_where_every_user_reaches_the_passed_one(tmp_path: Path, name: str) -> None:
    places, _ = PASSED[name]
    is_for_all = any(mode & 0o002 for _, mode in places)
    text = socket("0660", UNIX_FRONT + LOCK, TRUSTED).replace("unix:public.sock", "systemd:public")
    running = settings_of(tmp_path, text)
    in_force = replace(InForce.at_start(running, {}), public=places)
    for new in (socket("0660", UNIX_FRONT, TRUSTED), socket("0660", server=TRUSTED).replace(*BY_NETWORK)):
        expected = [("server.listen", True)] if is_for_all else []
        assert faults_of_reload(in_force, settings_of(tmp_path, new)) == expected


def test_without_what_is_in_force_nothing_is_compared(tmp_path: Path) -> None:
    assert faults_of_reload(InForce.decode({}), settings_of(tmp_path, admin("0.0.0.0:9464"))) == []


@pytest.mark.parametrize(
    ("moved", "key"),
    [
        ('dir = "next"', "state.dir"),
        ('url = "redis://127.0.0.1"\nsecret = "planted secret of more than thirty-two bytes"', "state.url"),
        ("", "state"),
        ('dir = "state/../state"', None),
        ('dir = "state"', None),
    ],
)
def test_a_reload_warns_of_a_restart_that_would_lose_who_was_revoked(
    tmp_path: Path, moved: str, key: str | None
) -> None:
    text = f'{GOOD}[state]\ndir = "{tmp_path}/state"\n'
    private(tmp_path / "gateway.toml", text)
    in_force = InForce.at_start(settings_of(tmp_path, text), {})

    def reload() -> Loaded:
        private(tmp_path / "gateway.toml", f"{GOOD}[state]\n{moved}\n")
        return load(tmp_path / "gateway.toml", {}, check_files=True, running=True, in_force=in_force)

    assert (reload().faults, reload().warnings) == ((), ())  # there is no state yet
    (tmp_path / "state").mkdir()
    (tmp_path / "state/state.sqlite3").touch(mode=0o600)
    assert reload().faults == ()
    assert [one.key for one in reload().warnings] == ([] if key is None else [key])
    assert all(f"{tmp_path}/state" in one.reason + one.remedy for one in reload().warnings)


REDIS = 'url = "redis://gateway:planted@10.0.0.7"\nsecret = "planted secret of more than thirty-two bytes"'
SENTINELS = REDIS.replace("redis://gateway:planted@10.0.0.7", "redis+sentinel://10.0.0.7,10.0.0.8/valt")


@pytest.mark.parametrize(
    ("running", "moved", "key"),
    [
        (REDIS, f'{REDIS}\nprefix = "film:"', "state.prefix"),
        (f'{REDIS}\nprefix = "film:"', REDIS, "state.prefix"),
        (REDIS, REDIS.replace("0.7", "0.7/1"), "state.url"),
        (REDIS, REDIS.replace("0.7", "0.8"), "state.url"),
        (REDIS, REDIS.replace("0.7", "0.7:6380"), "state.url"),
        (REDIS, SENTINELS, "state.url"),
        (SENTINELS, SENTINELS.replace("/valt", "/film"), "state.url"),
        (SENTINELS, SENTINELS.replace("0.7,10.0.0.8", "1.7,10.0.1.8"), "state.url"),
        (REDIS, 'dir = "next"', "state.dir"),
        (REDIS, "", "state"),
        (REDIS, REDIS, None),
        (REDIS, REDIS.replace("gateway:planted", "valt:another"), None),
        (REDIS, REDIS.replace("0.7", "0.7:6379/0?socket_timeout=1"), None),
        (REDIS, REDIS.replace("planted secret", "another secret"), None),
        (SENTINELS, SENTINELS.replace("0.8", "0.8,10.0.0.9"), None),
    ],
)
def test_a_reload_warns_of_a_restart_that_leaves_the_revocations_in_redis(
    tmp_path: Path, running: str, moved: str, key: str | None
) -> None:
    started = settings_of(tmp_path, f"{GOOD}[state]\n{running}\n")
    in_force = InForce.decode(json.loads(json.dumps(InForce.at_start(started, {}).encode())))
    warnings = list(in_force.warnings_of_reload(settings_of(tmp_path, f"{GOOD}[state]\n{moved}\n")))
    assert [one.key for one in warnings] == ([] if key is None else [key])
    assert all("revocations" in one.reason and "the present url and prefix" in one.remedy for one in warnings)
    assert "planted" not in str(warnings)


@pytest.mark.parametrize("running", [REDIS, 'dir = "state"', ""])
@pytest.mark.parametrize("contents", [None, "", "\n"])
def test_a_file_of_the_next_url_that_cannot_be_read_is_one_fault_of_the_reload(
    tmp_path: Path, running: str, contents: str | None
) -> None:
    in_force = InForce.at_start(settings_of(tmp_path, f"{GOOD}[state]\n{running}\n"), {})
    (tmp_path / "state").mkdir()
    (tmp_path / "state/state.sqlite3").touch(mode=0o600)
    if contents is not None:
        private(tmp_path / "url", contents)
    text = f"{GOOD}[state]\n{REDIS}\n".replace('url = "redis://gateway:planted@10.0.0.7"', 'url_file = "url"')
    private(tmp_path / "gateway.toml", text)
    loaded = load(tmp_path / "gateway.toml", {}, check_files=True, running=True, in_force=in_force)
    assert [fault.key for fault in loaded.faults if fault.line] == ["state.url_file"]
    assert loaded.warnings == ()


def test_the_remedy_for_another_state_keeps_sign_outs_where_there_are_sessions(tmp_path: Path) -> None:
    in_force = InForce.at_start(settings_of(tmp_path, f"{GOOD}[state]\n{REDIS}\n"), {})
    moved = f'{GOOD}[state]\n{REDIS}\nprefix = "film:"\n'
    for more, is_named in (("", False), ('[session]\nsecret = "planted secret of another purpose, as long"\n', True)):
        (warning,) = in_force.warnings_of_reload(settings_of(tmp_path, moved + more))
        assert ("session.secret" in warning.remedy) is is_named
