"""Checks of the claims that an ``[[identity]]`` reads, and of the audience that its tokens must have."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.settings.faults import Fault
from gateway.settings.identity import JwtSettings, OidcSettings, TicketSettings
from gateway.settings.model import Settings

TokenProvider = JwtSettings | TicketSettings | OidcSettings
_OF_NO_GROUP = frozenset({"iss", "exp", "nbf", "iat", "jti", "nonce", "sid", "at_hash", "c_hash", "auth_time"})
_OF_NO_PERSON = _OF_NO_GROUP | {"aud", "acr", "amr"}
"""Registered claims (RFC 7519, section 4.1; OpenID Connect Core 1.0, section 2) with another meaning."""
SHARED = frozenset(
    {
        *("name", "full_name", "fullname", "display_name", "displayname", "given_name", "givenname", "first_name"),
        *("firstname", "family_name", "familyname", "last_name", "lastname", "surname", "sn"),
    }
)
"""Claims that two people may have alike, and may change."""
OF_MANY = frozenset(
    {
        *("hd", "domain", "tid", "tenant", "tenant_id", "idp", "identity_provider", "org_id", "org_name"),
        *("organization", "company", "department", "country", "locale", "zoneinfo", "gender", "birthdate"),
        *("scope", "scp", "typ", "ver", "token_use"),
    }
)
"""Claims about a tenant, an organization or a token."""
OF_ONE = SHARED | {
    "middle_name",
    "nickname",
    "preferred_username",
    "username",
    "email",
    "upn",
    "unique_name",
    "profile",
}
"""Claims about one person. A text is a group like a list with that text alone."""
_OF_APPLICATIONS = {"jwt": {"azp", "appid"}, "oidc": {"appid", "client_id", "clientid"}}
"""By the provider's type. Programs have client_id in tokens of their own (RFC 9068, section 2.2), which are right for
"jwt"; azp is a fault for "oidc": it is the gateway itself."""
_OF_KEYCLOAK = re.compile(r"(realm|resource)_access(\.[^.]+)*")
_LISTS_OF_KEYCLOAK = re.compile(r"realm_access\.roles|resource_access\..+\.roles")
"""The id of a client may have dots."""
_SCOPES_IN_ONE_TEXT = (
    (r"https://.*/realms/[^/]+|https://[^/]+\.auth0\.com/?|https://cognito-idp\..*", "scope"),
    (r"https://(login\.microsoftonline\.(com|us)|sts\.windows\.net)/.*|https://.*/adfs(/.*)?", "scp"),
)
"""Issuers whose tokens have the scopes in one text (RFC 9068, section 2.2.3), and the claim: Keycloak, Auth0, Cognito,
Entra and AD FS. Okta, IdentityServer and UAA have a list there."""
_OWN_AUDIENCE = "have tokens issued for an audience of this gateway's own, and name it"
_OF_OTHERS = (
    (
        "a client of Keycloak's own",
        r".*/realms/.*",
        r"account|account-console|admin-cli|broker|master-realm|realm-management|security-admin-console",
        "name this gateway's client, and add it to aud with a mapper of type Audience",
    ),
    ("the issuer's own address", r".*", r"ISSUER", _OWN_AUDIENCE),
    (
        "the address of userinfo",
        r".*",
        r"ISSUER/userinfo|https://[^/]+\.auth0\.com/userinfo|urn:microsoft:userinfo",
        _OWN_AUDIENCE,
    ),
    ("the provider's default", r".*", r"ISSUER/resources|api://default", _OWN_AUDIENCE),
    (
        "an API of the provider's own",
        r".*",
        r"https://[^/]+\.auth0\.com/api/v2|https://api\.pingone\.[a-z.]+"
        r"|https://(graph\.(microsoft\.com|windows\.net)|management\.(azure\.com|core\.windows\.net))"
        r"|0000000[23]-0000-0000-c000-000000000000",
        _OWN_AUDIENCE,
    ),
    ("Kubernetes' own API", r".*", r"https://kubernetes\.default(\.svc(\..+)?)?", _OWN_AUDIENCE),
    ("a public client", r".*", r"(32555940559|407408718192)\.apps\.googleusercontent\.com", _OWN_AUDIENCE),
    ("a cloud's exchange of tokens", r".*", r"sts\.amazonaws\.com|api://AzureADTokenExchange", _OWN_AUDIENCE),
)
"""Audiences of tokens for other applications too: what each is, patterns of the issuer and of the audience (in which
ISSUER is the issuer's address), and the remedy. The tokens of most clients have "account" in aud at Keycloak, userinfo
at Auth0 and AD FS, resources at IdentityServer, and api://default at Okta; the public clients are gcloud and Google's
OAuth Playground."""
_SEVERAL = re.compile(r"\[.*\]|[^=,]*+,[^=]*+")
_OTHER_PATH = re.compile(r"\$\..*|/.*|[^:/.]+/[^:]*|[^[]*+\[.*|[^,]*+,.*|[^*]*+\*.*|[a-z_]+( [a-z_]+)+", re.DOTALL)
"""JSONPath, JMESPath, a JSON Pointer (RFC 6901), or several claims. "Group Membership" and "example.edu/groups" are
names of claims."""


def claim_faults(key: str, provider: TokenProvider) -> Iterator[Fault]:
    """Yields the faults of the claims of *provider*, whose dotted key is *key*."""
    subject, groups = provider.subject_claim, provider.groups_claim
    if subject in _OF_NO_PERSON or (subject == "azp" and not isinstance(provider, JwtSettings)):
        reason = "names no person: it is the same in all tokens, or another in each"
        yield Fault(f"{key}.subject_claim", None, reason, 'name a person\'s claim, as "sub" or "preferred_username"')
    if groups in _OF_NO_GROUP:
        yield Fault(f"{key}.groups_claim", None, "names no groups", 'name the claim that lists the groups, as "groups"')
    elif groups == subject and "groups_claim" in provider.model_fields_set:
        reason = "is the claim that names the person too, so that everybody is in a group of their own name"
        remedy = "name the claim that lists the groups"
        yield Fault(f"{key}.groups_claim", None, reason, remedy, (f"{key}.subject_claim",))
    elif groups == subject:
        reason = "is the claim that lists the groups too, so that everybody is in a group of their own name"
        remedy = "name the claim that names the person"
        yield Fault(f"{key}.subject_claim", None, reason, remedy, (f"{key}.groups_claim",))


def claim_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields what is allowed and hardly meant about claims and audiences, without lines."""
    for number, provider in enumerate(settings.identity):
        if not isinstance(provider, TokenProvider):
            continue
        key = f"identity.{number}"
        if "." in provider.subject_claim and not re.search("[:/]", provider.subject_claim):
            reason = "has a dot, which is part of the claim's name: only groups_claim may be a path"
            yield Fault(f"{key}.subject_claim", None, reason, "name a claim of the token itself, if this is a path")
        if re.search(r"[,|\s]", provider.subject_claim):
            reason = "is written like several claims, and is one: no token has it"
            yield Fault(f"{key}.subject_claim", None, reason, "name the one that names the person")
        if not isinstance(provider, TicketSettings):
            yield from _subject_of_several(key, provider)
            if provider.groups_claim.lower() in OF_ONE:
                reason = "names the person, and not groups: who has or chooses the name of a group would be in it"
                yield Fault(f"{key}.groups_claim", None, reason, 'name the claim that lists the groups, as "groups"')
        yield from _groups_of_no_list(f"{key}.groups_claim", provider)
        if isinstance(provider, JwtSettings):
            yield from _audience_of_tokens(key, provider, settings.server.public_url)
        elif isinstance(provider, TicketSettings):
            yield from _audience_of_tickets(key, provider, settings.server.public_url)


def _groups_of_no_list(key: str, provider: TokenProvider) -> Iterator[Fault]:
    """Yields a warning if the claim of groups, whose dotted key is *key*, is no path, or what is there is no list."""
    claim = provider.groups_claim
    if _OTHER_PATH.fullmatch(claim):
        reason = "is neither a claim's name nor a path with dots: no token has it"
        yield Fault(key, None, reason, 'write it as "groups" or "realm_access.roles"')
    elif _OF_KEYCLOAK.fullmatch(claim) and not _LISTS_OF_KEYCLOAK.fullmatch(claim):
        own = "realm_access.roles" if claim.startswith("realm") else "resource_access.CLIENT.roles"
        reason = "is a table in Keycloak's tokens, or nothing, and no list of groups"
        yield Fault(key, None, reason, f'write it as "{own}"')
    elif isinstance(provider, JwtSettings) and any(
        claim == name and re.fullmatch(issuers, provider.issuer) for issuers, name in _SCOPES_IN_ONE_TEXT
    ):
        reason = "is one text in this issuer's tokens, with spaces between the scopes: one group"
        yield Fault(key, None, reason, 'name the claim that lists the groups, as "groups" or "roles"')


def _subject_of_several(key: str, provider: JwtSettings | OidcSettings) -> Iterator[Fault]:
    """Yields a warning if the subject of *provider* is one that several people have. Tickets have what their portal
    writes."""
    claim = provider.subject_claim.lower()
    if claim in SHARED:
        reason = "is a name that two people may have, or give themselves: each would be taken for the other"
        yield Fault(f"{key}.subject_claim", None, reason, 'name an identifier, as "sub" or "preferred_username"')
    elif claim in OF_MANY:
        reason = "is the same for many people, who would all be one person"
        yield Fault(f"{key}.subject_claim", None, reason, 'name an identifier, as "sub" or "preferred_username"')
    elif claim in _OF_APPLICATIONS[provider.type]:
        reason = "names an application: all people who sign in to it would be one person"
        remedy = 'name a person\'s claim, as "sub"'
        remedy += ", unless only programs have such tokens" if isinstance(provider, JwtSettings) else ""
        yield Fault(f"{key}.subject_claim", None, reason, remedy)


def _audience_of_tokens(key: str, provider: JwtSettings, own: str) -> Iterator[Fault]:
    if _SEVERAL.fullmatch(provider.audience):
        reason = "is written like a list, and is one audience: no token has it"
        yield Fault(f"{key}.audience", None, reason, "name the one that the tokens have for this gateway")
    texts = (provider.audience.rstrip("/"), _relative_to_issuer(provider, own))
    for what, issuers, audiences, remedy in _OF_OTHERS:
        if re.fullmatch(issuers, provider.issuer) and any(re.fullmatch(audiences, text) for text in texts):
            reason = f"is {what}, which the tokens for other applications have in aud too"
            yield Fault(f"{key}.audience", None, reason, remedy)
            break
    document = urlsplit(provider.jwks_url or provider.discovery_url)
    is_address = bool(document.netloc) and f"{provider.audience}/".startswith(f"{document.scheme}://{document.netloc}/")
    if is_address and "://" not in provider.issuer:
        reason = "is an address of the provider, and issuer is none"
        yield Fault(f"{key}.audience", None, reason, "are the two swapped?")
    if {"leeway", "max_lifetime"} <= provider.model_fields_set and provider.leeway > provider.max_lifetime:
        reason = "is longer than max_lifetime, to which it is added"
        yield Fault(f"{key}.leeway", None, reason, "correct one of the two")


def _relative_to_issuer(provider: JwtSettings, own: str) -> str:
    """Returns the audience without a final slash, with ISSUER for the issuer's address. A front at the gateway's own
    address signs for the gateway alone."""
    issuer, audience = provider.issuer.rstrip("/"), provider.audience.rstrip("/")
    is_elsewhere = "://" in issuer and not f"{issuer}/".startswith(f"{own}/")
    return f"ISSUER{audience.removeprefix(issuer)}" if is_elsewhere and audience.startswith(issuer) else audience


def _audience_of_tickets(key: str, provider: TicketSettings, own: str) -> Iterator[Fault]:
    audience = provider.audience.rstrip("/")
    if _SEVERAL.fullmatch(provider.audience):
        reason = "is written like a list, and is one audience: no ticket has it"
        yield Fault(f"{key}.audience", None, reason, "name the one that the tickets have")
    if audience and audience == provider.issuer.rstrip("/") != own:
        reason = "is the portal's own address: its tickets are for the gateway"
        yield Fault(f"{key}.audience", None, reason, "leave it out, or write what the portal puts into aud")
    elif audience not in ("", own) and provider.issuer.rstrip("/") == own:
        reason = "is the gateway's own address, and audience is another"
        yield Fault(f"{key}.issuer", None, reason, "are the two swapped?")
