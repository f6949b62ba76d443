"""The modules of Apache that sign people in, each with its file in deploy/, its file in config/ and a provider."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from tests.support import header_groups
from tests.support.apache import apache
from tests.support.fronts import DEPLOY, HOST, find_program
from tests.support.openid import openid_provider
from tests.support.person import Person
from tests.support.programs import run
from tests.support.saml import MEMBER, PRINCIPAL, saml_provider
from tests.support.shibboleth import write_shibboleth

Configure = Callable[[str, str], Callable[[Path, int], list[str]]]
"""Of a backend's URL and the front's secret: the writer of Apache's configuration for a folder and a port."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A running provider, and what else the module needs. *saml* is the SAML provider's URL."""

    configure: Configure
    saml: str = ""

    async def sign_in(self, person: Person, path: str, name: str, *groups: str) -> int:
        """Signs *person* in as *name* on the way to *path*, and returns the status there."""
        if not self.saml:
            return await person.sign_in(path, login=json.dumps({"name": name, "groups": groups}), password="any")
        person.become(self.saml, {PRINCIPAL: f"{name}@example.edu", MEMBER: groups})
        return await person.sign_in(path)


@dataclass(frozen=True, slots=True)
class Module:
    """*configuration* is the gateway's file in config/, which grants *group*. *run* runs the provider with a folder and
    a port. *sign_out* is the address that ends the module's session. *domain* follows a person's name in the subject.
    *groups* and *refused* are rows of header_groups."""

    configuration: str
    run: Callable[[Path, int], AbstractAsyncContextManager[SignIn]]
    sign_out: str
    domain: str
    group: str
    groups: list[tuple[list[str], str, set[str]]]
    refused: tuple[list[str], ...] = ()

    def subject(self, name: str) -> str:
        """Returns the subject of who signs in as *name*."""
        return name + self.domain


def _configure(source: str, modules: tuple[str, ...], replacements: dict[str, str], directives: str = "") -> Configure:
    return lambda backend, secret: (
        lambda folder, port: apache(
            *(folder, port, backend),
            source=source,
            modules=modules,
            replacements=replacements,
            secret=secret,
            directives=directives,
        )
    )


_MELLON_FILES: dict[str, bytes] = {}
"""The service provider's key, certificate and metadata, once for all tests: generating the key takes two seconds."""


@asynccontextmanager
async def mellon(folder: Path, port: int) -> AsyncIterator[SignIn]:
    """Runs the SAML provider on *port* for mod_auth_mellon."""
    async with saml_provider(folder, port) as provider:
        entity = f"https://{HOST}/mellon"
        if not _MELLON_FILES:
            with TemporaryDirectory() as written:
                command = 'cd "$1" && mellon_create_metadata "$2/metadata" "$2"'
                ran = await run("sh", "-c", command, "sh", written, entity)
                assert ran.code == 0, ran.err.decode()
                _MELLON_FILES.update({path.name: path.read_bytes() for path in Path(written).iterdir()})
        for name, content in _MELLON_FILES.items():
            (folder / name).write_bytes(content)
        replacements = {"/etc/apache2/mellon/": f"{folder}/"}
        lock = f"MellonLockFile {folder}/mellon.lock"
        yield SignIn(_configure("apache-mellon.conf", ("auth_mellon",), replacements, lock), provider.url)


@asynccontextmanager
async def openidc(_folder: Path, port: int) -> AsyncIterator[SignIn]:
    """Runs the OpenID provider on *port* for mod_auth_openidc."""
    async with openid_provider(port, f"https://{HOST}", callback="/oidc/callback"):
        secrets = 'OIDCClientSecret "planted-client-secret"\n    OIDCCryptoPassphrase "planted-passphrase"'
        replacements = {
            "https://sso.example.edu/": f"http://localhost:{port}/",
            "Include                 /etc/apache2/openidc-secrets.conf": secrets,
        }
        yield SignIn(_configure("apache-openidc.conf", ("auth_openidc",), replacements))


@asynccontextmanager
async def shibboleth(folder: Path, port: int) -> AsyncIterator[SignIn]:
    """Runs the SAML provider on *port*, and shibd for mod_shib."""
    async with saml_provider(folder, port) as provider:
        config = write_shibboleth(folder, provider, (DEPLOY / "apache-shib.conf").read_text())
        with (folder / "shibd.out").open("wb") as output:
            daemon = await asyncio.create_subprocess_exec(
                *(find_program("shibd"), "-F", "-f", "-c", str(config), "-p", str(folder / "shibd.pid")),
                stdout=output,
                stderr=output,
            )
        try:
            async with asyncio.timeout(20):
                while not (folder / "shibd.sock").exists():
                    assert daemon.returncode is None, (folder / "shibd.out").read_text()
                    await asyncio.sleep(0.02)
            yield SignIn(_configure("apache-shib.conf", ("shib",), {}, f"ShibConfig {config}"), provider.url)
        finally:
            if daemon.returncode is None:
                daemon.terminate()
            await daemon.wait()


_HERE = f"https://{HOST}/oauth2/userinfo"
_SUPERVISORS = "urn:mace:example.edu:supervisors"

MODULES: dict[str, Module] = {
    "shibboleth": Module(
        configuration="behind-shibboleth.toml",
        run=shibboleth,
        sign_out=f"/Shibboleth.sso/Logout?return={_HERE}",
        domain="@example.edu",
        group=_SUPERVISORS,
        groups=header_groups.MOD_SHIB,
    ),
    "mellon": Module(
        configuration="behind-mellon.toml",
        run=mellon,
        sign_out=f"/mellon/invalidate?ReturnTo={_HERE}",
        domain="@example.edu",
        group=_SUPERVISORS,
        groups=header_groups.JOINED,
        refused=header_groups.REFUSED,
    ),
    "openidc": Module(
        configuration="behind-openidc.toml",
        run=openidc,
        sign_out=f"/oidc/callback?logout={quote(_HERE, safe='')}",
        domain="",
        group="supervisors",
        groups=header_groups.JOINED,
        refused=header_groups.REFUSED,
    ),
}
