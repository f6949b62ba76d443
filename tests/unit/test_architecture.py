"""Rules of the source code that no linter has."""

import ast
import importlib
import inspect
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

import gateway
from gateway.errors import GatewayError
from gateway.web.errors import STATUS
from gateway.web.http_server import HttpConnection, HttpServer
from tests.support import measures
from tests.support.measures import ROOT, modules, private_names_of_others, relative, syntax_tree

PUBLIC_MODULES_OF_AIOHTTP = {"aiohttp", "aiohttp.web", "aiohttp.http", "aiohttp.http_exceptions", "aiohttp.hdrs"}
"""Every other module is an internal one, whose names may change with any release."""

MAY_REVEAL_SECRETS = {
    "gateway/cli/admin_client.py",
    "gateway/delivery/media_server.py",
    "gateway/doctor/admin.py",
    "gateway/doctor/links.py",
    "gateway/doctor/media.py",
    "gateway/identity/header.py",
    "gateway/identity/token_endpoint.py",
    "gateway/identity/access_token.py",
    "gateway/identity/service_key.py",
    "gateway/identity/session.py",
    "gateway/identity/session_cookie.py",
    "gateway/identity/ticket.py",
    "gateway/redis_url.py",
    "gateway/sealed.py",
    "gateway/settings/identity.py",
    "gateway/settings/warnings/secrets.py",
    "gateway/settings/secret_texts.py",
    "gateway/settings/secrets.py",
    "gateway/store/redis_client.py",
    "gateway/valt/client.py",
    "gateway/valt/links.py",
    "gateway/valt/tokens.py",
    "gateway/web/handlers/admin.py",
    "gateway/web/handlers/recordings.py",
    "gateway/app.py",
    "gateway/web/handlers/valt_api.py",
    "gateway/settings/restart_keys.py",
}
"""The modules that call ``Secret.reveal``. Review a new one before adding it."""


def findings(measure: Callable[[Path], list[tuple[int, str]]], paths: list[Path]) -> list[str]:
    """Returns what *measure* lists for each of *paths*, one text each: file, line and name."""
    return [f"{relative(path)}:{line}: {name}" for path in paths for line, name in measure(path)]


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


def test_secrets_are_compared_in_constant_time() -> None:
    """``==`` takes the longer, the more leading characters are right; hmac.compare_digest does not. In the settings the
    operator's own secrets are compared with each other."""
    for path in set(modules("gateway")) - set(modules("gateway/settings")):
        for node in ast.walk(syntax_tree(path)):
            if isinstance(node, ast.Compare):
                compared = [ast.unparse(part) for part in (node.left, *node.comparators)]
                assert not any(".reveal()" in part or "secret_sha256" in part for part in compared), (path, node.lineno)


def test_no_assertion_is_needed_at_run_time() -> None:
    """``python -O`` removes assertions; here there are none that it could remove."""
    for path in modules("gateway"):
        lines = [node.lineno for node in ast.walk(syntax_tree(path)) if isinstance(node, ast.Assert)]
        assert not lines, (path, lines)


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


def aiohttp_imports() -> Iterator[tuple[str, str]]:
    """Yields file and full name of everything that the gateway imports from aiohttp."""
    for path in modules("gateway"):
        for node in ast.walk(syntax_tree(path)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            yield from ((relative(path), name) for name in names if name.split(".")[0] == "aiohttp")


def our_classes() -> Iterator[type]:
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if module.name != "gateway.__main__":
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and value.__module__ == module.name:
                    yield value


def private_attributes_of_self(cls: type) -> set[str]:
    """Returns the private attributes of ``self`` in the source of *cls*, and its slots; none if it has no source."""
    try:
        tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(cls)))
    except (OSError, TypeError):
        return set()
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    slots = cls.__dict__.get("__slots__", ())
    return {name for name in attributes | set(slots) if name.startswith("_") and not name.startswith("__")}


def test_no_private_name_of_a_dependency_is_used() -> None:
    assert findings(private_names_of_others, modules("gateway", "tests")) == []


def test_only_public_modules_of_aiohttp_are_imported() -> None:
    imports = list(aiohttp_imports())
    assert imports
    for file, name in imports:
        module, _, last = name.rpartition(".")
        is_public = name in PUBLIC_MODULES_OF_AIOHTTP or module in PUBLIC_MODULES_OF_AIOHTTP - {"aiohttp"}
        assert is_public or (module == "aiohttp" and last in aiohttp.__all__), f"{file} imports {name}"


def test_subclasses_of_library_classes_share_no_private_attribute_with_them() -> None:
    """``self._loop`` in a subclass of ``web.Server`` would be the library's, whoever else has one of that name."""
    checked = set()
    for cls in our_classes():
        for base in cls.__mro__[1:]:
            if base.__module__.split(".")[0] not in ("gateway", "builtins", "typing", "abc", "enum"):
                shared = private_attributes_of_self(cls) & private_attributes_of_self(base)
                assert not shared, f"{cls.__qualname__} and {base.__module__}.{base.__qualname__} share {shared}"
                checked.add(cls)
    assert {HttpServer, HttpConnection} <= checked


def test_the_connection_overrides_handle_error_and_nothing_else_of_aiohttps() -> None:
    overridden = vars(HttpConnection).keys() & set(dir(web.RequestHandler))
    assert {name for name in overridden if not name.startswith("__")} == {"handle_error"}
    overridden = vars(HttpServer).keys() & set(dir(web.Server))
    assert {name for name in overridden if not name.startswith("__")} == set()


def test_no_module_is_longer_than_250_lines() -> None:
    assert {relative(path): count for path in modules("gateway") if (count := measures.length(path)) > 250} == {}


def test_the_web_package_has_at_most_14_modules_of_its_own() -> None:
    assert len(list((ROOT / "gateway/web").glob("*.py"))) <= 14


def test_every_package_file_holds_one_docstring() -> None:
    packages = [path for path in modules("gateway", "tests") if path.name == "__init__.py"]
    assert [relative(path) for path in packages if not measures.is_one_docstring(path)] == []


def test_no_test_reads_a_private_attribute() -> None:
    assert findings(measures.private_attribute_reads, modules("tests")) == []


def test_at_most_eight_protocols_are_defined_outside_ports() -> None:
    others = [path for path in modules("gateway") if relative(path) != "gateway/ports.py"]
    assert len(lines := findings(measures.protocols, others)) <= 8, lines


def test_at_most_six_modules_write_the_request_record() -> None:
    others = [path for path in modules("gateway") if relative(path) != "gateway/request_record.py"]
    assert len(writers := {relative(path) for path in others if measures.record_writes(path)}) <= 6, writers


def test_identifiers_contain_no_banned_word() -> None:
    assert findings(measures.banned_identifiers, modules("gateway", "tests")) == []


def test_test_names_have_fewer_than_80_characters() -> None:
    assert findings(measures.long_test_names, modules("tests")) == []
