"""Why a request to another server failed, in words for the operator's log: the place, and the system's or TLS's reason.

Never a URL, which may hold a token.
"""

import os
import socket
import ssl

import aiohttp


def describe_failure(error: Exception, place: str = "") -> str:
    """Returns the reason of *error*, after the host and port that it names, or else after *place*."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"{error.host}:{error.port}: {_describe(error.certificate_error)}"
        case aiohttp.ClientConnectorError():
            return f"{error.host}:{error.port}: {_describe(error.os_error)}"
        case _:
            return f"{place}: {_describe(error)}" if place else _describe(error)


def _describe(error: Exception) -> str:
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the outbound proxy returned status {error.status}"
        case TimeoutError():
            return "it did not respond in time"
        case EOFError() | ssl.SSLEOFError() | aiohttp.ServerDisconnectedError() | ConnectionError(errno=None):
            return "it closed the connection before its response was complete"
        case ssl.SSLCertVerificationError():
            return f"certificate verify failed: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS: {error.reason or type(error).__name__}"
        case socket.gaierror():
            return error.strerror or type(error).__name__
        case OSError(errno=int(number)):
            return os.strerror(number)
        case OSError():  # several addresses were tried: it names each with its reason
            return str(error) or type(error).__name__
        case _:
            return type(error).__name__
