"""Checks of ``[[identity]]`` and ``[session]``: what each kind of provider needs, and whether a portal's key can verify
tickets."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from urllib.parse import urlsplit

from gateway.model import Secret
from gateway.settings.addresses import https_fault
from gateway.settings.claim_checks import claim_faults
from gateway.settings.faults import Fault
from gateway.settings.identity import (
    STATEFUL_TABLES,
    HeaderSettings,
    IdentitySettings,
    JwtSettings,
    NegotiateSettings,
    OidcSettings,
    TicketSettings,
)
from gateway.settings.keys import HMAC_BYTES, hmac_fault, key_fault, signing_key_fault
from gateway.settings.model import SessionSettings, Settings
from gateway.settings.networks import contains_everybody, is_wide
from gateway.settings.secret_texts import UNSENDABLE, is_sendable
from gateway.settings.shared_headers import header_faults, header_warnings
from gateway.settings.values import UNREAD
from gateway.settings.warnings.shadowed_providers import shadowed_providers

_LONG_SESSION = 30 * 86_400.0
RESERVED_NAMES = frozenset({"session", "service_key"})
"""Names of the built-in authenticators in metrics and audit."""
_CLIENT_AUTH_KEYS = {
    "client_secret_basic": "client_secret",
    "client_secret_post": "client_secret",
    "private_key_jwt": "private_key",
}


def identity_faults(settings: Settings) -> Iterator[Fault]:
    """Yields the faults of the providers, without lines."""
    if not settings.identity and not settings.service_keys:
        reason, needed = "is empty: nobody can prove who they are", ("identity", "service_keys")
        yield Fault("identity", None, reason, "add an [[identity]] table", needed)
    for number, provider in enumerate(settings.identity):
        key = f"identity.{number}"
        if isinstance(provider, TicketSettings | OidcSettings | NegotiateSettings) and settings.session is None:
            reason = f'needs a session: a provider of type "{provider.type}" starts one'
            yield Fault(f"{key}.type", None, reason, "add a [session] table with secret_file", ("session",))
        if isinstance(provider, JwtSettings | OidcSettings):
            yield from _remote_faults(key, provider)
        if isinstance(provider, JwtSettings | TicketSettings | OidcSettings):
            yield from claim_faults(key, provider)
        if isinstance(provider, TicketSettings):
            keys = tuple(f"{key}.{name}" for name in ("algorithms", "secret", "public_key", "public_key_files"))
            yield from (replace(fault, depends_on=keys) for fault in _ticket_faults(key, provider))
        elif isinstance(provider, OidcSettings):
            yield from _oidc_faults(key, provider)
        elif isinstance(provider, HeaderSettings):
            yield from _header_faults(key, provider)
        elif isinstance(provider, NegotiateSettings):
            yield from _negotiate_faults(key)
        if provider.name.lower() in RESERVED_NAMES:
            reason = "is the name that metrics and audit use for the gateway's own sessions or service keys"
            yield Fault(f"{key}.name", None, reason, "choose another")
    yield from header_faults(settings)
    session = settings.session
    if session is not None and "idle" in session.model_fields_set and session.idle > session.lifetime:
        reason = "is longer than lifetime, so that it has no effect"
        yield Fault("session.idle", None, reason, "shorten it", ("session.lifetime",))


def identity_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields what is allowed and risky about the providers and sessions, without lines."""
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, HeaderSettings) and not provider.secret_header:
            for place, network in enumerate(provider.from_):
                if is_wide(network):
                    reason = f"contains many addresses ({network}), each of which may name any person"
                    yield Fault(
                        f"identity.{number}.from.{place}", None, reason, "list single addresses, or use secret_header"
                    )
        if isinstance(provider, NegotiateSettings):
            yield from _negotiate_warnings(f"identity.{number}", provider, settings.server.public_url)
    yield from shadowed_providers(settings)
    yield from header_warnings(settings)
    if settings.session is not None:
        yield from _session_warnings(settings.session, settings.identity)


def _session_warnings(session: SessionSettings, providers: Sequence[IdentitySettings]) -> Iterator[Fault]:
    if not any(isinstance(one, STATEFUL_TABLES) for one in providers):
        for name in sorted(session.model_fields_set - {"secrets"}):
            reason = "has no effect: no provider signs people in, and the secret alone is used"
            yield Fault(f"session.{name}", None, reason, "remove it, or add the provider")
    if Secret(UNREAD) not in session.secrets and any(one == other for one, other in combinations(session.secrets, 2)):
        yield Fault("session.secrets", None, "has one secret twice", "make a new one, as the first line")
    if session.lifetime > _LONG_SESSION:
        reason = "is longer than 30d: a stolen cookie is valid for so long"
        yield Fault("session.lifetime", None, reason, "shorten it")


def _remote_faults(key: str, provider: JwtSettings | OidcSettings) -> Iterator[Fault]:
    elsewhere = provider.discovery_url or getattr(provider, "jwks_url", "")
    fault = None if elsewhere else https_fault(provider.issuer)
    if "/.well-known/" in provider.issuer:
        fault = (
            "contains /.well-known/, which no iss has and the gateway appends itself",
            "leave out what begins with it",
        )
    if fault is not None:
        yield Fault(f"{key}.issuer", None, *fault, (f"{key}.discovery_url", f"{key}.jwks_url"))


def _header_faults(key: str, provider: HeaderSettings) -> Iterator[Fault]:
    written = provider.model_fields_set
    if bool(provider.secret_header) != (provider.secret is not None):
        both = (f"{key}.secret_header", f"{key}.secret")
        yield Fault(both[0], None, "needs a secret, and the reverse", "give both or neither", both)
    if provider.secret is not None and not is_sendable(provider.secret):
        yield Fault(f"{key}.secret", None, *UNSENDABLE)
    if not provider.secret_header and contains_everybody(provider.from_):
        remedy = "list only the addresses of your own proxies, or use secret_header"
        reason = "contains every address, so that anybody may name any person"
        yield Fault(f"{key}.from", None, reason, remedy, (f"{key}.secret_header",))
    for key_name in ("subject_header", "groups_header"):
        if getattr(provider, key_name).lower() in ("authorization", "proxy-authorization"):
            reason = "holds what clients send: they would choose who they are"
            yield Fault(f"{key}.{key_name}", None, reason, "use a header of the proxy's own, such as X-Forwarded-User")
    if "\\" in provider.groups_separator:
        reason = "has a backslash, by which a separator becomes part of a group's name"
        yield Fault(f"{key}.groups_separator", None, reason, 'use another, such as "," or ";"')
    elif not re.fullmatch(r"[ !-/:-@\[-`{-~]+", provider.groups_separator):
        reason = "has a letter, a digit, or a character outside printable ASCII"
        yield Fault(f"{key}.groups_separator", None, reason, 'use another, such as "," or ";"')
    keys = sorted(("subject_header", "groups_header", "secret_header"), key=lambda name: name in written)
    names = [getattr(provider, name).lower() for name in keys]
    for number, name in enumerate(keys):  # defaults first: the fault is that of a key that is written
        if names[number] and names[number] in names[:number]:
            reason, needed = "is used for something else already", tuple(f"{key}.{one}" for one in keys)
            yield Fault(f"{key}.{name}", None, reason, "give it a header of its own", needed)


def _ticket_faults(key: str, provider: TicketSettings) -> Iterator[Fault]:
    hmac = "HS256" in provider.algorithms
    given = [keys for keys in (provider.public_key, provider.public_key_files) if keys]
    if hmac and len(provider.algorithms) > 1:
        yield Fault(f"{key}.algorithms", None, "mixes HS256 with public-key algorithms", "use only one kind")
    elif hmac and (provider.secret is None or given):
        reason = "is missing, or a public key is given: HS256 is verified with a secret"
        yield Fault(f"{key}.secret", None, reason, "use secret_file")
    elif hmac and len(provider.keys[0].encode()) < HMAC_BYTES:
        yield Fault(f"{key}.secret", None, "is shorter than 32 bytes", "make one with: openssl rand -base64 48")
    elif hmac:
        fault = hmac_fault(provider.keys[0])
        if fault is not None:
            yield Fault(f"{key}.secret", None, *fault)
    elif provider.secret is not None and not given:
        remedy = 'write ["HS256"], or name the portal\'s key instead of a secret: public_key_file'
        yield Fault(f"{key}.algorithms", None, "has none that verifies with a secret", remedy)
    elif len(given) != 1 or provider.secret is not None:
        remedy = "name the portal's key: public_key_file, or several: public_key_files"
        yield Fault(f"{key}.public_key", None, "is missing, or a secret is given", remedy)
    else:
        for number, text in enumerate(provider.keys):
            fault = None if text == UNREAD else key_fault(text, provider.algorithms)
            if fault is not None:
                place = "public_key" if provider.public_key else f"public_key_files.{number}"
                yield Fault(f"{key}.{place}", None, *fault)


def _oidc_faults(key: str, provider: OidcSettings) -> Iterator[Fault]:
    required = _CLIENT_AUTH_KEYS.get(provider.client_auth)
    if required == "client_secret" and provider.client_secret is None and provider.private_key is not None:
        reason, remedy = f"is {provider.client_auth}, and a private key is given", 'write "private_key_jwt"'
        yield Fault(f"{key}.client_auth", None, reason, remedy, (f"{key}.client_secret",))
    elif required and getattr(provider, required) is None:
        reason = f"is missing: client_auth is {provider.client_auth}"
        yield Fault(f"{key}.{required}", None, reason, f"give {required}_file", (f"{key}.client_auth",))
    if required == "private_key" and provider.signing_key is not None:
        fault = signing_key_fault(provider.signing_key)
        if fault is not None:
            yield Fault(f"{key}.private_key", None, *fault)
    if "openid" not in provider.scopes:
        remedy = "add it: OpenID Connect Core 1.0, section 3.1.2.1, requires it"
        yield Fault(f"{key}.scopes", None, 'lacks "openid"', remedy)


def _negotiate_faults(key: str) -> Iterator[Fault]:
    try:
        import gssapi  # noqa: F401 an optional extra
    except ImportError as error:
        reason = f"needs the package gssapi and the system's Kerberos library: {error}"
        yield Fault(f"{key}.type", None, reason, 'pip install "valt-gateway[kerberos]"')


def _negotiate_warnings(key: str, provider: NegotiateSettings, public_url: str) -> Iterator[Fault]:
    host = urlsplit(public_url).hostname or ""
    if provider.service.lower() != f"http@{host}":
        reason = f"is not HTTP@{host}: browsers ask for a ticket for the host of public_url"
        yield Fault(f"{key}.service", None, reason, "correct it, unless that host is an alias (CNAME) of the service's")
    if provider.strip_realm and len(provider.realms) > 1:
        reason = "has several realms: a name that two of them have is one person without its realm"
        yield Fault(f"{key}.realms", None, reason, "set strip_realm = false, unless no two people have one name")
