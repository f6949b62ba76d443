"""What an operator may say: product.md's TOML, table by table. Durations are seconds once read.

A required key has no default; there is no default secret, no default trusted proxy and no default rule.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.settings.values import (
    Duration,
    GuardedUrl,
    HeaderName,
    HostPort,
    Listen,
    Network,
    OptionalGuardedUrl,
    OptionalHeaderName,
    Origin,
    Picture,
    SecretText,
    Url,
    ValtUser,
)

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
TicketAlgorithm = Literal["EdDSA", "ES256", "RS256", "PS256", "HS256"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Count = Annotated[int, Field(ge=0)]


def lasts(default: str, description: str) -> Any:
    """A duration's field, whose default stands as an operator would write it."""
    return Field(default, description=description)


class Table(BaseModel):
    """A TOML table: no key that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, validate_default=True)


class ServerSettings(Table):
    listen: Listen = Field("127.0.0.1:8080", description="address of the public listener, or `unix:/path`")
    public_url: Origin = Field(description="what browsers see; rules every link and cookie")
    trusted_proxies: tuple[Network, ...] = Field(
        (), description="whose X-Forwarded-For and -Proto are believed, by the socket's own peer address"
    )
    tls_cert_file: Path | None = Field(None, description="speak https ourselves; reread on SIGHUP")
    tls_key_file: Path | None = Field(None, description="the certificate's key")
    cors_origins: tuple[Origin, ...] = Field((), description="portals on another site that embed videos")
    workers: Annotated[int, Field(ge=1)] = Field(1, description="processes sharing the port")
    drain_timeout: Duration = lasts("60s", "how long running streams may go on after SIGTERM")
    shutdown_delay: Duration = lasts("0s", "goes on accepting for so long after SIGTERM, not ready")


class AdminSettings(Table):
    listen: Listen = Field("127.0.0.1:9464", description="metrics, health and readiness; never public")


class AccountSettings(Table):
    username: Annotated[str, Field(min_length=1)] = Field(description="VALT user name, local or LDAP")
    password: SecretText = Field(description="its password")


class ValtSettings(Table):
    base_url: Url = Field(description="VALT's address, without /api")
    media_hosts: tuple[HostPort, ...] = Field(
        (), description="host:port that links may name besides the API's own host"
    )
    ca_file: Path | None = Field(None, description="private CA for API and media")
    connect_timeout: Duration = lasts("5s", "to connect, TLS included")
    read_timeout: Duration = lasts("30s", "API: whole answer; media: silence between two pieces")
    token_ttl: Duration = lasts("6h", "access tokens are renewed before this age")
    accounts: dict[Name, AccountSettings] = Field({}, description="VALT users as whom we ask")
    people: dict[str, ValtUser] = Field({}, description="SSO subject = VALT user name or user id, where they differ")
    groups: dict[str, int] = Field({}, description="SSO group = VALT user group id")


class LinksSettings(Table):
    margin: Duration = lasts("30s", "a cached link is not used again in its last seconds")
    min_life: Duration = lasts("5m", "life a link must have left when a person is redirected to it")
    negative_ttl: Duration = lasts("5s", 'how long "not found" is remembered')
    max_entries: Annotated[int, Field(ge=1)] = Field(100_000, description="links kept at most")


class StreamsSettings(Table):
    resume_tries: Count = Field(5, description="in a row without progress")
    upstream_idle: Duration = lasts("30s", "a viewer who does not read gives up the upstream connection")
    viewer_idle: Duration = lasts("4h", "and after so long is cut")


class LimitsSettings(Table):
    streams: Annotated[int, Field(ge=1)] = Field(2000, description="at once, in all")
    streams_per_person: Count = Field(64, description="at once; 0 is none")
    streams_per_address: Count = Field(512, description="at once; 0 is none")
    waiting_for_valt: Annotated[int, Field(ge=1)] = Field(
        200, description="requests waiting for VALT's API at once; one person may have half"
    )
    requests_per_minute: Count = Field(0, description="a person; 0 is none")


class JwtSettings(Table):
    type: Literal["jwt"]
    name: Name = Field(description="told in metrics and audit")
    header: HeaderName = Field("Authorization", description='where the token stands; "Bearer " is understood')
    issuer: GuardedUrl = Field(description="whose tokens")
    audience: Annotated[str, Field(min_length=1)] = Field(description="for whom they are made")
    jwks_url: OptionalGuardedUrl = Field("", description="else discovered from the issuer")
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = Field(
        ("RS256", "ES256", "EdDSA", "PS256"), description="those accepted"
    )
    leeway: Duration = lasts("30s", "how far clocks may differ")
    subject_claim: str = Field("sub", description="claim that names the person")
    groups_claim: str = Field("groups", description="claim that lists groups")


class HeaderSettings(Table):
    type: Literal["header"]
    name: Name = Field(description="told in metrics and audit")
    subject_header: HeaderName = Field("X-Forwarded-User", description="header that names the person")
    groups_header: HeaderName = Field("X-Forwarded-Groups", description="header that lists groups")
    groups_separator: Annotated[str, Field(min_length=1)] = Field(",", description="between two groups")
    from_: Annotated[tuple[Network, ...], Field(min_length=1)] = Field(
        alias="from", description="whose word it is: the socket's peer, never a forwarded address"
    )
    secret_header: OptionalHeaderName = Field("", description="optional second lock")
    secret: SecretText | None = Field(None, description="what that header must hold")


class TicketSettings(Table):
    type: Literal["ticket"]
    name: Name = Field(description="told in metrics and audit")
    issuer: GuardedUrl = Field(description="the portal that signs")
    audience: str = Field("", description="= `server.public_url`")
    algorithms: Annotated[tuple[TicketAlgorithm, ...], Field(min_length=1)] = Field(("EdDSA",), description="accepted")
    public_key: SecretText | None = Field(None, description="the portal's public key, PEM")
    secret: SecretText | None = Field(None, description="for HS256, 32 bytes or more")
    max_age: Duration = lasts("60s", "older than this, or made to live longer: refused")
    subject_claim: str = Field("sub", description="claim that names the person")
    groups_claim: str = Field("groups", description="claim that lists groups")

    @property
    def key(self) -> str:
        """The verification key's text."""
        chosen = self.public_key or self.secret
        return "" if chosen is None else chosen.reveal()


class OidcSettings(Table):
    type: Literal["oidc"]
    name: Name = Field(description="told in metrics and audit")
    issuer: GuardedUrl = Field(description="the identity provider")
    client_id: Annotated[str, Field(min_length=1)] = Field(description="as registered there")
    client_secret: SecretText | None = Field(None, description="as registered there")
    private_key: SecretText | None = Field(None, description="PEM, for `private_key_jwt`")
    client_auth: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] = Field(
        "client_secret_basic", description="how the client proves itself"
    )
    scopes: tuple[str, ...] = Field(("openid", "profile", "email", "groups"), description="asked for")
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = Field(
        ("RS256", "ES256", "EdDSA", "PS256"), description="accepted for ID tokens"
    )
    leeway: Duration = lasts("30s", "how far clocks may differ")
    subject_claim: str = Field("sub", description="claim that names the person")
    groups_claim: str = Field("groups", description="claim that lists groups")


IdentitySettings = Annotated[JwtSettings | HeaderSettings | TicketSettings | OidcSettings, Field(discriminator="type")]


class SessionSettings(Table):
    secrets: Annotated[tuple[SecretText, ...], Field(min_length=1)] = Field(
        description="`secret` or `secrets_file`, a line each: the first signs, all are accepted"
    )
    lifetime: Duration = lasts("8h", "a session's longest life")
    idle: Duration = lasts("1h", "without use; playing counts as use")


class StateSettings(Table):
    dir: Path | None = Field(None, description="where spent tickets, sign-outs and revocations are kept")


class GrantSettings(Table):
    name: Name = Field(description="told in metrics, audit and log")
    groups: tuple[str, ...] = Field((), description="any of these groups,")
    subjects: tuple[str, ...] = Field((), description='or any of these people; "*" is anyone signed in')
    recordings: tuple[str, ...] = Field(description="ids or globs")
    account: str = Field(description="as whom VALT is asked")
    delivery: Literal["proxy", "redirect"] = Field("proxy", description="how the bytes go")
    download: bool = Field(True, description="whether `?download` is allowed")
    rooms: tuple[str, ...] = Field((), description="globs of the room's name")
    authors: tuple[str, ...] = Field((), description="globs of the author's VALT user name")
    names: tuple[str, ...] = Field((), description="globs of the recording's name")
    template: dict[str, str] = Field({}, description="template field = glob of its value")
    created_within: Duration | None = Field(None, description="recorded no longer ago than this")
    author_is_me: bool = Field(False, description="the person recorded it")
    shared_with_me: bool = Field(False, description="VALT shares it with the person or a group of theirs")


class ExampleSettings(Table):
    subject: str = Field(description="who asks")
    groups: tuple[str, ...] = Field((), description="in which groups")
    recording: str = Field(description="for which recording")
    allowed: bool = Field(description="what the rules must say")
    room: str | None = Field(None, description="the recording's room")
    author: str | int | None = Field(None, description="the recording's author, by VALT user name or user id")
    name: str | None = Field(None, description="the recording's name")
    template: dict[str, str] = Field({}, description="the recording's template fields")
    age: Duration | None = Field(None, description="how long ago it was recorded")
    shared_users: tuple[int, ...] = Field((), description="VALT user ids it is shared with")
    shared_groups: tuple[int, ...] = Field((), description="VALT user group ids it is shared with")


class RecordingsSettings(Table):
    ttl: Duration = lasts("1m", "how long a recording's details are believed")


class ServiceKeySettings(Table):
    name: Name = Field(description="its subject, and the user name at `/api/v3/login`")
    secret_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(description="hex, of the key's text")
    groups: tuple[str, ...] = Field((), description="groups it counts as being in")
    expires: date | None = Field(None, description="the last day on which it is good")


class BrandingSettings(Table):
    name: str = Field("Recordings", description="shown on every page")
    logo_file: Picture | None = Field(None, description="SVG, PNG, WebP or JPEG, shown on every page")
    help_url: str = Field("", description='where "help" leads on every page: your portal, say')
    frame_ancestors: tuple[Origin, ...] = Field((), description="portals that may embed the watch page")


class AuditSettings(Table):
    file: Annotated[str, Field(min_length=1)] = Field(
        "-", description='`"-"` is standard output; mode 0600; reopened on SIGHUP'
    )


class LogSettings(Table):
    format: Literal["json", "console"] = Field("json", description="on standard error")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level told")


class Settings(Table):
    """The whole file."""

    server: ServerSettings
    admin: AdminSettings = AdminSettings()
    valt: ValtSettings
    links: LinksSettings = LinksSettings()
    streams: StreamsSettings = StreamsSettings()
    limits: LimitsSettings = LimitsSettings()
    identity: tuple[IdentitySettings, ...] = ()
    session: SessionSettings | None = None
    state: StateSettings = StateSettings()
    grants: tuple[GrantSettings, ...] = ()
    examples: tuple[ExampleSettings, ...] = ()
    recordings: RecordingsSettings = RecordingsSettings()
    service_keys: tuple[ServiceKeySettings, ...] = ()
    branding: BrandingSettings = BrandingSettings()
    audit: AuditSettings = AuditSettings()
    log: LogSettings = LogSettings()
