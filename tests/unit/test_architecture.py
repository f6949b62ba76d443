"""Rules of the source code that no linter has."""

import re
import tomllib

import pytest

from gateway.errors import GatewayError
from gateway.web.errors import STATUS
from tests.support.measures import ROOT, modules, relative

MAY_REVEAL_SECRETS = {
    "gateway/delivery/media_server.py",
    "gateway/delivery/redirect.py",
    "gateway/identity/header.py",
    "gateway/identity/oidc.py",
    "gateway/identity/access_token.py",
    "gateway/identity/service_key.py",
    "gateway/identity/session.py",
    "gateway/identity/ticket.py",
    "gateway/sealed.py",
    "gateway/settings/identity.py",
    "gateway/settings/secrets.py",
    "gateway/valt/client.py",
    "gateway/web/handlers/recordings.py",
    "gateway/app.py",
    "gateway/web/handlers/valt_api.py",
}
"""The modules that call ``Secret.reveal``. Review a new one before adding it."""


def subclasses(error: type[GatewayError]) -> set[type[GatewayError]]:
    return {error}.union(*(subclasses(child) for child in error.__subclasses__()))


def test_every_error_class_has_a_status() -> None:
    assert subclasses(GatewayError) == set(STATUS)


def test_every_error_code_has_a_text_in_every_language() -> None:
    for file in (ROOT / "gateway/web/pages/languages").glob("*.toml"):
        texts = tomllib.loads(file.read_text(encoding="utf-8"))["error"]
        assert {error.code for error in STATUS} <= set(texts), file.name


def test_certificates_are_always_verified() -> None:
    for path in modules("gateway"):
        text = path.read_text(encoding="utf-8")
        assert "CERT_NONE" not in text, path
        assert "ssl=False" not in text, path
        assert "check_hostname = False" not in text, path


def test_secrets_are_revealed_in_listed_modules_only() -> None:
    revealing = {relative(path) for path in modules("gateway") if ".reveal()" in path.read_text(encoding="utf-8")}
    assert revealing - MAY_REVEAL_SECRETS == set()


@pytest.mark.promise("findings-9")
def test_client_sessions_use_no_cookies_proxy_variables_or_redirects() -> None:
    backend = (ROOT / "gateway/valt_backend.py").read_text(encoding="utf-8")
    assert backend.count("aiohttp.ClientSession(") == 1
    assert "DummyCookieJar()" in backend
    assert "trust_env=False" in backend
    for path in modules("gateway"):
        text = path.read_text(encoding="utf-8")
        requests = len(re.findall(r"session\.(?:get|post|request)\(", text))
        assert text.count("allow_redirects=False") >= requests, path
