"""The kinds of ``[[identity]]``: who may prove who they are, and how."""

from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway.settings.addresses import HttpsUrl, OptionalDocumentUrl, OptionalUrl
from gateway.settings.networks import Network
from gateway.settings.paths import FilePath
from gateway.settings.values import (
    Algorithm,
    Duration,
    Flag,
    HeaderName,
    Name,
    OptionalHeaderName,
    SecretText,
    Table,
    Text,
    TicketAlgorithm,
    duration_field,
    fault,
)

_VERIFIED_EMAIL = 'with `subject_claim = "email"`: `email_verified` must be true'
Scope = Annotated[str, Field(pattern=r"^[!#-\[\]-~]+$")]
"""A scope token (RFC 6749, section 3.3)."""
_DEFAULT_ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "ES256", "EdDSA", "PS256")


def _proxy_url(value: str) -> str:
    if urlsplit(value).path not in ("", "/"):
        raise fault("has a path, which a proxy has not", 'write it as "http://proxy.example.edu:3128"')
    return value


def _realm(value: str) -> str:
    if "@" in value or "\\" in value:
        raise fault("has an @ or a backslash, which no realm has", 'write the realm alone: "EXAMPLE.EDU"')
    return value


Realm = Annotated[Text, AfterValidator(_realm)]
ProxyUrl = Annotated[OptionalUrl, AfterValidator(_proxy_url)]


class RemoteProvider(Table):
    """How the gateway reaches an identity provider."""

    issuer: Text = Field(
        description="required `iss` of the tokens: an https URL, or with `jwks_url` or `discovery_url` any identifier"
    )
    discovery_url: OptionalDocumentUrl = Field("", description="URL of the discovery document, if not below the issuer")
    ca_file: FilePath | None = Field(None, description="private CA of this provider")
    proxy_url: ProxyUrl = Field("", description="outbound HTTP proxy for requests to this provider")


class JwtSettings(RemoteProvider):
    """A signed token in a request header."""

    type: Literal["jwt"]
    name: Name = Field(description="name of the provider in metrics and audit")
    header: HeaderName = Field("Authorization", description='header of the token; "Bearer " is understood')
    audience: Text = Field(description="required `aud` of the tokens")
    jwks_url: OptionalDocumentUrl = Field("", description="URL of the signing keys, else discovered from the issuer")
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = Field(
        _DEFAULT_ALGORITHMS, description="accepted signature algorithms"
    )
    leeway: Duration = duration_field("30s", "allowed difference between the clocks", at_most="5m")
    subject_claim: Text = Field("sub", description="claim that names the person")
    groups_claim: str = Field("groups", description="claim that lists the person's groups, or a dotted path to it")
    require_verified_email: Flag = Field(True, description=_VERIFIED_EMAIL)
    max_lifetime: Duration = duration_field(
        "24h",
        "a token whose `exp` is further away, from now or from its `iat`, is refused",
        at_most="3650d",
        positive=True,
    )


class HeaderSettings(Table):
    """Request headers set by a reverse proxy that has authenticated the person."""

    type: Literal["header"]
    name: Name = Field(description="name of the provider in metrics and audit")
    subject_header: HeaderName = Field("X-Forwarded-User", description="header that names the person")
    groups_header: HeaderName = Field("X-Forwarded-Groups", description="header that lists the person's groups")
    groups_separator: Text = Field(",", description="separates two groups")
    from_: Annotated[tuple[Network, ...], Field(min_length=1)] = Field(
        alias="from", description="addresses of the proxy: the socket's peer, never a forwarded address"
    )
    secret_header: OptionalHeaderName = Field("", description="header in which the proxy also sends the secret")
    secret: SecretText | None = Field(None, description="required value of `secret_header`")


class TicketSettings(Table):
    """A short-lived JWT that a portal signs into a link."""

    type: Literal["ticket"]
    name: Name = Field(description="name of the provider in metrics and audit")
    issuer: HttpsUrl = Field(description="required `iss` of the tickets: the portal that signs them")
    audience: str = Field("", description="required `aud` of the tickets; if empty, `server.public_url`")
    algorithms: Annotated[tuple[TicketAlgorithm, ...], Field(min_length=1)] = Field(
        ("EdDSA",), description="accepted signature algorithms"
    )
    public_key: SecretText | None = Field(None, description="the portal's public key, PEM")
    public_key_files: tuple[str, ...] = Field(
        (), description="instead, files of several keys, PEM or JWK, while the portal changes its key"
    )
    secret: SecretText | None = Field(None, description="the shared secret for HS256, 32 bytes or more")
    max_age: Duration = duration_field(
        "60s", "a ticket that is older, or valid for longer, is refused", at_most="10m", positive=True
    )
    subject_claim: Text = Field("sub", description="claim that names the person")
    groups_claim: str = Field("groups", description="claim that lists the person's groups, or a dotted path to it")
    require_verified_email: Flag = Field(True, description=_VERIFIED_EMAIL)

    @property
    def keys(self) -> tuple[str, ...]:
        """The texts of the verification keys: loading replaces the files of `public_key_files` by their contents."""
        chosen = self.public_key or self.secret
        return self.public_key_files if chosen is None else (chosen.reveal(),)


class OidcSettings(RemoteProvider):
    """Sign-in at an OpenID Connect provider by the gateway itself."""

    type: Literal["oidc"]
    name: Name = Field(description="name of the provider in metrics and audit")
    client_id: Text = Field(description="as registered at the provider")
    title: str = Field("", description="text of its sign-in button; empty is the name")
    client_secret: SecretText | None = Field(None, description="as registered at the provider")
    private_key: SecretText | None = Field(None, description="PEM, for `private_key_jwt`")
    client_auth: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] = Field(
        "client_secret_basic", description="how the gateway authenticates at the token endpoint"
    )
    scopes: tuple[Scope, ...] = Field(("openid", "profile", "email", "groups"), description="requested scopes")
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = Field(
        _DEFAULT_ALGORITHMS, description="accepted signature algorithms of ID tokens"
    )
    leeway: Duration = duration_field("30s", "allowed difference between the clocks", at_most="5m")
    subject_claim: Text = Field("sub", description="claim that names the person")
    groups_claim: str = Field("groups", description="claim that lists the person's groups, or a dotted path to it")
    require_verified_email: Flag = Field(True, description=_VERIFIED_EMAIL)

    @property
    def signing_key(self) -> str | None:
        """The text of `private_key`."""
        return None if self.private_key is None else self.private_key.reveal()


class NegotiateSettings(Table):
    """Kerberos: the sign-in of an intranet's computers. Needs the optional extra ``valt-gateway[kerberos]``."""

    type: Literal["negotiate"]
    name: Name = Field(description="name of the provider in metrics and audit")
    keytab_file: FilePath = Field(description="keytab with the keys of `service`")
    service: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*@[A-Za-z0-9.-]+$")] = Field(
        description="the gateway's own service: HTTP@ and the host that browsers see"
    )
    realms: Annotated[tuple[Realm, ...], Field(min_length=1)] = Field(
        description="realms whose people are accepted, letter case included; others are refused"
    )
    strip_realm: Flag = Field(True, description='subject "anna" rather than "anna@EXAMPLE.EDU"')


IdentitySettings = Annotated[
    JwtSettings | HeaderSettings | TicketSettings | OidcSettings | NegotiateSettings, Field(discriminator="type")
]

STATEFUL_TABLES = (TicketSettings, OidcSettings, NegotiateSettings)
"""The tables of what is accepted once, and so has to be stored as used before anybody is admitted by it."""

PROVIDER_TABLES: tuple[type[Table], ...] = get_args(get_args(IdentitySettings)[0])
"""The tables that `IdentitySettings` lists, in its order."""

PROVIDER_TYPES = frozenset(get_args(table.model_fields["type"].annotation)[0] for table in PROVIDER_TABLES)
