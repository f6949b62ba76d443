"""A reload keeps the running listeners: it is refused if one would lose its protection before the restart."""

from pathlib import Path

import pytest

from gateway.settings.until_restart import faults_until_restart, listener_values, protections
from tests.unit.settings.broken import HEADER
from tests.unit.settings.configurations import GOOD, load_text

pytestmark = pytest.mark.promise("security-S16")

TOKEN = 'token = "planted-token-that-nobody-guesses"\n'
LOCK = 'secret_header = "X-Lock"\nsecret = "planted-0a1b2c3d4e5f6g7h8i9j0k-planted"\n'
BY_NETWORK = ("[[grants]]\n", '[[grants]]\nnetworks = ["10.0.0.0/8"]\n')
OTHER = HEADER.replace('"front"', '"other"') + 'subject_header = "X-Other"\ngroups_header = "X-Other-Groups"\n'
UNIX_FRONT = HEADER.replace("10.0.0.5/32", "unix")

TCP = GOOD.replace("[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n')


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
    "the token of a socket of the service manager": (
        admin("systemd:admin", TOKEN),
        admin("127.0.0.1:9464"),
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
    "the secret of a front in a network that still reaches the listener": (
        TCP + HEADER + LOCK,
        TCP.replace("0.0.0.0", "127.0.0.1") + HEADER,
        "server.listen",
    ),
    "trust in a socket that is still open": (
        socket("0666").replace(*BY_NETWORK),
        socket("0660", server='trusted_proxies = ["unix"]\n').replace(*BY_NETWORK),
        "server.socket_mode",
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
    "a narrower socket without a token": (
        socket("0640") + '[admin]\nlisten = "unix:admin.sock"\n',
        socket("0660") + '[admin]\nlisten = "unix:admin.sock"\n',
    ),
    "the secret of a front that has another address now": (
        TCP + HEADER + LOCK,
        TCP.replace("0.0.0.0", "127.0.0.1") + HEADER.replace("10.0.0.5/32", "127.0.0.1"),
    ),
    "two fronts, of which one has a secret": (
        TCP + HEADER + LOCK + OTHER,
        TCP.replace("8080", "8081") + HEADER + LOCK + OTHER,
    ),
    "TLS that another program speaks from now on": (
        TCP.replace('8080"', '443"\ntls_cert_file = "cert.pem"\ntls_key_file = "key.pem"'),
        TCP.replace("0.0.0.0", "127.0.0.1"),
    ),
    "trust in a socket of the service alone": (
        socket("0600"),
        socket("0660", server='trusted_proxies = ["unix"]\n'),
    ),
    "more workers": (GOOD, GOOD.replace("[server]\n", "[server]\nworkers = 2\n")),
    "a listener of its own": (GOOD, GOOD.replace("[server]\n", '[server]\nlisten = "0.0.0.0:8081"\n')),
}


def faults_of_reload(folder: Path, running: str, new: str) -> list[tuple[str, bool]]:
    before, after = load_text(folder, running).settings, load_text(folder, new).settings
    assert before is not None
    assert after is not None
    faults = faults_until_restart(listener_values(before) | protections(before), after)
    return [(fault.key, "until then" in fault.reason and bool(fault.remedy)) for fault in faults]


@pytest.mark.parametrize("name", REFUSED)
def test_a_reload_that_opens_what_still_listens_is_refused(tmp_path: Path, name: str) -> None:
    running, new, key = REFUSED[name]
    assert faults_of_reload(tmp_path, running, new) == [(key, True)]


@pytest.mark.parametrize("name", APPLIED)
def test_a_reload_that_leaves_the_listeners_protected_is_applied(tmp_path: Path, name: str) -> None:
    assert faults_of_reload(tmp_path, *APPLIED[name]) == []
