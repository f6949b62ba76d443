"""Promises made executable: what stands in the README, and rules of the house that no linter knows."""

import re
import tomllib
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.web.errors import STATUS
from tests.support import promises, tables

ROOT = Path(__file__).parents[1]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def every(error: type[GatewayError]) -> set[type[GatewayError]]:
    return {error}.union(*(every(child) for child in error.__subclasses__()))


def test_every_promise_is_held_by_a_test() -> None:
    markers = re.findall(r"@pytest\.mark\.promise\(([^)]*)\)", "".join(map(read, (ROOT / "tests").rglob("test_*.py"))))
    held = {promise for marker in markers for promise in re.findall(r'"([^"]+)"', marker)}
    assert set(promises.catalogue()) - held == set()


def test_every_error_has_a_status() -> None:
    assert every(GatewayError) == set(STATUS)


def test_every_error_has_words_in_every_language() -> None:
    for file in (ROOT / "gateway/web/pages/languages").glob("*.toml"):
        told = tomllib.loads(file.read_text(encoding="utf-8"))["error"]
        assert {error.code for error in STATUS} <= set(told), file.name


def test_the_readmes_tables_are_the_codes() -> None:
    readme = tables.README.read_text(encoding="utf-8")
    assert readme == tables.filled(readme), "run: .venv/bin/python -m tests.support.tables"


def test_the_readme_names_files_that_are_there() -> None:
    readme = tables.README.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(((?!https?://|#)[^)]+)\)", readme)
    assert linked
    assert [path for path in linked if not (ROOT / path).exists()] == []


def test_certificates_are_always_verified() -> None:
    for path in (ROOT / "gateway").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "CERT_NONE" not in text, path
        assert "ssl=False" not in text, path
        assert "check_hostname = False" not in text, path


def test_secrets_leave_at_a_few_places_alone() -> None:
    """``reveal`` is how a secret leaves; a new place has to be looked at and added here."""
    places = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gateway").rglob("*.py")
        if ".reveal()" in path.read_text(encoding="utf-8")
    }
    assert places <= {
        "gateway/delivery/media_server.py",
        "gateway/delivery/redirect.py",
        "gateway/identity/header.py",
        "gateway/identity/oidc.py",
        "gateway/identity/access_token.py",
        "gateway/identity/service_key.py",
        "gateway/identity/session.py",
        "gateway/identity/ticket.py",
        "gateway/sealed.py",
        "gateway/settings/checks.py",
        "gateway/settings/model.py",
        "gateway/settings/secrets.py",
        "gateway/valt/client.py",
        "gateway/web/handlers/recordings.py",
        "gateway/app.py",
        "gateway/web/handlers/valt_api.py",
    }


@pytest.mark.promise("findings-9")
def test_no_door_stands_open_for_cookies_environment_or_redirects() -> None:
    """Every client session keeps no cookies, reads no proxy from the environment, and follows no redirect."""
    room = (ROOT / "gateway/valt_backend.py").read_text(encoding="utf-8")
    assert room.count("aiohttp.ClientSession(") == 1
    assert "DummyCookieJar()" in room
    assert "trust_env=False" in room
    for path in (ROOT / "gateway").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        asks = len(re.findall(r"session\.(?:get|post|request)\(", text))
        assert text.count("allow_redirects=False") >= asks, path


def test_modules_are_small_enough_to_read() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in (ROOT / "gateway").rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert long == {}
