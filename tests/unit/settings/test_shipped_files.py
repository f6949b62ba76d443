"""The files of config/ are valid, the complete one has every key, and the JSON Schema agrees with the gateway."""

import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from gateway.cli.examples import try_examples
from gateway.settings.loading import load
from gateway.settings.schema import documented_keys, json_schema
from tests.unit.settings.configurations import CONFIG, GOOD, SHIPPED, with_secrets

NOT_IN_COMPLETE_FILE = {"video", "shared_users", "shared_groups", "secrets"}
"""Optional facts of an example, and the session's several secrets, which a comment describes."""

EACH = pytest.mark.parametrize("shipped", SHIPPED, ids=[path.stem for path in SHIPPED])


def as_json(text: str) -> Any:
    """Returns a TOML text as JSON: dates are strings."""
    return json.loads(json.dumps(tomllib.loads(text), default=str))


def test_there_is_a_file_for_each_situation() -> None:
    assert {path.stem for path in SHIPPED} == {
        "gateway",
        "behind-mellon",
        "behind-oauth2-proxy",
        "behind-openidc",
        "behind-shibboleth",
        "portal-tickets",
        "signed-tokens",
        "browser-sign-in",
        "forward-auth",
        "kerberos",
        "kubernetes",
        "compose",
    }


@EACH
def test_a_shipped_file_has_no_fault_and_its_examples_hold(tmp_path: Path, shipped: Path) -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    loaded = load(with_secrets(tmp_path, shipped), {}, try_examples=try_examples, check_files=True, now=now)

    assert loaded.faults == ()
    assert loaded.warnings == ()
    assert loaded.settings is not None
    assert loaded.settings.examples


@EACH
def test_the_schema_accepts_a_shipped_file(shipped: Path) -> None:
    jsonschema.validate(as_json(shipped.read_text()), json_schema())


def test_the_complete_file_shows_every_key() -> None:
    text = (CONFIG / "gateway.toml").read_text()

    absent = [
        f"{row.section} {row.key}"
        for row in documented_keys()
        if not re.search(rf"^(# )?{re.escape(row.key)}(_file)? = ", text, re.MULTILINE)
        and f"[{row.section.strip('[]')}.{row.key}]" not in text
        and row.key not in NOT_IN_COMPLETE_FILE
    ]

    assert absent == []


def test_a_value_marked_as_default_is_the_default() -> None:
    marked = re.compile(r"^(\w+) = (.+?)\s+# =(?: |$)(?!\S)", re.MULTILINE)
    defaults = {(row.key, row.default) for row in documented_keys()}

    values = marked.findall((CONFIG / "gateway.toml").read_text())

    assert len(values) > 40
    assert [f"{key} = {value}" for key, value in values if (key, value) not in defaults] == []


@pytest.mark.parametrize(
    "broken",
    [
        GOOD + "colour = 1\n",
        GOOD + "[limit]\nstreams = 5\n",
        GOOD.replace("[valt]\n", '[valt]\nread_timeout = "30"\n'),
        GOOD.replace("[valt]\n", "[valt]\nread_timeout = 30\n"),
        GOOD.replace('password = "planted-password"\n', ""),
        GOOD.replace('password = "planted-password"\n', 'password = "a"\npassword_file = "b"\n'),
        GOOD.replace('type = "jwt"', 'type = "saml"'),
        GOOD + '[session]\nidle = "1h"\n',
        GOOD + '[log]\nlevel = "verbose"\n',
    ],
)
def test_the_schema_refuses_what_the_gateway_refuses(broken: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_json(broken), json_schema())


@pytest.mark.parametrize("spelling", ["password", "password_file", "password_env"])
def test_the_schema_accepts_a_secret_by_value_file_or_variable(spelling: str) -> None:
    jsonschema.validate(as_json(GOOD.replace("password =", f"{spelling} =")), json_schema())


def test_the_schema_closes_every_table() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())

    open_tables = [
        name for name, table in json_schema()["$defs"].items() if table.get("additionalProperties") is not False
    ]

    assert open_tables == []


def test_every_key_is_described() -> None:
    assert [row for row in documented_keys() if row.key != "type" and not row.description] == []
