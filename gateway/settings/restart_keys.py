"""The keys that need a restart: a reload changes nothing of what the gateway has opened with their values.

How it works: the settings that a reload applies are those of the new file with these values of the settings in force,
in one process and in workers that are started anew. So no part of the gateway has the new value before the restart.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.model import Secret
from gateway.settings.model import Settings

RESTART_KEYS = (
    "server.listen",
    "server.socket_mode",
    "server.workers",
    "admin.listen",
    "state.dir",
    "state.url",
    "state.prefix",
    "state.secret",
    "audit.file",
    "audit.chain_key_file",
    "audit.fsync",
    "audit.chain_head_log",
    "tracing.otlp_endpoint",
    "tracing.sample_ratio",
    "log.format",
    "log.level",
)
TLS_KEYS = ("server.tls_cert_file", "server.tls_key_file")
"""A reload reads the files again. Whether there are any needs a restart."""


def restart_values(settings: Settings) -> dict[str, Any]:
    """Returns the values of the keys that need a restart, and of `TLS_KEYS`."""
    return {key: _value(settings, key) for key in (*RESTART_KEYS, *TLS_KEYS)}


def with_restart_values(new: Settings, values: Mapping[str, Any]) -> Settings:
    """Returns *new* with *values*, the `restart_values` of the settings in force. One that they lack, because a
    supervisor of an earlier version has sent them, is that of *new*."""
    tables: dict[str, dict[str, Any]] = {}
    for key in (*RESTART_KEYS, *(TLS_KEYS if _switches_tls(values, new) else ())):
        if key in values:
            table, _, name = key.partition(".")
            tables.setdefault(table, {})[name] = values[key]
    return new.model_copy(
        update={name: getattr(new, name).model_copy(update=update) for name, update in tables.items()}
    )


def keys_needing_restart(values: Mapping[str, Any], new: Settings) -> list[str]:
    """Returns the keys of which *new* has another value than *values*, and that a reload does not change."""
    keys = [key for key in RESTART_KEYS if key in values and values[key] != _value(new, key)]
    return [*keys, *(TLS_KEYS[:1] if _switches_tls(values, new) else ())]


def encode_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns *values* as JSON has them, with the secrets: for the connection to a worker, and for nothing else."""
    return {key: _encode(value) for key, value in values.items()}


def decode_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values that `encode_values` has returned as *values*."""
    return {key: _decode(value) for key, value in values.items()}


def _value(settings: Settings, key: str) -> Any:
    table, _, name = key.partition(".")
    return getattr(getattr(settings, table), name)


def _switches_tls(values: Mapping[str, Any], new: Settings) -> bool:
    key = TLS_KEYS[0]
    return key in values and (values[key] is None) != (_value(new, key) is None)


def _encode(value: Any) -> Any:
    if isinstance(value, Path):
        return {"path": str(value)}
    return {"secret": value.reveal()} if isinstance(value, Secret) else value


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return Path(value["path"]) if "path" in value else Secret(value["secret"])
