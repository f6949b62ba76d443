"""Warnings about values of ``[[identity]]`` that belong to another key, another type of provider or another provider,
and about groups that clients choose."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.model import Secret
from gateway.settings.addresses import is_loopback
from gateway.settings.faults import Fault
from gateway.settings.identity import (
    HeaderSettings,
    JwtSettings,
    NegotiateSettings,
    OidcSettings,
    TicketSettings,
)
from gateway.settings.keys import essence
from gateway.settings.model import Settings
from gateway.settings.networks import NetworkIndex
from gateway.settings.shared_headers import have_common_peer
from gateway.settings.values import UNREAD

_DISCOVERY = re.compile(r".*/\.well-known/(openid-configuration|oauth-authorization-server)\b.*")
_NO_KEYS = re.compile(r".*/(authorize|auth|token|userinfo|introspect)/?")
_ENDPOINT = re.compile(r".*/(jwks(\.json)?|certs|keys|authorize|auth|token|userinfo)/?")
_NO_ISSUER = re.compile(
    r".*/(jwks(\.json)?|authorize|userinfo|certs|keys|introspect|openid-configuration)/?|.*(?<!/oauth)(?<!/oauth2)/token/?"
    r"|.*/oauth2/(.*/)?auth|.*/(protocol/openid-connect|oauth2/v2\.0)(/.*)?",
    re.IGNORECASE,
)
"""UAA's issuer ends with /oauth/token, WSO2's with /oauth2/token, and Keycloak below /auth may end so."""
_SEVERAL_TENANTS = re.compile(r"https://login\.microsoftonline\.com/(common|organizations|consumers|\{[^{}/]*\})(/.*)?")
_OF_ENTRA = re.compile(r"https://(login\.microsoftonline\.com|sts\.windows\.net)/.*", re.IGNORECASE)
_TENANT = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_IN_TOKENS_OF_ENTRA = re.compile(
    rf"https://login\.microsoftonline\.com/{_TENANT}/v2\.0|https://sts\.windows\.net/{_TENANT}/"
)
_OF_TOKENS = re.compile(r"(.*-)?jwt(-assertion|-token)?|x-amzn-oidc-(data|accesstoken)|.*-(access|id)-token")
_OF_NAMES = re.compile(r"(.*-)?(user|username|groups|email)|x-amzn-oidc-identity|bearer|proxy-authorization")
_OF_OAUTH2_PROXY = frozenset({"x-forwarded-user", "x-forwarded-email", "x-forwarded-preferred-username"})
"""Headers of a proxy that sets or removes X-Forwarded-Groups as well."""
_SEVERAL_SEPARATORS = re.compile(r"\[.*|[\"'].*[\"']|(?=.*,).*[;|].*")


def provider_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    for number, provider in enumerate(settings.identity):
        key = f"identity.{number}"
        match provider:
            case JwtSettings() | OidcSettings():
                yield from _addresses(key, provider, settings.server.public_url)
            case HeaderSettings():
                yield from _headers(key, provider)
            case TicketSettings():
                yield from _repeated_keys(key, provider)
            case NegotiateSettings():
                if any("," in realm for realm in provider.realms):
                    reason = "has a comma, and is one realm"
                    yield Fault(f"{key}.realms", None, reason, 'write each in quotes of its own: ["ONE", "TWO"]')
        if isinstance(provider, JwtSettings) and _OF_NAMES.fullmatch(provider.header.lower()):
            reason = "is no header of tokens"
            yield Fault(f"{key}.header", None, reason, 'write "Authorization", or use type = "header" for a name')
    yield from _keys_of_two_portals(settings)
    yield from _tickets_as_tokens(settings)
    yield from _groups_of_clients(settings)


def _addresses(key: str, provider: JwtSettings | OidcSettings, own: str) -> Iterator[Fault]:
    issuer = provider.issuer.rstrip("/")
    if _NO_ISSUER.fullmatch(issuer):
        reason = "is an endpoint of the provider, not what its tokens have in iss"
        yield Fault(f"{key}.issuer", None, reason, "copy issuer from its discovery document")
    elif _SEVERAL_TENANTS.fullmatch(issuer):
        reason = "is the address of all tenants, and tokens have that of their own in iss"
        yield Fault(f"{key}.issuer", None, reason, "write the tenant's id: https://login.microsoftonline.com/ID/v2.0")
    elif _OF_ENTRA.fullmatch(provider.issuer) and not _IN_TOKENS_OF_ENTRA.fullmatch(provider.issuer):
        reason = "is in the iss of no token of Entra"
        remedy = "write https://login.microsoftonline.com/ID/v2.0 or https://sts.windows.net/ID/, by the tenant's id"
        yield Fault(f"{key}.issuer", None, reason, remedy)
    jwks = getattr(provider, "jwks_url", "")
    if jwks and _DISCOVERY.fullmatch(jwks):
        yield Fault(f"{key}.jwks_url", None, "is a discovery document, not the keys", "write it as discovery_url")
    elif jwks and _NO_KEYS.fullmatch(jwks):
        yield Fault(f"{key}.jwks_url", None, "is an endpoint, not the keys", "leave it out: the keys are discovered")
    elif jwks and jwks.rstrip("/") == issuer:
        yield Fault(f"{key}.jwks_url", None, "is the issuer, not the keys", "leave it out: the keys are discovered")
    if provider.discovery_url and provider.discovery_url.rstrip("/") == issuer:
        remedy = "leave it out, or name the document with /.well-known/ and the rest"
        yield Fault(f"{key}.discovery_url", None, "is the issuer, not the discovery document", remedy)
    elif _ENDPOINT.fullmatch(provider.discovery_url):
        reason = "is an endpoint, not the discovery document that names it"
        yield Fault(f"{key}.discovery_url", None, reason, 'name the document: ".../.well-known/openid-configuration"')
    host = urlsplit(provider.proxy_url).netloc.lower()
    for other, name in ((issuer, "the provider"), (own, "the gateway")):
        _, _, address = other.lower().partition("://")  # an issuer may be any text, which urlsplit would refuse
        if host and host == address.partition("/")[0] and not is_loopback(provider.proxy_url):
            reason = f"is {name} itself, and no proxy for requests to the provider"
            yield Fault(f"{key}.proxy_url", None, reason, "leave it out, or name the outbound proxy")


def _headers(key: str, provider: HeaderSettings) -> Iterator[Fault]:
    for name in ("subject_header", "groups_header"):
        if _OF_TOKENS.fullmatch(getattr(provider, name).lower()):
            reason = "is a header of tokens, of which none is verified or read here"
            yield Fault(f"{key}.{name}", None, reason, 'use type = "jwt", or name a header with the plain name')
    if _SEVERAL_SEPARATORS.fullmatch(provider.groups_separator):
        reason = "is one separator, all of which stands between two groups"
        yield Fault(f"{key}.groups_separator", None, reason, 'write what the proxy sends, as "," or ";"')


def _repeated_keys(key: str, provider: TicketSettings) -> Iterator[Fault]:
    keys = [essence(text.strip()) for text in provider.public_key_files if text != UNREAD]
    if len(set(keys)) < len(keys):
        yield Fault(f"{key}.public_key_files", None, "has one key twice", "name the file with the other key")


def _keys_of_two_portals(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each portal with the public key of another one. About secrets `secret_warnings` speaks."""
    first: dict[bytes, TicketSettings] = {}
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, TicketSettings) and provider.secret is None:
            keys = [essence(text.strip()) for text in provider.keys if text != UNREAD]
            others = [first[key] for key in keys if key in first and first[key].issuer != provider.issuer]
            if others:
                place = "public_key" if provider.public_key else "public_key_files"
                reason = f"is that of {others[0].name} too: whoever signs tickets for one can sign those of the other"
                remedy = "name the portal's own key, unless both are one portal"
                yield Fault(f"identity.{number}.{place}", None, reason, remedy)
            first |= {key: provider for key in keys if key not in first}


def _tickets_as_tokens(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each provider of tokens that accepts a portal's tickets, if the issuer has the portal's key.
    Issuers and audiences are compared as in tokens: as they stand."""
    portals = [one for one in settings.identity if isinstance(one, TicketSettings)]
    for number, provider in enumerate(settings.identity):
        if not isinstance(provider, JwtSettings):
            continue
        for portal in portals:
            of_tickets = (portal.issuer, portal.audience or settings.server.public_url)
            if of_tickets == (provider.issuer, provider.audience) and set(portal.algorithms) & set(provider.algorithms):
                reason = (
                    f"and issuer are those of {portal.name}'s tickets: if the issuer's keys have the portal's, "
                    "a ticket is a token too, valid many times and for every recording"
                )
                remedy = "give one of the two an audience of its own"
                yield Fault(f"identity.{number}.audience", None, reason, remedy)


def _groups_of_clients(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each front that may not know the default header of groups, where rules depend on groups: it
    then passes on what clients send."""
    fronts = [(number, one) for number, one in enumerate(settings.identity) if isinstance(one, HeaderSettings)]
    if not _depends_on_groups(settings):
        return
    for number, front in fronts:
        header = front.groups_header.lower()
        handling = [one for _, one in fronts if one.groups_header.lower() == header and _handles_groups(one)]
        peers = NetworkIndex(peer for one in handling for peer in one.from_)
        is_handled = all(peers.containing(peer) for peer in front.from_) or any(
            _is_same(one, front) for one in handling
        )
        if not is_handled and not _OF_TOKENS.fullmatch(front.subject_header.lower()):
            reason = (
                f"is the default, {front.groups_header}, and subject_header is not: if the proxy does not know it, "
                "clients send it and choose their groups"
            )
            remedy = "write the header that the proxy sends, or one that it removes from every request"
            yield Fault(f"identity.{number}.groups_header", None, reason, remedy)


def _depends_on_groups(settings: Settings) -> bool:
    """Whether a rule asks for groups: by name, or by what VALT shares with them."""
    shares = bool(settings.valt.groups)
    return any((one.groups and "*" not in one.subjects) or (one.shared_with_me and shares) for one in settings.grants)


def _handles_groups(front: HeaderSettings) -> bool:
    return "groups_header" in front.model_fields_set or front.subject_header.lower() in _OF_OAUTH2_PROXY


def _is_same(one: HeaderSettings, other: HeaderSettings) -> bool:
    """Whether one proxy sends the secret of both, from whichever peer."""
    is_secret_equal = one.secret_header.lower() == other.secret_header.lower() and one.secret == other.secret
    return one.secret not in (None, Secret(UNREAD)) and is_secret_equal and have_common_peer(one, other)
