"""Warnings about secrets that others have or can guess, and about one secret with two purposes: who has it for one has
both."""

from collections.abc import Iterable, Iterator, Mapping

from gateway.model import Secret
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings, OidcSettings, TicketSettings
from gateway.settings.keys import essence
from gateway.settings.model import Settings
from gateway.settings.secret_texts import is_elsewhere
from gateway.settings.state_checks import parse_address
from gateway.settings.values import UNREAD
from gateway.settings.warnings.guesses import first_guesses, guessable, hashes_of, is_example, publication_of

GENERATE = "make one with: openssl rand -base64 48"
_NEW_CHAIN = (
    "make another in another file, for a new audit.file (openssl rand -base64 48), and keep this one: it alone "
    "verifies the lines until then"
)
_MINT = "make one with: valt-gateway key mint"
_SIGN = "openssl genpkey -algorithm ed25519"
_SIGNING = (".private_key", ".tls_key_file")
_OF_PORTAL = "have the portal make a key of its own"
_OF_PROVIDERS = ("secret", "client_secret")
_PUBLIC = (b"-----BEGIN CERT", b"-----BEGIN PUBLIC", b"-----BEGIN RSA PUBLIC", b"ssh-")
"""How certificates and public keys begin."""


def secret_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings about what can be compared without reading further files, without lines."""
    names = list(_names(settings))
    for key, name in names:
        if key.endswith((".username", ".client_id")) and is_elsewhere(name):
            reason = "is a placeholder or the name of something that is elsewhere"
            yield Fault(key, None, reason, "write the name itself")
    labels = {name.lower(): key for key, name in reversed(names)}
    guesses = first_guesses(name for _, name in names)
    entered = list(_entered(settings))
    for key, text in entered:
        doubt = _doubt(key, text, labels, guesses)
        if doubt is not None:
            yield Fault(key, None, *doubt)
    yield from _published_keys([*_signing_keys(settings), *_portal_keys(settings)])
    yield from _repeated(settings, {})
    yield from _hashes(settings, entered, guesses)


def secret_file_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings about keys that the settings hold the paths of, without lines."""
    paths = {
        "server.tls_key_file": settings.server.tls_key_file,
        "audit.chain_key_file": settings.audit.chain_key_file,
    }
    contents = {key: path.read_bytes().strip() for key, path in paths.items() if path is not None}
    texts = {key: content.decode(errors="replace") for key, content in contents.items()}
    for key, content in contents.items():
        if key == "server.tls_key_file":
            yield from _published_keys([(key, texts[key])])
            continue
        if content.startswith(_PUBLIC):
            yield Fault(key, None, "is a certificate or a public key, which everybody may have", _NEW_CHAIN)
        why = _why_open(texts[key], content)
        if why is not None:
            yield Fault(key, None, why, _NEW_CHAIN)
    private = {key: text for key, text in texts.items() if not contents[key].startswith(_PUBLIC)}
    if private:
        yield from _repeated(settings, private)


def _doubt(key: str, text: str, labels: Mapping[str, str], guesses: set[str]) -> tuple[str, str] | None:
    """Returns reason and remedy if somebody else has *text*, the secret *key*, or tries it early. *labels* are the keys
    of what is no secret, by their values in lower case."""
    is_own = not key.endswith((".password", ".client_secret", ".url"))  # others choose those
    why = _why_open(text, text.encode() if is_own else None)
    if why is not None:
        return why, GENERATE
    if not is_own and is_example(text.encode()):
        return "is the text of an example", "write the one that is in use"
    label = labels.get(text.lower())
    if label is not None:
        return f"is the same as {label}, which is no secret", "correct one of them"
    return ("is one of the first that anybody tries", "change it, there and here") if text in guesses else None


def _why_open(text: str, own: bytes | None) -> str | None:
    """Returns why others have the secret *text* or can guess it. *own* are its bytes, if the operator chose it."""
    source = publication_of(text)
    if source is not None:
        return f"is printed in {source}, so that everybody has it"
    why = None if own is None else guessable(own)
    return None if why is None else f"{why}, so that it can be guessed"


def _published_keys(keys: Iterable[tuple[str, str]]) -> Iterator[Fault]:
    """Yields a warning for each of *keys* whose private half is printed."""
    for key, text in keys:
        source = publication_of(text)
        if source is not None:
            reason = f"is printed in {source}, and so is its private half: everybody can sign with it"
            remedy = _OF_PORTAL if ".public_key" in key else f"make one with: {_SIGN}"
            yield Fault(key, None, reason, remedy)


def _repeated(settings: Settings, files: Mapping[str, str]) -> Iterator[Fault]:
    """Yields a warning for each secret that has another purpose too. If there are *files*, contents by their key, those
    about secrets that are in one of them."""
    alike = _alike(settings)
    first: dict[bytes, str] = {}
    for key, text in [*_entered(settings), *_signing_keys(settings), *files.items()]:
        other = first.setdefault(essence(text), key)
        same_purpose = key in alike and alike.get(key) == alike.get(other)
        if other != key and not same_purpose and (not files or key in files or other in files):
            reason = f"is the same as {other}: whoever knows one of the two can do what the other allows"
            yield Fault(key, None, reason, _other_secret(key, other))
    for key, text in _portal_keys(settings):
        private = first.get(essence(text))
        if private is not None and (not files or private in files):
            reason = f"is the public half of {private}: whoever has that can sign tickets"
            yield Fault(key, None, reason, _OF_PORTAL)


def _other_secret(key: str, other: str) -> str:
    """Returns the remedy for *key* that is the same as *other*: a key that signs is more than a random text, and its
    public half is elsewhere, so that *other* is replaced."""
    if key == "audit.chain_key_file":
        return _NEW_CHAIN
    if not key.endswith(_SIGNING):
        return GENERATE
    return f"make one for {other} with: {_SIGN if other.endswith(_SIGNING) else 'openssl rand -base64 48'}"


def _hashes(settings: Settings, entered: list[tuple[str, str]], guesses: set[str]) -> Iterator[Fault]:
    """Yields a warning for each service key whose hash is that of another secret, or of what is tried first."""
    if not settings.service_keys:
        return
    reasons = {
        digest: "is the hash of a common word, or of a name in this file: everybody can guess the key"
        for guess in guesses
        for digest in hashes_of(guess)
    }
    for key, text in reversed(entered):
        reasons |= dict.fromkeys(hashes_of(text), f"is the hash of {key}: whoever knows that has this key")
    for number, service_key in enumerate(settings.service_keys):
        reason = reasons.get(service_key.secret_sha256)
        if reason is not None:
            yield Fault(f"service_keys.{number}.secret_sha256", None, reason, _MINT)


def _alike(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Returns a purpose by the key of each secret that others with that purpose may have too: providers of one front's
    header, or of one client of an identity provider, VALT's users, and keys that sign, which no provider learns."""
    purposes: dict[str, tuple[str, ...]] = {
        f"valt.accounts.{name}.password": ("password",) for name in settings.valt.accounts
    }
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, HeaderSettings):
            purposes[f"identity.{number}.secret"] = (provider.secret_header.lower(),)
        elif isinstance(provider, OidcSettings):
            purposes[f"identity.{number}.client_secret"] = (provider.issuer, provider.client_id)
            purposes[f"identity.{number}.private_key"] = ("private_key",)
    return purposes


def _entered(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yields every secret that the operator chooses or enters and that has been read, with its dotted key."""
    session = settings.session.secrets if settings.session else ()
    given: list[tuple[str, Secret | None]] = [("session.secret", one) for one in session]
    given += [("admin.token", settings.admin.token), ("state.secret", settings.state.secret)]
    redis = parse_address(settings.state)
    if redis is not None:
        given += [("state.url", redis.password), ("state.url", redis.sentinel_password)]
    for number, provider in enumerate(settings.identity):
        given += [(f"identity.{number}.{name}", getattr(provider, name, None)) for name in _OF_PROVIDERS]
    given += [(f"valt.accounts.{name}.password", account.password) for name, account in settings.valt.accounts.items()]
    yield from ((key, secret.reveal()) for key, secret in given if secret is not None and secret != Secret(UNREAD))


def _signing_keys(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yields the keys that sign the gateway's own assertions, each with its dotted key."""
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, OidcSettings) and provider.signing_key not in (None, UNREAD):
            yield f"identity.{number}.private_key", provider.signing_key or ""


def _portal_keys(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yields the public keys of portals, each with its dotted key."""
    for number, provider in enumerate(settings.identity):
        if isinstance(provider, TicketSettings) and provider.secret is None:
            for place, text in enumerate(provider.keys):
                if text != UNREAD:
                    yield f"identity.{number}.public_key" + ("" if provider.public_key else f"_files.{place}"), text


def _names(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yields names and addresses that others see, which are no secrets, each with its dotted key."""
    given = [(f"valt.accounts.{name}.username", account.username) for name, account in settings.valt.accounts.items()]
    for name in ("client_id", "secret_header", "name", "issuer", "audience"):
        given += [(f"identity.{place}.{name}", getattr(one, name, "")) for place, one in enumerate(settings.identity)]
    given += [(f"valt.accounts.{name}", name) for name in settings.valt.accounts]
    given += [("server.public_url", settings.server.public_url), ("valt.base_url", settings.valt.base_url)]
    given += [(f"service_keys.{number}.name", key.name) for number, key in enumerate(settings.service_keys)]
    redis = parse_address(settings.state)
    if redis is not None:
        given += [("its user name", redis.username or ""), ("its user name", redis.sentinel_username or "")]
    yield from ((key, name) for key, name in given if name)
