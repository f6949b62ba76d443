"""A configuration with every table, in which the value of any one key can be replaced, and the list of its keys."""

from collections.abc import Iterator
from typing import Any

from gateway.settings.schema import json_schema
from tests.unit.settings.broken import PUBLIC_KEY

SCHEMA = json_schema()
SECRET = '"planted-session-secret-of-more-than-32-bytes"'
TABLES: dict[str, tuple[str, list[str]]] = {
    "server": ("ServerSettings", ['public_url = "https://recordings.example.edu"']),
    "admin": ("AdminSettings", []),
    "valt": ("ValtSettings", ['base_url = "https://valt.example.edu"']),
    "valt.accounts.reviewer": ("AccountSettings", ['username = "svc"', 'password = "planted-password"']),
    "links": ("LinksSettings", []),
    "streams": ("StreamsSettings", []),
    "limits": ("LimitsSettings", []),
    "session": ("SessionSettings", [f"secret = {SECRET}"]),
    "state": ("StateSettings", ['dir = "state"']),
    "recordings": ("RecordingsSettings", []),
    "branding": ("BrandingSettings", []),
    "audit": ("AuditSettings", []),
    "tracing": ("TracingSettings", []),
    "log": ("LogSettings", []),
    "[grants]": (
        "GrantSettings",
        ['name = "rule"', 'groups = ["staff"]', 'recordings = ["*"]', 'account = "reviewer"'],
    ),
    "[examples]": ("ExampleSettings", ['subject = "anna"', 'recording = "1"', "allowed = false"]),
    "[service_keys]": ("ServiceKeySettings", ['name = "key"', 'groups = ["staff"]', f'secret_sha256 = "{"ab" * 32}"']),
    "[identity] jwt": (
        "JwtSettings",
        [
            'type = "jwt"',
            'name = "jwt"',
            'issuer = "https://sso.example.edu"',
            'audience = "gateway"',
            'jwks_url = "https://keys.example.edu"',
            'proxy_url = "http://proxy.example.edu:3128"',
        ],
    ),
    "[identity] header": ("HeaderSettings", ['type = "header"', 'name = "front"', 'from = ["10.0.0.5/32"]']),
    "[identity] ticket": (
        "TicketSettings",
        ['type = "ticket"', 'name = "portal"', 'issuer = "https://portal.example.edu"', PUBLIC_KEY.strip()],
    ),
    "[identity] oidc": (
        "OidcSettings",
        [
            'type = "oidc"',
            'name = "login"',
            'issuer = "https://login.example.edu"',
            'client_id = "gateway"',
            'client_secret = "planted-client-secret"',
            'discovery_url = "https://keys.example.edu/.well-known/openid-configuration"',
            'proxy_url = "http://proxy.example.edu:3128"',
        ],
    ),
    "[identity] negotiate": (
        "NegotiateSettings",
        [
            'type = "negotiate"',
            'name = "domain"',
            'keytab_file = "http.keytab"',
            'service = "HTTP@recordings.example.edu"',
            'realms = ["EXAMPLE.EDU"]',
        ],
    ),
}
"""The model of each table, and the lines that it needs."""


def keys_of(table: str) -> list[str]:
    """Returns the keys of *table*, each secret also with its spellings for files and variables."""
    return list(SCHEMA["$defs"][TABLES[table][0]]["properties"])


def types_of(table: str, key: str) -> set[str]:
    """Returns the types of JSON that the schema allows for *key* of *table*."""
    return set(_types(SCHEMA["$defs"][TABLES[table][0]]["properties"][key]))


def _types(node: Any) -> Iterator[str]:
    if "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    for one in node.get("anyOf", ()):
        yield from _types(one)
    if "type" in node:
        yield "date" if node.get("format") == "date" else node["type"]
    if "const" in node or "enum" in node:
        yield "string"


def with_value(table: str, key: str, value: str) -> str:
    """Returns the configuration in which *key* of *table* has *value*, and the secret no other spelling."""
    secret = key.removesuffix("_file").removesuffix("_env").replace("secrets", "secret")
    names = {key, secret, f"{secret}_file", f"{secret}_env", f"{secret}s_file"}
    plain = [name for name in TABLES if not name.startswith("[")]
    lines = []
    for name in [*plain, *(name for name in TABLES if name.startswith("["))]:
        own = TABLES[name][1]
        if name == table:
            own = [line for line in own if line.partition(" = ")[0] not in names] + [f"{key} = {value}"]
        lines += [f"[{name.partition(' ')[0]}]", *own]
    return "\n".join(lines) + "\n"
