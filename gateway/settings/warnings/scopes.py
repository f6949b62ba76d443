"""Warnings about the scopes that a sign-in requests: an issuer that does not know one of them shows an error instead of
its form, so that nobody can sign in."""

import json
import re
from collections.abc import Iterator

from gateway.settings.faults import Fault
from gateway.settings.identity import OidcSettings
from gateway.settings.model import Settings

_WITHOUT_SCOPE_GROUPS = re.compile(
    r"https://accounts\.google\.com/?|https://gitlab\.com/?"
    r"|https://(login\.microsoftonline\.(com|us)|login\.partner\.microsoftonline\.cn|[^/]+\.ciamlogin\.com)/.*",
    re.IGNORECASE,
)
"""Google and GitLab answer with invalid_scope, Entra with AADSTS650053. Keycloak does so too, unless the realm has a
client scope of that name; others ignore what they do not know (OpenID Connect Core 1.0, section 3.1.2.1)."""
_STANDARD = frozenset({"openid", "profile", "email", "address", "phone", "offline_access", "groups"})
_SEPARATOR = re.compile(r"[,;|+]|%20")


def scope_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    for number, provider in enumerate(settings.identity):
        if not isinstance(provider, OidcSettings):
            continue
        key, others = f"identity.{number}.scopes", [one for one in provider.scopes if one != "groups"]
        if "groups" in provider.scopes and _WITHOUT_SCOPE_GROUPS.fullmatch(provider.issuer):
            default = "" if "scopes" in provider.model_fields_set else " by default"
            reason = f'has "groups"{default}, which this issuer refuses: nobody can sign in'
            yield Fault(key, None, reason, f"write scopes = {json.dumps(others)}")
        if any(_is_list(one) for one in provider.scopes):
            reason = "has several scopes in one text, which no issuer knows"
            yield Fault(key, None, reason, 'write each in quotes of its own: ["openid", "profile", "email"]')
        if "offline_access" in provider.scopes:
            reason = "asks for a token with which the session could be renewed, and none is used"
            yield Fault(key, None, reason, "remove offline_access")


def _is_list(scope: str) -> bool:
    """Whether *scope* is written like several. One with a slash is a URL or a path, which may have these characters."""
    parts = _SEPARATOR.split(scope)
    return len(parts) > 1 and "/" not in scope and not _STANDARD.isdisjoint(parts)
