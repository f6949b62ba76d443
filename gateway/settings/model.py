"""The configuration file as types. Durations are seconds and sizes bytes once they are read.

A key without a default is required. No secret, trusted proxy or rule has a default.
"""

from datetime import tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from gateway.settings.addresses import HostName, HostPort, Listen, OptionalPageUrl, Origin, RedisAddress, ValtUrl
from gateway.settings.grants import ExampleSettings, GrantSettings
from gateway.settings.identity import IdentitySettings, JwtSettings, NegotiateSettings
from gateway.settings.networks import ProxyNetwork
from gateway.settings.outputs import AuditSettings, LogSettings, TracingSettings
from gateway.settings.paths import FilePath, Image
from gateway.settings.values import (
    Color,
    Count,
    Day,
    Duration,
    Name,
    PositiveCount,
    SecretText,
    SocketMode,
    Table,
    Text,
    TimeZone,
    ValtUser,
    Workers,
    duration_field,
)


class ServerSettings(Table):
    listen: Listen = Field(
        "127.0.0.1:8080", description="address of the public listener, `unix:/path`, or `systemd:NAME`"
    )
    socket_mode: SocketMode = Field("0660", description="permissions of a unix socket, the admin listener's too")
    public_url: Origin = Field(description="the address that browsers use; every link and cookie is made from it")
    trusted_proxies: tuple[ProxyNetwork, ...] = Field(
        (), description="proxies whose X-Forwarded-For and X-Request-ID are used, by the socket's own peer address"
    )
    tls_cert_file: FilePath | None = Field(None, description="certificate chain for https; read again on SIGHUP")
    tls_key_file: FilePath | None = Field(None, description="private key of the certificate; read again on SIGHUP")
    cors_origins: tuple[Origin, ...] = Field((), description="portals on another site that embed videos")
    workers: Workers = Field(1, description='processes that share the port; `"auto"` is one for each CPU')
    drain_timeout: Duration = duration_field(
        "60s", "time that running streams and requests have to finish after SIGTERM", at_most="1d"
    )
    shutdown_delay: Duration = duration_field(
        "0s", "time after SIGTERM in which requests are still accepted", at_most="1d"
    )
    timezone: TimeZone = Field("", description="of the days in rules, as in `Europe/Berlin`; empty is the machine's")

    @property
    def zone(self) -> tzinfo | None:
        """The time zone; None is the machine's."""
        return ZoneInfo(self.timezone) if self.timezone else None


class AdminSettings(Table):
    listen: Listen = Field(
        "127.0.0.1:9464", description="address of metrics, health and readiness, as above; never public"
    )
    hosts: tuple[HostName, ...] = Field((), description="names that Host may have besides localhost and IP addresses")
    token: SecretText | None = Field(None, description="bearer token for all but `/healthz` and `/readyz`")


class AccountSettings(Table):
    username: Text = Field(description="VALT user name, local or LDAP")
    password: SecretText = Field(description="password of the VALT user")


class ValtSettings(Table):
    base_url: ValtUrl = Field(description="VALT's address, without /api")
    media_hosts: tuple[HostPort, ...] = Field(
        (), description="host:port that links may name besides the API's own host"
    )
    ca_file: FilePath | None = Field(None, description="private CA for API and media servers")
    connect_timeout: Duration = duration_field(
        "5s", "time limit of a connection attempt, TLS included", at_most="5m", positive=True
    )
    read_timeout: Duration = duration_field(
        "30s",
        "API: limit of a whole call; media: limit of a silence (a whole head without a length: ten times that)",
        at_most="1h",
        positive=True,
    )
    token_ttl: Duration = duration_field(
        "6h", "access tokens are renewed before this age", at_most="30d", positive=True
    )
    version: Annotated[str, Field(pattern=r"^([0-9][0-9A-Za-z.+-]*)?$")] = Field(
        "", description="VALT's version as reported to clients written for VALT, where VALT does not disclose it"
    )
    accounts: dict[Name, AccountSettings] = Field({}, description="VALT users that the gateway acts as")
    people: dict[str, ValtUser] = Field({}, description="SSO subject = VALT user name or user id, where they differ")
    groups: dict[str, Count] = Field({}, description="SSO group = VALT user group id")


class LinksSettings(Table):
    margin: Duration = duration_field("30s", "a cached link is not used again in its last seconds", at_most="1h")
    min_life: Duration = duration_field(
        "5m", "minimum remaining lifetime of a link given out by redirect", at_most="1d"
    )
    negative_ttl: Duration = duration_field("5s", 'how long "not found" is cached', at_most="1h")
    max_entries: PositiveCount = Field(100_000, description="maximum number of cached links")


class StreamsSettings(Table):
    resume_tries: Count = Field(5, description="attempts to resume a stream without any progress")
    upstream_idle: Duration = duration_field(
        "30s",
        "if the client reads nothing for this long, the connection to the media server is closed",
        at_most="1d",
        positive=True,
    )
    viewer_idle: Duration = duration_field(
        "4h", "if the client reads nothing for this long, its stream is cut", at_most="7d", positive=True
    )


class LimitsSettings(Table):
    streams: PositiveCount = Field(2000, description="streams at once, in all")
    streams_per_person: Count = Field(64, description="streams at once; 0 is no limit")
    streams_per_address: Count = Field(512, description="streams at once; 0 is no limit")
    waiting_for_valt: PositiveCount = Field(
        200,
        description="requests waiting for VALT's API at once; one person may have half, and 16 of the 32 connections",
    )
    requests_per_minute: Count = Field(0, description="requests of a person; 0 is no limit")
    refusals_per_minute: PositiveCount = Field(
        60, description="lines in audit and log that an address without a proven identity may cause"
    )
    connections: PositiveCount = Field(
        20_000, description="connections to the public listener at once, at most half of the descriptors"
    )
    request_timeout: Duration = duration_field(
        "30s", "time in which a request's head and body must have arrived", at_most="10m", positive=True
    )


class SessionSettings(Table):
    secrets: Annotated[tuple[SecretText, ...], Field(min_length=1)] = Field(
        description="`secret` or `secrets_file`, one per line: the first signs, all are accepted"
    )
    lifetime: Duration = duration_field("8h", "longest life of a session", positive=True)
    idle: Duration = duration_field(
        "1h", "a session without use for this long ends; playing counts as use", positive=True
    )


class StateSettings(Table):
    dir: FilePath | None = Field(None, description="directory of used tickets, sign-outs and revocations")
    url: RedisAddress | None = Field(
        None, description="instead of `dir`: `redis://…`, `rediss://…` or `redis+sentinel://…`, shared by replicas"
    )
    prefix: Text = Field("valt-gateway:", description="of every key and channel in Redis")
    secret: SecretText | None = Field(
        None, description="of the replicas, the same in all; required with `url`: encrypts what they share"
    )


class RecordingsSettings(Table):
    ttl: Duration = duration_field("1m", "how long a recording's details are cached", at_most="1h")


class ServiceKeySettings(Table):
    name: Name = Field(description="its subject, and the user name at `/api/v3/login`")
    secret_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(description="hex, of the key's text")
    groups: tuple[str, ...] = Field((), description="groups of the key")
    expires: Day | None = Field(None, description="last day on which the key is valid, in UTC")


class BrandingSettings(Table):
    name: str = Field("Recordings", description="title of every page")
    logo_file: Image | None = Field(None, description="SVG, PNG, WebP or JPEG, on every page")
    help_url: OptionalPageUrl = Field("", description='target of "help" on every page, for example the portal')
    frame_ancestors: tuple[Origin, ...] = Field((), description="portals that may embed the watch page")
    accent_color: Color = Field("", description="`#rrggbb`, of links and buttons; made darker or lighter to be legible")
    notice: str = Field("", description='a sentence on every page, such as "viewing is recorded"')
    privacy_url: OptionalPageUrl = Field("", description='target of "privacy" on every page')
    language: Literal["auto", "de", "en", "es"] = Field("auto", description="of the pages; auto is the browser's")


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
    tracing: TracingSettings = TracingSettings()
    log: LogSettings = LogSettings()

    @property
    def has_kerberos(self) -> bool:
        """Whether Kerberos tickets are accepted."""
        return any(isinstance(table, NegotiateSettings) for table in self.identity)

    @property
    def longest_proof(self) -> float:
        """For how many seconds a session, or a token of a provider, is valid at most."""
        tokens = (table.max_lifetime for table in self.identity if isinstance(table, JwtSettings))
        return max(0.0 if self.session is None else self.session.lifetime, *tokens, 0.0)
