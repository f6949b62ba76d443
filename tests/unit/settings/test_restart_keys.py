"""The keys that need a restart: there is one list of them, and a reload keeps their values, in workers too."""

import json
from pathlib import Path

import pytest

from gateway.settings.model import Settings
from gateway.settings.restart_keys import (
    RESTART_KEYS,
    TLS_KEYS,
    decode_values,
    encode_values,
    keys_needing_restart,
    restart_values,
    with_restart_values,
)
from gateway.settings.worker_shares import share_of_worker
from tests.unit.settings.configurations import GOOD, load_text, private, write_certificate

pytestmark = pytest.mark.promise("restart-2")

CHAIN_KEY = "planted-0a1b2c3d4e5f6g7h8i9j0k-planted"
TABLES = {
    "server": {"listen": '"127.0.0.1:8443"', "socket_mode": '"0600"', "workers": "2"},
    "admin": {"listen": '"127.0.0.1:9000"'},
    "state": {"url": '"redis://127.0.0.1"', "prefix": '"other:"', "secret": '"planted-fedcba9876543210-planted-state"'},
    "audit": {"file": '"audit.jsonl"', "chain_key_file": '"chain"', "fsync": '"always"', "chain_head_log": '"2h"'},
    "tracing": {"otlp_endpoint": '"http://127.0.0.1:4318"', "sample_ratio": "0.5"},
    "log": {"format": '"console"', "level": '"debug"'},
}
TLS = {"tls_cert_file": '"cert.pem"', "tls_key_file": '"key.pem"'}
DIRECTORY = '[state]\ndir = "state"\n'


def settings_of(folder: Path, text: str) -> Settings:
    private(folder / "chain", CHAIN_KEY)
    loaded = load_text(folder, text)
    assert loaded.settings is not None, loaded.faults
    return loaded.settings


def other_values(**more: dict[str, str]) -> str:
    """Returns the text of a configuration with another value of every key that needs a restart, but state.dir."""
    tables = {name: {**keys, **more.get(name, {})} for name, keys in TABLES.items()}
    written = {name: "".join(f"{key} = {value}\n" for key, value in keys.items()) for name, keys in tables.items()}
    text = GOOD.replace("[server]\n", f"[server]\n{written.pop('server')}", 1)
    return text + "".join(f"[{name}]\n{keys}" for name, keys in written.items())


def test_the_list_has_every_key_of_state_audit_traces_and_log(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, GOOD)
    for name in ("state", "audit", "tracing", "log"):
        keys = {key.partition(".")[2] for key in RESTART_KEYS if key.startswith(f"{name}.")}
        assert keys == set(type(getattr(settings, name)).model_fields)


@pytest.mark.parametrize("is_worker", [False, True])
def test_a_reload_keeps_the_value_in_force_of_every_key_that_needs_a_restart(tmp_path: Path, is_worker: bool) -> None:
    running, new = settings_of(tmp_path, GOOD + DIRECTORY), settings_of(tmp_path, other_values())
    values = restart_values(running)
    if is_worker:
        values = decode_values(json.loads(json.dumps(encode_values(values))))
    assert keys_needing_restart(values, new) == list(RESTART_KEYS)
    effective = with_restart_values(new, values)
    assert restart_values(effective) == restart_values(running)
    assert keys_needing_restart(values, effective) == []
    shares = [share_of_worker(one, 1, 2, tmp_path / "private") for one in (running, effective)]
    for table in ("state", "audit", "tracing", "log"):
        assert getattr(shares[0], table) == getattr(shares[1], table)


def test_values_and_secrets_arrive_in_a_worker_as_they_are(tmp_path: Path) -> None:
    values = restart_values(settings_of(tmp_path, other_values(server=TLS)))
    assert decode_values(json.loads(json.dumps(encode_values(values)))) == values


def test_a_reload_keeps_tls_on_or_off_and_takes_another_certificate(tmp_path: Path) -> None:
    write_certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    write_certificate(tmp_path / "cert2.pem", tmp_path / "key2.pem")
    plain = settings_of(tmp_path, GOOD)
    secure = settings_of(
        tmp_path, GOOD.replace("[server]\n", '[server]\ntls_cert_file = "cert.pem"\ntls_key_file = "key.pem"\n')
    )
    renewed = settings_of(
        tmp_path, GOOD.replace("[server]\n", '[server]\ntls_cert_file = "cert2.pem"\ntls_key_file = "key2.pem"\n')
    )
    for running, new, expected in ((plain, secure, plain), (secure, plain, secure), (secure, renewed, renewed)):
        values = restart_values(running)
        assert with_restart_values(new, values).server == expected.server
        assert keys_needing_restart(values, new) == ([] if expected is new else [TLS_KEYS[0]])


def test_a_value_that_an_older_supervisor_does_not_send_is_that_of_the_file(tmp_path: Path) -> None:
    new = settings_of(tmp_path, other_values(server=TLS))
    assert with_restart_values(new, {}) == new
    assert keys_needing_restart({}, new) == []
