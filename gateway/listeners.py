"""The public and the admin listener, as the settings have them."""

from pathlib import Path

from cryptography import x509

from gateway.events import LogEvent
from gateway.ports import Clock, Observer
from gateway.process_tracing import ProcessTracing
from gateway.settings.model import Settings
from gateway.sockets import PassedSockets
from gateway.web.dispatcher import Dispatcher
from gateway.web.handlers.admin import AdminHandler
from gateway.web.http_server import MAX_FIELD, MAX_FIELD_WITH_TICKETS, HttpServer, counted, rejections
from gateway.web.listener import Certificate, Listener, connection_limit

_ADMIN_CONNECTIONS = 32
"""At once. A further client takes the place of one that requests or reads nothing, so that health checks go on."""


def public_listener(
    settings: Settings,
    dispatcher: Dispatcher,
    clock: Clock,
    tracing: ProcessTracing,
    passed: PassedSockets,
) -> Listener:
    """Returns the listener of *dispatcher*, not started. Raises OSError if its certificate cannot be used.

    *passed* are the sockets that systemd or a supervisor has passed on.
    """
    observer = tracing.observer
    return Listener(
        HttpServer(
            tracing.handler_of(dispatcher),
            rejections(clock, observer, dispatcher.error_renderer, tls=certificate_of(settings) is not None),
            request_factory=dispatcher.create_request,
            max_field=max_field(settings),
        ),
        settings.server.listen,
        certificate_of(settings),
        observer=observer,
        connections=allowed_connections(settings, observer),
        request_timeout=settings.limits.request_timeout,
        socket_mode=int(settings.server.socket_mode, 8),
        passed=passed,
    )


def admin_listener(
    settings: Settings, handler: AdminHandler, clock: Clock, observer: Observer, passed: PassedSockets
) -> Listener:
    """Returns the listener of *handler*, not started. *observer* counts no requests, it only logs."""
    return Listener(
        HttpServer(counted(handler), rejections(clock, observer)),
        settings.admin.listen,
        observer=observer,
        connections=_ADMIN_CONNECTIONS,
        request_timeout=settings.limits.request_timeout,
        socket_mode=int(settings.server.socket_mode, 8),
        passed=passed,
        close_idle=True,
    )


def apply_limits(listener: Listener, settings: Settings, observer: Observer) -> None:
    """Applies the limits of new *settings* to the public *listener*."""
    connections = allowed_connections(settings, observer)
    listener.set_limits(connections, settings.limits.request_timeout, max_field(settings))


def max_field(settings: Settings) -> int:
    """Returns how many bytes one header of a request may have."""
    return MAX_FIELD_WITH_TICKETS if settings.has_kerberos else MAX_FIELD


def allowed_connections(settings: Settings, observer: Observer) -> int:
    """Returns ``limits.connections``, or less where the descriptors do not suffice, which is logged."""
    configured = settings.limits.connections
    limit = connection_limit(configured)
    if limit < configured:
        message = "fewer connections than limits.connections: raise the limit of open files"
        observer.on_event(LogEvent("warning", message, (("connections", str(limit)),)))
    return limit


def certificate_of(settings: Settings) -> Certificate | None:
    """Returns the files of certificate and key, or None if the public listener speaks plain http."""
    certificate, key = settings.server.tls_cert_file, settings.server.tls_key_file
    return None if certificate is None or key is None else (Path(certificate), Path(key))


def certificate_expiry(settings: Settings) -> float | None:
    """Returns the Unix time at which the public listener's own certificate, the first of its file, expires.

    None without a certificate, or if it cannot be read: `Listener` says so where it loads the file.
    """
    certificate = certificate_of(settings)
    if certificate is None:
        return None
    try:
        return x509.load_pem_x509_certificate(certificate[0].read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None
