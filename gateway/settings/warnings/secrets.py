"""Warnings about secrets that can be guessed, and about one secret with two purposes: who has it for one has both."""

import hashlib
import re
from collections.abc import Iterator

from gateway.model import Secret
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings, OidcSettings
from gateway.settings.model import Settings
from gateway.settings.secret_texts import is_elsewhere
from gateway.settings.state_checks import parse_address
from gateway.settings.values import UNREAD

_GUESSABLE_BYTES = 16
_FEW_CHARACTERS = 5
_UNCHANGED = re.compile(
    rb"(change|replace)[-_ ]?(me|this|it|with)(?![a-z])|placeholder"
    rb"|your[-_ ]([0-9]+[-_ ]bit[-_ ])?(secret|token|password|key)"
    rb"|secret[-_ a-z]{0,40}[-_ ]at[-_ ]least[-_ ][0-9]+[-_ ](bit|byte|char)",
    re.IGNORECASE,
)
"""What documentation and other products' files have where a secret belongs."""
_NEXT = (b"9a", b"9A", b"90")
GENERATE = "make one with: openssl rand -base64 48"
_OF_PROVIDERS = ("secret", "client_secret")


def secret_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    first: dict[str, str] = {}
    alike = _alike(settings)
    for key, secret in entered_secrets(settings):
        text = secret.reveal()
        if text == UNREAD:
            continue
        if not key.endswith((".password", ".client_secret", ".url")):  # the gateway's own: others choose the rest
            why = guessable(text.encode())
            if why is not None:
                yield Fault(key, None, f"{why}, so that it can be guessed", GENERATE)
        elif _UNCHANGED.fullmatch(text.encode()):
            yield Fault(key, None, "is the text of an example", "write the one that is in use")
        other = first.setdefault(text, key)
        same_purpose = key in alike and alike.get(key) == alike.get(other)
        if other != key and not same_purpose and not (key.endswith(".password") and other.endswith(".password")):
            reason = f"is the same as {other}: whoever knows one of the two can do what the other allows"
            yield Fault(key, None, reason, GENERATE)
    yield from _public_secrets(settings)
    hashes = {hashlib.sha256(text.encode()).hexdigest(): key for text, key in first.items()}
    for number, service_key in enumerate(settings.service_keys):
        if service_key.secret_sha256 in hashes:
            reason = f"is the hash of {hashes[service_key.secret_sha256]}: whoever knows that has this key"
            yield Fault(f"service_keys.{number}.secret_sha256", None, reason, "make one with: valt-gateway key mint")


def _public_secrets(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each name that is a placeholder, and for each secret that is the name beside it."""
    pairs = [
        (f"valt.accounts.{name}", "username", one.username, "password", one.password)
        for name, one in settings.valt.accounts.items()
    ]
    pairs += [
        (f"identity.{number}", "client_id", one.client_id, "client_secret", one.client_secret or Secret(UNREAD))
        for number, one in enumerate(settings.identity)
        if isinstance(one, OidcSettings)
    ]
    for table, key, name, secret_key, secret in pairs:
        if is_elsewhere(name):
            reason = "is a placeholder or the name of something that is elsewhere"
            yield Fault(f"{table}.{key}", None, reason, "write the name itself")
        if secret == Secret(name):
            yield Fault(
                f"{table}.{secret_key}", None, f"is the same as {key}, which is no secret", "correct one of them"
            )


def _alike(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Returns by the key of each secret that can have one value only who presents it where: providers of one front's
    header, or of one client of an identity provider, have the same one."""
    purposes: dict[str, tuple[str, ...]] = {}
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, HeaderSettings):
            purposes[f"identity.{number}.secret"] = (provider.secret_header.lower(),)
        elif isinstance(provider, OidcSettings):
            purposes[f"identity.{number}.client_secret"] = (provider.issuer, provider.client_id)
    return purposes


def guessable(secret: bytes) -> str | None:
    """Returns why *secret* can be guessed, None if it is long enough, nobody's example, and does not repeat itself."""
    if len(secret) < _GUESSABLE_BYTES:
        return f"is shorter than {_GUESSABLE_BYTES} bytes"
    if len(set(secret)) < _FEW_CHARACTERS:
        return "repeats a few characters"
    pairs = [secret[place : place + 2] for place in range(len(secret) - 1)]
    if sum(abs(pair[0] - pair[1]) > 1 and pair not in _NEXT for pair in pairs) < _FEW_CHARACTERS:
        return "counts up or down"
    if _UNCHANGED.search(secret) is not None:
        return "is the text of an example"
    # A text that consists of repetitions is found in its own double before its end.
    period = (secret + secret).find(secret, 1)
    return "repeats a few characters" if period < min(len(secret), _GUESSABLE_BYTES) else None


def entered_secrets(settings: Settings) -> Iterator[tuple[str, Secret]]:
    """Yields every secret that the operator chooses or enters, with its dotted key. Keys in PEM have other checks."""
    session = settings.session.secrets if settings.session else ()
    given: list[tuple[str, Secret | None]] = [("session.secret", one) for one in session]
    given += [("admin.token", settings.admin.token), ("state.secret", settings.state.secret)]
    redis = parse_address(settings.state)
    if redis is not None:
        given += [("state.url", redis.password), ("state.url", redis.sentinel_password)]
    for number, provider in enumerate(settings.identity):
        given += [(f"identity.{number}.{name}", getattr(provider, name, None)) for name in _OF_PROVIDERS]
    given += [(f"valt.accounts.{name}.password", account.password) for name, account in settings.valt.accounts.items()]
    yield from ((key, secret) for key, secret in given if secret is not None)
