"""A reload keeps the running listeners: it is refused if one would lose its protection before the restart."""

from datetime import date
from pathlib import Path

import pytest

from gateway.settings.until_restart import faults_until_restart, listener_values
from tests.unit.settings.broken import HEADER
from tests.unit.settings.configurations import GOOD, load_text

pytestmark = pytest.mark.promise("security-S16")

TODAY = date(2026, 11, 29)
TOKEN = 'token = "planted-token-that-nobody-guesses"\n'
LOCK = 'secret_header = "X-Lock"\nsecret = "planted-0a1b2c3d4e5f6g7h8i9j0k-planted"\n'
BY_NETWORK = ("[[grants]]\n", '[[grants]]\nnetworks = ["10.0.0.0/8"]\n')
UNIX_FRONT = HEADER.replace("10.0.0.5/32", "unix")


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
    "more workers": (GOOD, GOOD.replace("[server]\n", "[server]\nworkers = 2\n")),
    "a listener of its own": (GOOD, GOOD.replace("[server]\n", '[server]\nlisten = "0.0.0.0:8081"\n')),
}


def faults_of_reload(folder: Path, running: str, new: str) -> list[tuple[str, bool]]:
    before, after = load_text(folder, running).settings, load_text(folder, new).settings
    assert before is not None
    assert after is not None
    faults = faults_until_restart(listener_values(before), after, TODAY)
    return [(fault.key, "until then" in fault.reason and bool(fault.remedy)) for fault in faults]


@pytest.mark.parametrize("name", REFUSED)
def test_a_reload_that_opens_what_still_listens_is_refused(tmp_path: Path, name: str) -> None:
    running, new, key = REFUSED[name]
    assert faults_of_reload(tmp_path, running, new) == [(key, True)]


@pytest.mark.parametrize("name", APPLIED)
def test_a_reload_that_leaves_the_listeners_protected_is_applied(tmp_path: Path, name: str) -> None:
    assert faults_of_reload(tmp_path, *APPLIED[name]) == []
