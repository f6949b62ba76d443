"""Warnings about certificates that can be read and that clients, or the gateway itself, refuse."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.network import parse_address
from gateway.settings.addresses import is_loopback_host, split_listen
from gateway.settings.faults import Fault
from gateway.settings.files import authority_files, read_certificates
from gateway.settings.identity import HeaderSettings
from gateway.settings.model import Settings

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def certificate_warnings(settings: Settings, now: datetime) -> Iterator[Fault]:
    """Yields the warnings, without lines. *now* decides what has expired."""
    for key, path in authority_files(settings):
        ends = max(map(_end_of, ssl.create_default_context(cafile=path).get_ca_certs()), default=None)
        if ends is None or ends <= now.timestamp():  # a server's own, which OpenSSL does not list, may be trusted too
            ends = max((one.not_valid_after_utc.timestamp() for one in read_certificates(path)), default=ends)
        if ends is not None and ends <= now.timestamp():
            day = datetime.fromtimestamp(ends, UTC).date()
            reason = f"has no certificate that is valid: the last one expired on {day}"
            yield Fault(key, None, reason, "name the new one")
    file = settings.server.tls_cert_file
    certificates = () if file is None else read_certificates(file)
    if certificates:
        yield from _own_warnings(certificates[0], settings, now)


def _end_of(authority: dict[str, Any]) -> float:
    return ssl.cert_time_to_seconds(authority["notAfter"])


def _own_warnings(certificate: "Certificate", settings: Settings, now: datetime) -> Iterator[Fault]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if ends <= now:
        yield Fault("server.tls_cert_file", None, f"has expired on {ends:%Y-%m-%d}", "renew it")
    elif begins > now:
        yield Fault(
            "server.tls_cert_file", None, f"is not valid before {begins:%Y-%m-%d %H:%M} UTC", "is the clock right?"
        )
    host = urlsplit(settings.server.public_url).hostname or ""
    if _is_reached_directly(settings) and not _is_for(certificate, host):
        reason = f"is not for {host}, the host of public_url: browsers refuse it"
        yield Fault("server.tls_cert_file", None, reason, "have it issued for that name, or correct public_url")


def _is_reached_directly(settings: Settings) -> bool:
    """Whether no front is configured, for which the certificate may have another name."""
    address = split_listen(settings.server.listen)
    has_front = bool(settings.server.trusted_proxies) or any(
        isinstance(one, HeaderSettings) for one in settings.identity
    )
    return address is not None and not is_loopback_host(address[0]) and not has_front


def _is_for(certificate: "Certificate", host: str) -> bool:
    """Whether *certificate* is for *host* (RFC 6125, section 6.4.3: a wildcard is the whole left-most label). So is one
    whose extensions OpenSSL alone reads."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return True
    address = parse_address(host)
    if address is not None:
        return address in names.get_values_for_type(x509.IPAddress)
    dns = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    return host in dns or f"*.{host.partition('.')[2]}" in dns
