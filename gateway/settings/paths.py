"""The types of files and directories. A value that is none, such as a URL or a key's text, is a fault that does not
repeat it: it may hold a password.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from gateway.settings.file_access import remedy_of_unreadable
from gateway.settings.values import ANY_FILE, Text, fault

_MAX_PATH = 4095
"""Bytes (PATH_MAX of Linux, without the final NUL)."""
_MINIMUM_KEY = 32
_MAXIMUM_KEY = 65_536
_MAXIMUM_IMAGE = 1 << 20
_IMAGES = {
    ".svg": (b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg"),
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".webp": (b"RIFF",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
}
"""What a file with such a name begins with. An SVG may have white space or a byte order mark in front of it."""

_PATHS = (
    ("server", "tls_cert_file"),
    ("server", "tls_key_file"),
    ("valt", "ca_file"),
    ("state", "dir"),
    ("branding", "logo_file"),
    ("audit", "chain_key_file"),
)
_PATHS_OF_PROVIDERS = ("ca_file", "keytab_file")


def resolve_paths(raw: dict[str, Any], folder: Path) -> None:
    """Make the paths in *raw* absolute: in the file they are relative to its *folder*. An empty one is None, and text
    that is no path stays as it is."""
    providers = raw.get("identity")
    places = [(raw.get(table), key) for table, key in _PATHS]
    for provider in providers if isinstance(providers, list) else ():
        places += [(provider, key) for key in _PATHS_OF_PROVIDERS]
    for node, key in places:
        value = node.get(key) if isinstance(node, dict) else None
        if isinstance(node, dict) and isinstance(value, str) and (not value or is_path(value)):
            node[key] = str((folder / value).absolute()) if value else None
    for table in ("server", "admin"):
        node = raw.get(table)
        listen = node.get("listen") if isinstance(node, dict) else None
        if (
            isinstance(node, dict)
            and isinstance(listen, str)
            and listen.startswith("unix:")
            and is_socket_path(listen[5:])
        ):
            node["listen"] = f"unix:{(folder / listen[5:]).absolute()}"
    audit = raw.get("audit")
    file = audit.get("file") if isinstance(audit, dict) else None
    if isinstance(audit, dict) and isinstance(file, str) and file != "-" and is_path(file):
        end = "/" if file.endswith("/") else ""
        audit["file"] = f"{(folder / file).absolute()}{end}"


def is_path(text: str) -> bool:
    """Whether *text* can be meant as a path: it is no URL, has one line, and is as short as the system allows."""
    return "://" not in text and len(text.splitlines()) == 1 and len(text.encode()) <= _MAX_PATH


def is_socket_path(text: str) -> bool:
    """Whether *text* can be meant as the path of a unix socket: not as an abstract socket's name or as a directory, nor
    as nginx writes it, with a colon at the end."""
    return is_path(text) and not text.startswith("@") and not text.endswith(("/", ":"))


def _file_path(value: Any) -> Any:
    if isinstance(value, str) and value and not is_path(value):
        raise fault("is not a path", "name the file or directory, not a URL or the content")
    return value


def _accepts_any_file(info: ValidationInfo) -> bool:
    return isinstance(info.context, Mapping) and info.context.get(ANY_FILE) is True


def _image(value: Path, info: ValidationInfo) -> Path:
    begins = _IMAGES.get(value.suffix.lower())
    if begins is None:
        raise fault("is not an image file", "name a file that ends in .svg, .png, .webp, .jpg or .jpeg")
    if _accepts_any_file(info):
        return value
    content = _content(value, _MAXIMUM_IMAGE, "name a file that the service may read")
    if not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(begins):
        raise fault(f"has no {value.suffix} image, and everybody may read it", "name the image, as its name says")
    return value


def _key_file(value: Path, info: ValidationInfo) -> Path:
    if _accepts_any_file(info):
        return value
    content = _content(value, _MAXIMUM_KEY, remedy_of_unreadable(value))
    if len(content.strip()) < _MINIMUM_KEY:
        raise fault(f"has less than {_MINIMUM_KEY} bytes", "make one with: openssl rand -base64 48")
    return value


def _content(path: Path, maximum: int, remedy: str) -> bytes:
    """Returns the content of *path*. Raises the fault of one that is missing, unreadable or longer than *maximum*."""
    if not os.access(path, os.R_OK) or not path.is_file():
        raise fault("does not exist or cannot be read", remedy)
    if path.stat().st_size > maximum:
        raise fault(f"has more than {maximum} bytes", "name a smaller file")
    try:
        return path.read_bytes()
    except OSError as error:  # a security module refuses it, or it is a file of /proc
        raise fault(f"cannot be read: {error.strerror}", remedy) from None


FilePath = Annotated[Path, BeforeValidator(_file_path)]
FilePathText = Annotated[Text, BeforeValidator(_file_path), WithJsonSchema({"type": "string", "minLength": 1})]
"""A path as text, or a dash."""
KeyFile = Annotated[FilePath, AfterValidator(_key_file)]
Image = Annotated[FilePath, AfterValidator(_image)]
