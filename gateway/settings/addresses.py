"""The types of addresses: URLs, origins, listeners, host and port. Each fault has a reason and a remedy.

A value reaches response headers (frame_ancestors, media_hosts) and links (help_url), so that the characters of each are
limited to those of RFC 3986, and wildcards are refused.
"""

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.model import Secret
from gateway.network import parse_address
from gateway.redis_url import parse_redis_url
from gateway.settings.paths import is_socket_path
from gateway.settings.values import UNREAD, fault

_LOOPBACK = ("localhost", "ip6-localhost", "ip6-loopback", "127.0.0.1", "::1")
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.ASCII)
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*", re.ASCII)
_ENDS_IN_NUMBER = re.compile(r"(^|\.)[0-9]+\.?$", re.ASCII)
"""Such a host is an IPv4 address to browsers, or an error (WHATWG URL Standard, "ends in a number")."""
_AUTHORITY = re.compile(r"([^\[\]@:]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?", re.ASCII)
_MAX_UNIX_PATH = 107
_SOCKET_NAME = re.compile(r"[!-9;-~]{1,255}", re.ASCII)
"""``FileDescriptorName=`` of a socket unit: printable, without a colon (systemd.socket(5))."""
_REDIS_REMEDY = 'write "redis://host:6379", "rediss://user:password@host" or "redis+sentinel://host1,host2/service"'
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 (compared with, not bound)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(url: str) -> bool:
    """Whether *url*'s host is this machine."""
    return is_loopback_host(urlsplit(url).hostname or "")


def is_loopback_host(host: str) -> bool:
    """Whether *host*, an IPv6 address without brackets, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() in _LOOPBACK


def split_listen(listen: str) -> tuple[str, int] | None:
    """Returns host and port of an address to listen on, None for a unix socket or one that systemd opens."""
    if listen.startswith(("unix:", "systemd:")):
        return None
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _is_host(host: str, *, bracketed: bool = True, zone: bool = False) -> bool:
    """Whether *host* is a host name, an IPv4 address, or an IPv6 address, in brackets if *bracketed*, and with a *zone*
    (an interface of this machine) if that is allowed. A final dot is not: certificates and browsers compare without."""
    if bracketed and host.startswith("[") and host.endswith("]") and ":" in host:
        host, bracketed = host[1:-1], False
    if ":" in host and not bracketed:
        try:
            return ipaddress.ip_address(host).version == 6 and ("%" not in host or zone)
        except ValueError:
            return False
    if _ENDS_IN_NUMBER.search(host) is not None:
        return isinstance(parse_address(host), ipaddress.IPv4Address)
    return _HOST_NAME.fullmatch(host) is not None


def _split(value: str) -> SplitResult | None:
    """Returns the parts of an http(s) URL without user information, None if *value* is not one."""
    try:
        split = urlsplit(value)
        if _URL_CHARACTERS.fullmatch(value) is None or split.scheme not in _DEFAULT_PORTS or split.port == 0:
            return None
    except ValueError:
        return None
    is_plain = _AUTHORITY.fullmatch(split.netloc) is not None  # urlsplit ignores what stands beside brackets
    return split if is_plain and _is_host(split.hostname or "", bracketed=False) else None


def _url(value: str) -> str:
    split = _split(value)
    if split is None or "?" in value or "#" in value:
        raise fault("is not a plain http(s) URL", 'write it as "https://host.example.edu"')
    address = parse_address(split.hostname or "")
    if address is not None and address.is_unspecified:
        raise fault("has an address that one listens on, not one to connect to", "name the host itself")
    return value


def _valt_url(value: str) -> str:
    path = urlsplit(_url(value)).path
    if "api" in path.lower().split("/"):
        raise fault("contains VALT's API path, which the gateway appends itself", "leave out /api and what follows it")
    if "%" in path or "//" in path or {".", ".."} & set(path.split("/")):
        raise fault("has a path in an unusual spelling", "write it without %, // and dots as a part")
    return value


def _origin(value: str) -> str:
    split = urlsplit(_url(value))
    if split.path not in ("", "/"):
        raise fault("has a path", "give only scheme, host and port: the gateway answers at the root")
    _https_url(value)
    # As browsers write an origin (RFC 6454, section 6.2): it is compared with their Origin header.
    host = f"[{split.hostname}]" if ":" in (split.hostname or "") else split.hostname
    port = "" if split.port in (None, _DEFAULT_PORTS[split.scheme]) else f":{split.port}"
    return f"{split.scheme}://{host}{port}"


def _https_url(value: str) -> str:
    if urlsplit(_url(value)).scheme == "http" and not is_loopback(value):
        raise fault("is plain http and not loopback", "use https: access decisions depend on it")
    return value


def https_fault(value: str) -> tuple[str, str] | None:
    """Returns reason and remedy if *value* is neither a plain https URL nor http of loopback."""
    try:
        _https_url(value)
    except PydanticCustomError as error:
        context = error.context or {}
        return context["reason"], context["remedy"]
    return None


def _document_url_or_empty(value: str) -> str:
    if value:
        address, _, query = value.partition("?")
        _https_url(address)
        if "#" in query or _split(value) is None:
            raise fault(
                "has a character that no query has", 'write it as "https://host.example.edu/document?name=value"'
            )
    return value


def _page_url_or_empty(value: str) -> str:
    if not value:
        return value
    split = _split(value)
    if split is None or (split.scheme == "http" and not is_loopback(value)):
        raise fault("is not an https URL", 'write it as "https://host.example.edu/page"')
    return value


def _listen(value: str) -> str:
    if value.startswith("unix:") and is_socket_path(value[5:]):
        if len(value[5:].encode()) > _MAX_UNIX_PATH:
            raise fault(f"has a path of more than {_MAX_UNIX_PATH} bytes", "use a shorter path")
        return value
    if value.startswith("systemd:"):
        if _SOCKET_NAME.fullmatch(value.removeprefix("systemd:")) is None:
            raise fault("names no socket of systemd", 'write it as "systemd:NAME", with FileDescriptorName=NAME')
        return value
    host, _, port = value.rpartition(":")
    if not _is_host(host, zone=True) or not _is_port(port, least=0):
        remedy = 'write it as "127.0.0.1:8080", "[::1]:8080", "unix:/run/x.sock" or "systemd:NAME"'
        raise fault("is not an address to listen on", remedy)
    address = parse_address(host.strip("[]"))
    if isinstance(address, ipaddress.IPv6Address) and address.is_link_local and address.scope_id is None:
        raise fault("is a link-local address without its interface", f'write it as "{host[:-1]}%eth0]:{port}"')
    if address is not None and address.is_multicast:
        raise fault("is a multicast address, on which no connection arrives", "name an address of this machine")
    return value


def _host_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if "*" in value:
        raise fault("has a wildcard", "list each host and port: links with a token may lead to every one of them")
    if not _is_host(host) or not _is_port(port, least=1):
        raise fault("is not host:port", 'write it as "media.example.edu:8000"')
    return value.lower()


def _host_name(value: str) -> str:
    if not _is_host(value, bracketed=False):
        raise fault("is not a host name", 'write it without scheme and port: "gateway.example.edu"')
    return value.lower()


def _address(value: str) -> str:
    if parse_address(value) is None:
        raise fault("is not an IP address", 'write it as "10.0.0.7" or "fd00::7"')
    return value


def _is_port(text: str, *, least: int) -> bool:
    """Whether *text* is a port as others write it, without zeros in front."""
    return text.isascii() and text.isdigit() and text == str(int(text[:6])) and least <= int(text) <= 65535


def _redis_address(value: Any) -> Secret:
    """Returns the URL, which may hold a password, as a secret."""
    url = value if isinstance(value, Secret) else Secret(value if isinstance(value, str) else "")
    try:
        hosts = () if url == Secret(UNREAD) else parse_redis_url(url).hosts
    except ValueError as error:
        raise fault(str(error), _REDIS_REMEDY) from None
    if not all(_is_host(host, bracketed=False) for host, _ in hosts):
        raise fault("has a host or port that is not one", _REDIS_REMEDY)
    return url


Url = Annotated[str, AfterValidator(_url)]
RedisAddress = Annotated[Secret, BeforeValidator(_redis_address), WithJsonSchema({"type": "string"})]
ValtUrl = Annotated[str, AfterValidator(_valt_url)]
OptionalUrl = Annotated[str, AfterValidator(lambda value: _url(value) if value else value)]
Origin = Annotated[str, AfterValidator(_origin)]
HttpsUrl = Annotated[str, AfterValidator(_https_url)]
"""https, or http of loopback."""
OptionalDocumentUrl = Annotated[str, AfterValidator(_document_url_or_empty)]
"""A document that the gateway fetches: like `HttpsUrl`, with a query if the provider wants one (Entra: `?appid=ID`)."""
OptionalPageUrl = Annotated[str, AfterValidator(_page_url_or_empty)]
"""A page that people are sent to, with query and fragment."""
Listen = Annotated[str, AfterValidator(_listen)]
HostPort = Annotated[str, AfterValidator(_host_port)]
Address = Annotated[str, AfterValidator(_address)]
HostName = Annotated[str, AfterValidator(_host_name)]
