"""Texts that are hardly a secret as they stand: what a file or a template has around it, or what names it elsewhere."""

import json
import re

from gateway.model import Secret
from gateway.settings.values import UNREAD

UNSENDABLE = (
    "has characters that no header carries, such as line ends",
    "write it in one line, without spaces around it",
)
"""Reason and remedy of a secret that is compared with a header."""
UNSEEN = "has spaces around it, or characters that nobody sees"
UNEXPANDED = re.compile(r".*(\$\{[A-Za-z_]\w*\}|\{\{[^{}]+\}\}|\$\([^()]+\)).*", re.ASCII | re.DOTALL)
"""What a shell or a template would have replaced."""
_ASSIGNMENT = re.compile(
    r"(export +)?(\w{1,40}_)?(secret|token|password|key)(_\w{1,40})?( ?= ?[^=\s]|: )", re.ASCII | re.IGNORECASE
)
"""How a file of environment variables or of YAML begins: with a name that is a secret's, and never a secret in
Base64."""
_ELSEWHERE = re.compile(
    r"<[^<>]+>|ENC\[.*\]|(file|env|vault|op|https?):\S+|arn:aws:\S+|(/[a-z0-9._-]+){2,}|\$[A-Z][A-Z0-9_]{3,}", re.ASCII
)
"""A placeholder, or the name of a secret: of a file, a variable, or an entry of a vault. Base64 has capitals."""
_COMMENT = re.compile(r"(#|;|//|--) ")
"""How a comment begins in files of other kinds."""
_SSH_KEYS = ("ssh-", "ecdsa-sha2-")


def is_elsewhere(text: str) -> bool:
    """Whether *text*, a user's or a client's name, is a placeholder, or the name of what is elsewhere. A client's name
    may be an https URL."""
    return _ELSEWHERE.fullmatch(text) is not None and not text.startswith("http")


def is_sendable(secret: Secret) -> bool:
    """Whether a header can carry *secret* (RFC 9110, section 5.5)."""
    text = secret.reveal()
    return text == UNREAD or (text.strip() == text and text.replace("\t", " ").isprintable())


def secret_doubt(secret: Secret, *, is_bearer: bool, may_be_pem: bool) -> str | None:
    """Returns what is doubtful about *secret*. *is_bearer*: it is a bearer token; *may_be_pem*: it may be any text that
    nobody else has, and so a private key."""
    text = secret.reveal()
    if text == UNREAD:
        return None
    if text.lstrip().startswith("-----") or text.startswith(_SSH_KEYS):
        is_private = "PRIVATE KEY-----" in text and len(text.splitlines()) > 1
        return None if is_private and may_be_pem else "is a key, a certificate or a line of one, and no secret"
    if _is_json(text):
        return None if '"kty"' in text else "is JSON, all of which is the secret"
    if _ELSEWHERE.fullmatch(text):
        return "is a placeholder or the name of a secret that is elsewhere"
    if UNEXPANDED.fullmatch(text):
        return "has ${}, $() or {{}}, which is not replaced"
    if _COMMENT.match(text):
        return "begins as a comment does, and there are no comments in a secret's file"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return "has quotes around it, which are part of the secret"
    if is_bearer and text.lower().startswith("bearer "):
        return "begins with Bearer, which clients write before the token"
    if _ASSIGNMENT.match(text):
        return "begins with a name and = or :, and only the secret itself belongs there"
    if len(text.splitlines()) > 1:
        return "has several lines, which are one secret"
    return None if text == text.strip() and text.isprintable() else UNSEEN


def _is_json(text: str) -> bool:
    """Whether *text* is an object or an array in JSON."""
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
