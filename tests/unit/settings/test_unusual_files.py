"""Files that are none, files with two purposes, and spellings of keys and addresses that are allowed and rare."""

import os
from pathlib import Path

import pytest

from gateway.settings.loading import load
from tests.unit.settings.broken import SESSION, grant, server, valt
from tests.unit.settings.configurations import GOOD, load_text, private

pytestmark = pytest.mark.promise("security-S16")

NEGOTIATE = (
    '[[identity]]\ntype = "negotiate"\nname = "domain"\nkeytab_file = "pipe"\n'
    'service = "HTTP@recordings.example.edu"\nrealms = ["EXAMPLE.EDU"]\n'
)
PIPES = {
    "valt.ca_file": valt('ca_file = "pipe"'),
    "server.tls_key_file": server('tls_cert_file = "gateway.toml"\ntls_key_file = "pipe"'),
    "identity.1.keytab_file": GOOD + SESSION + NEGOTIATE,
}
STATE = '[state]\ndir = "state"\n'
WITHOUT_URL = GOOD.replace('base_url = "https://valt.example.edu"\n', "")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("key", PIPES)
def test_a_pipe_is_a_fault_and_nothing_to_wait_for(tmp_path: Path, key: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    private(tmp_path / "gateway.toml", PIPES[key])
    (fault,) = [one for one in load(tmp_path / "gateway.toml", {}, check_files=True).faults if one.key == key]
    assert "pipe" in fault.reason
    assert fault.line is not None


@pytest.mark.parametrize("file", ["circle", "circle/audit.jsonl"])
def test_links_in_a_circle_as_the_audit_are_a_fault(tmp_path: Path, file: str) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    private(tmp_path / "gateway.toml", f'{GOOD}[audit]\nfile = "{file}"\n')
    assert [one.key for one in load(tmp_path / "gateway.toml", {}, check_files=True).faults] == ["audit.file"]


@pytest.mark.parametrize("target", ["link", "none"])
def test_a_state_below_a_link_to_nothing_is_a_fault(tmp_path: Path, target: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / target)
    private(tmp_path / "gateway.toml", f'{GOOD}[state]\ndir = "link/state"\n')
    assert [one.key for one in load(tmp_path / "gateway.toml", {}, check_files=True).faults] == ["state.dir"]


@pytest.mark.parametrize(
    ("file", "keys"),
    [
        ("state", ["audit.file"]),
        ("state/state.sqlite3", ["audit.file"]),
        ("state/../state/state.sqlite3-wal", ["audit.file"]),
        ("state/audit.jsonl", []),
    ],
)
def test_the_states_own_files_as_the_audit_are_a_fault(tmp_path: Path, file: str, keys: list[str]) -> None:
    (tmp_path / "state").mkdir()
    private(tmp_path / "gateway.toml", f'{GOOD}{STATE}[audit]\nfile = "{file}"\n')
    assert [one.key for one in load(tmp_path / "gateway.toml", {}, check_files=True).faults] == keys


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VALT_GATEWAY_A" + "__A" * 3000, "1"),
        ("VALT_GATEWAY_VALT__PEOPLE", "[" * 900 + "]" * 900),
    ],
    ids=["name", "value"],
)
def test_a_deep_variable_is_a_fault_with_its_name(tmp_path: Path, name: str, value: str) -> None:
    assert [one.key for one in load_text(tmp_path, GOOD, {name: value}).faults] == [name]


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("valt . base_url = 'x'\n" + WITHOUT_URL.replace("[valt]\n", ""), "valt.base_url", 1),
        ('branding."help_url" = "x"\n' + GOOD, "branding.help_url", 1),
        ("'log' . 'level' = 'x'\n" + GOOD, "log.level", 1),
    ],
)
def test_a_dotted_key_has_its_line_however_it_is_written(tmp_path: Path, text: str, key: str, line: int) -> None:
    assert [(one.key, one.line) for one in load_text(tmp_path, text).faults] == [(key, line)]


@pytest.mark.parametrize(
    "notice",
    [
        '"""\n[valt]\nbase_url = 1\n"""',
        "'''\n[valt]\nbase_url = 1 \"\"\"\n'''",
        '"""a\\\\\n[valt] \\""" ""\nbase_url = 1""""" # """',
        '"""a""" # \'\'\'\n#\n# """',
        "'''a''' # '''\n# '\nlogo_file = ''",
    ],
)
def test_a_text_of_several_lines_has_no_keys(tmp_path: Path, notice: str) -> None:
    begin = f"[branding]\nnotice = {notice}\n"
    text = begin + GOOD.replace("https://valt.example.edu", "x")
    loaded = load_text(tmp_path, text)
    assert [(one.key, one.line) for one in loaded.faults] == [("valt.base_url", begin.count("\n") + 5)]


@pytest.mark.parametrize("host", ["[0:0::0]", "[::0.0.0.0]", "[::ffff:0.0.0.0]"])
def test_an_address_to_listen_on_is_none_to_connect_to_in_any_spelling(tmp_path: Path, host: str) -> None:
    (fault,) = load_text(tmp_path, GOOD.replace("valt.example.edu", host)).faults
    assert (fault.key, "listens on" in fault.reason) == ("valt.base_url", True)


def test_a_rule_for_unix_sockets_without_one_is_a_warning(tmp_path: Path) -> None:
    rule = 'allow = false\nnetworks = ["unix"]'
    proxies = '\ntrusted_proxies = ["10.0.0.5", "unix"]\n'
    tcp = grant(rule).replace("[server]\n", f"[server]{proxies}")
    assert [one.key for one in load_text(tmp_path, tcp).warnings] == ["grants.0.networks"]
    unix = tcp.replace(proxies, f'{proxies}listen = "unix:x.sock"\n')
    assert load_text(tmp_path, unix).warnings == ()
