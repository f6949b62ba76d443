"""A gateway whose people come with Kerberos tickets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.gateway_fixture import GRANTS, GatewayStack, running_stack
from tests.support.kerberos import Realm, running_realm

IDENTITY = """\
[[identity]]
type = "negotiate"
name = "domain"
keytab_file = "{keytab}"
service = "HTTP@localhost"
realms = ["EXAMPLE.EDU"]
"""
_GRANT = """\
[[grants]]
name = "people"
subjects = ["anna", "ben@PARTNER.EDU"]
recordings = ["*"]
account = "reviewer"

"""


@asynccontextmanager
async def realm_of_browsers(folder: Path) -> AsyncIterator[Realm]:
    """Runs a realm where anna is signed in, with the service's key in ``http.keytab``."""
    async with running_realm(folder) as running:
        await running.add_people("anna")
        await running.keytab("http.keytab", "HTTP/localhost")
        await running.sign_in("anna")
        yield running


def use(realm: Realm, monkeypatch: pytest.MonkeyPatch, person: str = "") -> None:
    """Makes this process and its programs use *realm*, and the tickets of *person*."""
    environment = realm.with_tickets_of(person) if person else realm.environment
    for name in ("KRB5_CONFIG", "KRB5RCACHENAME", "KRB5CCNAME"):
        monkeypatch.setenv(name, environment[name])


@asynccontextmanager
async def gateway_of(
    folder: Path, keytab: Path, *, more: str = "", grants: str = _GRANT
) -> AsyncIterator[GatewayStack]:
    """Runs a gateway that accepts tickets of the keytab's service. *more* is appended to its configuration, and
    *grants* come before the usual rules."""
    folder.mkdir(exist_ok=True)
    async with running_stack(folder, grants=grants + GRANTS, more=IDENTITY.format(keytab=keytab) + more) as stack:
        yield stack


def by_name(stack: GatewayStack, path: str) -> str:
    """Returns the URL of *path* by the name that the service has."""
    return stack.url.replace("127.0.0.1", "localhost") + path
