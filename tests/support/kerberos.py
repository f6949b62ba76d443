"""A Kerberos realm for one test: MIT's own KDC, unprivileged, in a temporary folder, on a free port of loopback."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import gssapi

from tests.support.free_ports import free_port
from tests.support.programs import program, wait_until_listening

REALM = "EXAMPLE.EDU"
SERVICE = "HTTP/localhost"
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
_ADMIN_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

_KRB5_CONF = """\
[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
clockskew = {clock_skew}

[realms]
{realms}
[domain_realm]
localhost = {localhost}
"""
_KDC_CONF = """\
[kdcdefaults]
kdc_listen = 127.0.0.1:{port}
kdc_tcp_listen = 127.0.0.1:{port}

[realms]
{realm} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
    max_life = 10h
}}

[logging]
default = FILE:{folder}/kdc.log
kdc = FILE:{folder}/kdc.log
"""


@dataclass(frozen=True, slots=True)
class Realm:
    """A running KDC. *folder* holds its database, configuration and keytabs."""

    folder: Path
    name: str
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which Kerberos programs use this realm. It has no tickets."""
        return os.environ | {
            "PATH": _ADMIN_PATH,
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5RCACHENAME": f"dfl:{self.folder}",
            "KRB5CCNAME": f"FILE:{self.folder / 'nobody'}",
        }

    def with_tickets_of(self, person: str) -> dict[str, str]:
        """Returns the environment of *person*, who has called `sign_in`."""
        return self.environment | {"KRB5CCNAME": f"FILE:{self.folder / person.replace('/', '_')}"}

    async def administer(self, *queries: str) -> None:
        """Runs queries of kadmin.local. Raises AssertionError if one fails."""
        for query in queries:
            out = await _run(self.environment, "kadmin.local", "-r", self.name, "-q", query)
            assert "kadmin.local:" not in out.replace("Authenticating as", ""), out

    async def add_people(self, *people: str) -> None:
        await self.administer(*(f"addprinc -pw {password(person)} {person}" for person in people))

    async def keytab(self, name: str, *principals: str) -> Path:
        """Returns a new keytab file *name* with new keys of *principals*, which are added."""
        path = self.folder / name
        for principal in principals:
            await self.administer(f"addprinc -randkey {principal}", f"ktadd -k {path} {principal}")
        return path

    def initiate(self, person: str, service: str = SERVICE, *, spnego: bool = True) -> gssapi.SecurityContext:
        """Returns the context of a client with the tickets of *person*, who has called `sign_in`, for *service*. Its
        first `step` returns a token. KRB5_CONFIG must name this realm's file."""
        principal = service if "@" in service else f"{service}@{self.name}"
        caches: dict[bytes | str, bytes | str] = {"ccache": self.with_tickets_of(person)["KRB5CCNAME"]}
        return gssapi.SecurityContext(
            name=gssapi.Name(principal, gssapi.NameType.kerberos_principal),
            usage="initiate",
            mech=SPNEGO if spnego else gssapi.MechType.kerberos,
            creds=gssapi.Credentials(usage="initiate", store=caches),
            flags=gssapi.RequirementFlag.mutual_authentication,
        )

    def token(self, person: str, service: str = SERVICE, *, spnego: bool = True) -> bytes:
        """Returns a new token of *person*, as `initiate` makes it."""
        return self.initiate(person, service, spnego=spnego).step() or b""

    async def sign_in(self, person: str, lifetime: str = "8h") -> dict[str, str]:
        """Gets a ticket-granting ticket for *person*. Returns the environment of programs that use it."""
        environment = self.with_tickets_of(person)
        await _run(environment, "kinit", "-l", lifetime, person, stdin=password(person))
        return environment


def negotiate(token: bytes) -> dict[str, str]:
    """Returns the Authorization header of a *token*."""
    return {"Authorization": f"Negotiate {base64.b64encode(token).decode()}"}


def password(person: str) -> str:
    return f"planted-{person.replace('/', '-')}"


@asynccontextmanager
async def running_realm(
    folder: Path, name: str = REALM, *, clock_skew: int = 300, others: tuple[Realm, ...] = ()
) -> AsyncIterator[Realm]:
    """Runs the KDC of a realm. *clock_skew*: seconds that clocks may differ. *others*: realms that its
    programs know too."""
    folder.mkdir(exist_ok=True)
    with free_port() as port:
        realm = Realm(folder, name, port)
        ports = {name: port} | {other.name: other.port for other in others}
        realms = "".join(f"{one} = {{\n    kdc = 127.0.0.1:{at}\n}}\n" for one, at in ports.items())
        (folder / "krb5.conf").write_text(
            _KRB5_CONF.format(realm=name, realms=realms, clock_skew=clock_skew, localhost=name)
        )
        (folder / "kdc.conf").write_text(_KDC_CONF.format(realm=name, folder=folder, port=port))
        await _run(realm.environment, "kdb5_util", "-r", name, "create", "-s", "-P", "planted-master")
        process = await asyncio.create_subprocess_exec(
            *(program("krb5kdc", _ADMIN_PATH), "-n", "-r", name, "-P", str(folder / "pid")),
            env=realm.environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(20):
                await wait_until_listening(port, process)
            yield realm
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _run(environment: dict[str, str], name: str, *arguments: str, stdin: str = "") -> str:
    """Returns what a program wrote. Raises AssertionError if it fails."""
    process = await asyncio.create_subprocess_exec(
        program(name, _ADMIN_PATH),
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(20):
        out, _ = await process.communicate(f"{stdin}\n".encode())
    assert process.returncode == 0, out.decode()
    return out.decode()
