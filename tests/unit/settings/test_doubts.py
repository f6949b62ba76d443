"""Values that were accepted silently although nobody means them: each is a fault or a warning with its key."""

import errno
import os
from pathlib import Path

import pytest

from gateway.settings.loading import load
from gateway.sockets import open_sockets
from tests.unit.settings.configurations import GOOD, load_text, private

pytestmark = pytest.mark.promise("security-S16")

HEADER = '\n[[identity]]\ntype = "header"\nname = "front"\nfrom = [{}]\n'
SERVER = "[server]\n"
FAULTS = {
    "limits.streams": "[limits]\nstreams = true\n",
    "limits.connections": '[limits]\nconnections = "5"\n',
    "limits.requests_per_minute": "[limits]\nrequests_per_minute = 5.0\n",
    "valt.groups.staff": "[valt.groups]\nstaff = true\n",
    "valt.version": '[valt]\nversion = "latest"\n',
    "server.workers": "[server]\nworkers = 5000\n",
    "identity.0.subject_claim": '[[identity]]\nsubject_claim = ""\n',
    "identity.1.groups_separator": HEADER.format('"10.0.0.5"') + 'groups_separator = "\\\\"\n',
    "admin.listen": '[admin]\nlisten = "localhost:8080"\n',
}
FAULTS |= {
    "server.trusted_proxies.0": "[server]\ntrusted_proxies = [true]\n",
    "grants.0.networks.0": "[[grants]]\nnetworks = [167772160]\n",
    "admin.token": '[admin]\ntoken = "a secret of\\ntwo lines"\n',
    "identity.1.secret": HEADER.format('"10.0.0.5"') + 'secret_header = "X-Lock"\nsecret = " a secret with a space"\n',
}
WARNINGS = {
    "limits.request_timeout": '[limits]\nrequest_timeout = "30ms"\n',
    "valt.read_timeout": '[valt]\nread_timeout = "5ms"\n',
    "valt.token_ttl": '[valt]\ntoken_ttl = "0.5s"\n',
    "server.drain_timeout": '[server]\ndrain_timeout = "60ms"\n',
    "server.shutdown_delay": '[server]\nshutdown_delay = "8ms"\n',
    "links.min_life": '[links]\nmin_life = "5ms"\n',
    "links.margin": '[links]\nmargin = "30ms"\n',
    "recordings.ttl": '[recordings]\nttl = "1ms"\n',
    "identity.0.leeway": '[[identity]]\nleeway = "30ms"\n',
    "streams.viewer_idle": '[streams]\nviewer_idle = "4ms"\n',
    "identity.0.max_lifetime": '[[identity]]\nmax_lifetime = "1ms"\n',
    "admin.token": '[admin]\ntoken = "short"\n',
    "identity.1.secret": HEADER.format('"10.0.0.5"') + 'secret_header = "X-Lock"\nsecret = "short"\n',
    "identity.1.from": HEADER.format('"unix"'),
    "server.trusted_proxies": '[server]\nlisten = "unix:/run/gateway.sock"\ntrusted_proxies = ["10.0.0.5"]\n',
    "grants.0.subjects": '[[grants]]\nsubjects = ["campus#"]\n',
}


def with_lines(text: str) -> str:
    """GOOD with the keys of *text*, in the table that it names if there is one."""
    table = text.partition("\n")[0]
    return GOOD.replace(f"{table}\n", text, 1) if table and f"{table}\n" in GOOD else f"{GOOD}\n{text}"


@pytest.mark.parametrize("key", FAULTS)
def test_a_value_that_nobody_means_is_a_fault_of_its_key(tmp_path: Path, key: str) -> None:
    assert [fault.key for fault in load_text(tmp_path, with_lines(FAULTS[key])).faults] == [key]


@pytest.mark.parametrize("key", WARNINGS)
def test_a_value_that_is_probably_not_meant_is_a_warning_of_its_key(tmp_path: Path, key: str) -> None:
    loaded = load_text(tmp_path, with_lines(WARNINGS[key]))
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings] == [key]


@pytest.mark.parametrize("audit", ["/dev/null", "gateway.toml", "key.pem"])
def test_an_audit_to_a_device_or_into_another_file_is_a_warning(tmp_path: Path, audit: str) -> None:
    private(tmp_path / "key.pem", "-----BEGIN PRIVATE KEY-----\n")
    private(tmp_path / "gateway.toml", f'{GOOD}\n[audit]\nfile = "{audit}"\n')
    loaded = load(tmp_path / "gateway.toml", {}, check_files=True)
    assert (loaded.faults, [warning.key for warning in loaded.warnings]) == ((), ["audit.file"])
    private(tmp_path / "audit.jsonl", '{"event": "chain"}\n')
    private(tmp_path / "gateway.toml", f'{GOOD}\n[audit]\nfile = "audit.jsonl"\n')
    assert load(tmp_path / "gateway.toml", {}, check_files=True).warnings == ()


def test_a_unix_sockets_path_is_relative_to_the_file(tmp_path: Path) -> None:
    settings = load_text(tmp_path, with_lines('[server]\nlisten = "unix:run/gateway.sock"\n')).settings
    assert settings is not None
    assert settings.server.listen == f"unix:{tmp_path}/run/gateway.sock"


async def test_a_unix_socket_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, number in ((tmp_path / "none" / "socket", errno.ENOENT), (tmp_path / "file", errno.EADDRINUSE)):
        with pytest.raises(OSError, match=str(path)) as raised:
            await open_sockets(f"unix:{path}", 0o600, {})
        assert raised.value.errno == number
        assert os.fspath(raised.value.filename) == str(path)
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 20_000 + "]" * 20_000,
        "x = " + "{a=" * 5000 + "1" + "}" * 5000,
        ".".join(["a"] * 4000) + " = 1",
        "x = " + "9" * 5000,
    ],
    ids=["arrays", "tables", "dots", "digits"],
)
def test_what_the_parser_cannot_hold_is_a_fault_of_the_file(tmp_path: Path, text: str) -> None:
    assert [fault.key for fault in load_text(tmp_path, f"{text}\n{GOOD}").faults] == ["gateway.toml"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VALT_GATEWAY_VALT__PEOPLE", "[" * 100_000),
        ("VALT_GATEWAY_LIMITS__STREAMS", "9" * 5000),
        ("VALT_GATEWAY_BRANDING__NOTICE", "\udcff"),
        ("VALT_GATEWAY___STREAMS", "5"),
        ("VALT_GATEWAY_SERVER__", "5"),
    ],
)
def test_a_variable_that_cannot_be_read_is_a_fault_with_its_name(tmp_path: Path, name: str, value: str) -> None:
    assert [fault.key for fault in load_text(tmp_path, GOOD, {name: value}).faults] == [name]


@pytest.mark.parametrize("content", ["", "\n\n", " " * 40, "\t\n"])
def test_a_secret_of_white_space_is_none(tmp_path: Path, content: str) -> None:
    private(tmp_path / "secret", content)
    loaded = load_text(tmp_path, GOOD + '\n[session]\nsecret_file = "secret"\n')
    assert [fault.key for fault in loaded.faults] == ["session.secret_file"]


def test_a_secret_that_is_not_read_is_no_fault(tmp_path: Path) -> None:
    lock = HEADER.format('"10.0.0.5"') + 'secret_header = "X-Lock"\nsecret_file = "none"\n'
    private(tmp_path / "gateway.toml", f'{GOOD}{lock}\n[admin]\ntoken_file = "none"\n')
    loaded = load(tmp_path / "gateway.toml", {}, needed_secrets=())
    assert (loaded.faults, loaded.warnings) == ((), ())
