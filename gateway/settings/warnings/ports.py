"""Warnings about listeners, and addresses that cannot answer: a port of another protocol, or the own listeners."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.settings.addresses import EVERY_ADDRESS, https_fault, is_loopback, is_loopback_host, split_listen
from gateway.settings.faults import Fault
from gateway.settings.identity import RemoteProvider
from gateway.settings.model import Settings
from gateway.settings.networks import is_wide
from gateway.settings.open_listeners import open_listener_warnings
from gateway.settings.state_checks import parse_address

_LONGEST_STOP = 80.0
"""Seconds. The unit in deploy/ ends the process 90 s after SIGTERM."""
_OTLP_OVER_GRPC, _SENTINEL = 4317, 26379
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEMES = {port: scheme for scheme, port in _DEFAULT_PORTS.items()}


def listener_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    yield from open_listener_warnings(settings)
    server = settings.server
    for number, network in enumerate(server.trusted_proxies):
        if is_wide(network):
            reason = f"contains many addresses ({network}), each of which may state any client address"
            yield Fault(f"server.trusted_proxies.{number}", None, reason, "list the addresses of your own proxies")
    if server.drain_timeout + server.shutdown_delay > _LONGEST_STOP:
        names = ["drain_timeout", "shutdown_delay"]
        names.sort(key=lambda name: name not in server.model_fields_set)  # a default has no line
        reason = f"and {names[1]} are together longer than 80s; the shipped systemd unit ends the process after 90s"
        yield Fault(f"server.{names[0]}", None, reason, "shorten them, or raise TimeoutStopSec of the unit")


def port_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    server, tracing = settings.server, "tracing.otlp_endpoint"
    called = dict(_called_urls(settings))
    for key, url in {"server.public_url": server.public_url, **called}.items():
        split = urlsplit(url)
        expected = _SCHEMES.get(split.port or 0, split.scheme)
        if expected != split.scheme and (expected == "http" or is_loopback(url)):  # valt.py warns of other http
            reason = f"is {split.scheme} on port {split.port}, where servers speak {expected}"
            yield Fault(key, None, reason, "correct the scheme or the port")
    if urlsplit(called.get(tracing, "")).port == _OTLP_OVER_GRPC:
        reason = "has the port of OTLP over gRPC, and the gateway sends OTLP over HTTP"
        yield Fault(tracing, None, reason, "write the collector's port for HTTP, usually 4318")
    redis = parse_address(settings.state)
    if redis is not None and redis.service is None and any(port == _SENTINEL for _, port in redis.hosts):
        reason = "has the port of Sentinels, which store nothing"
        yield Fault("state.url", None, reason, 'write "redis+sentinel://HOST/SERVICE", or the port of Redis')
    for number, host in enumerate(settings.valt.media_hosts):
        if host.endswith(":80") and settings.valt.base_url.startswith("https:"):
            reason = "has the port of http, and links must be https because base_url is"
            yield Fault(f"valt.media_hosts.{number}", None, reason, "list the port that VALT's links name")
    yield from _own_port(settings)
    for key, url in called.items():
        for table in (server, settings.admin):
            if "listen" in table.model_fields_set and _is_of_listener(url, table.listen):
                yield Fault(key, None, f"is the gateway's own listener, {table.listen}", "correct one of the two")


def _called_urls(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yields the keys of the URLs that the gateway requests, with their values."""
    yield "valt.base_url", settings.valt.base_url
    yield "tracing.otlp_endpoint", settings.tracing.otlp_endpoint
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, RemoteProvider):
            jwks_url = getattr(provider, "jwks_url", "")
            names = [name for name in ("jwks_url", "discovery_url", "proxy_url") if getattr(provider, name, "")]
            yield from ((f"identity.{number}.{name}", getattr(provider, name)) for name in names)
            if (
                not jwks_url and not provider.discovery_url and https_fault(provider.issuer) is None
            ):  # else it is any text
                yield f"identity.{number}.issuer", provider.issuer


def _own_port(settings: Settings) -> Iterator[Fault]:
    """Yields a warning if the public listener has the port of https and speaks http, or the reverse."""
    server = settings.server
    port = (split_listen(server.listen) or ("", 0))[1]
    if port == _DEFAULT_PORTS["https"] and server.tls_cert_file is None and server.public_url.startswith("https:"):
        reason = "has the port of https, and without tls_cert_file http is spoken there"
        yield Fault("server.listen", None, reason, "give tls_cert_file and tls_key_file, or choose another port")
    if port == _DEFAULT_PORTS["http"] and server.tls_cert_file is not None:
        reason = "has the port of http, and with tls_cert_file https is spoken there"
        yield Fault("server.listen", None, reason, "choose another port, usually 443")


def _is_of_listener(url: str, listen: str) -> bool:
    """Whether a request to *url* certainly arrives at the listener *listen*."""
    address, split = split_listen(listen), urlsplit(url)
    port, host = split.port or _DEFAULT_PORTS.get(split.scheme, 0), split.hostname or ""
    if address is None or address[1] != port:
        return False
    own = address[0].lower()
    is_local = is_loopback_host(host) and (
        own in EVERY_ADDRESS or (is_loopback_host(own) and "localhost" in (host, own))
    )
    return host == own or is_local
