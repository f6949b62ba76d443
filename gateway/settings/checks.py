"""What a value alone cannot tell: settings that contradict one another. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from gateway.settings.faults import Fault
from gateway.settings.model import GrantSettings, HeaderSettings, JwtSettings, OidcSettings, Settings, TicketSettings
from gateway.settings.secrets import UNREAD
from gateway.settings.values import is_loopback

_HMAC_BYTES = 32
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_CONDITIONS = ("rooms", "authors", "names", "template", "created_within", "author_is_me", "shared_with_me")


def faults_of(settings: Settings) -> list[Fault]:
    """Every contradiction for which the gateway does not start. Lines are not known here."""
    return [*_grants(settings), *_identity(settings), *_server(settings), *_names(settings)]


def warnings_of(settings: Settings) -> list[Fault]:
    """What is allowed and had better be known."""
    found = []
    if urlsplit(settings.valt.base_url).scheme == "http" and not is_loopback(settings.valt.base_url):
        found.append(
            Fault("valt.base_url", None, "is plain http: passwords and video cross the network in clear", "use https")
        )
    for number, grant in enumerate(settings.grants):
        if grant.delivery == "redirect":
            reason = (
                "redirects: the link is good for half an hour, cannot be recalled, names no recording, "
                "and Chromium never comes back to renew it"
            )
            found.append(Fault(f"grants.{number}.delivery", None, reason, 'use "proxy" unless that is acceptable'))
    if not settings.grants:
        found.append(Fault("grants", None, "is empty: nobody may see anything", "add a [[grants]] table"))
    if settings.state.dir is None and any(isinstance(p, TicketSettings) for p in settings.identity):
        reason = (
            "is not set: what was spent or revoked is forgotten at a restart, and tickets made before it are refused"
        )
        found.append(Fault("state.dir", None, reason, "name a directory to keep them"))
    return found


def _grants(settings: Settings) -> Iterator[Fault]:
    for number, grant in enumerate(settings.grants):
        key = f"grants.{number}"
        if grant.account not in settings.valt.accounts:
            known = ", ".join(sorted(settings.valt.accounts)) or "none"
            yield Fault(f"{key}.account", None, "names no account of [valt.accounts]", f"there are: {known}")
        if not grant.groups and not grant.subjects:
            yield Fault(
                key, None, "can never fit: it names neither groups nor subjects", 'add groups or subjects, or "*"'
            )
        if not grant.recordings:
            yield Fault(f"{key}.recordings", None, "can never fit: it is empty", 'list ids or globs, or "*"')
        for glob in grant.recordings:
            if _is_plain(glob) and not _ID.fullmatch(glob):
                reason = f"can never fit {glob!r}: an id is 1 to 64 letters, digits and hyphens"
                yield Fault(f"{key}.recordings", None, reason, "copy the id from VALT")
        if grant.shared_with_me and not _knows_whom_valt_shares_with(settings):
            reason = "can never fit: VALT shares with numbers, and nobody has one here"
            yield Fault(f"{key}.shared_with_me", None, reason, "give them in [valt.groups] or [valt.people]")
        for earlier_number, earlier in enumerate(settings.grants[:number]):
            if _shadows(earlier, grant):
                reason = f"can never decide: grants.{earlier_number} ({earlier.name}) fits whenever it does"
                yield Fault(key, None, reason, "move it before that one, or remove it")
                break


def _shadows(earlier: GrantSettings, later: GrantSettings) -> bool:
    """Whether *earlier* fits whenever *later* does, as far as can be seen without knowing people or recordings."""
    everybody = "*" in earlier.subjects
    people = everybody or (
        "*" not in later.subjects
        and set(later.subjects) <= set(earlier.subjects)
        and set(later.groups) <= set(earlier.groups)
    )
    recordings = all(_covered(glob, earlier.recordings) for glob in later.recordings)
    asked = [name for name in _CONDITIONS if getattr(earlier, name)]
    conditions = all(getattr(earlier, name) == getattr(later, name) for name in asked if name != "created_within")
    within = earlier.created_within is None or (
        later.created_within is not None and later.created_within <= earlier.created_within
    )
    # An account that may not see a recording knows nothing of it, and another may.
    known_alike = not asked or earlier.account == later.account
    fits_somebody = bool(later.recordings) and bool(later.subjects or later.groups)
    return people and recordings and conditions and within and known_alike and fits_somebody


def _covered(glob: str, globs: Iterable[str]) -> bool:
    plain = _is_plain(glob)
    return any(other in ("*", glob) or (plain and fnmatchcase(glob, other)) for other in globs)


def _is_plain(glob: str) -> bool:
    return not any(character in glob for character in "*?[")


def _knows_whom_valt_shares_with(settings: Settings) -> bool:
    return bool(settings.valt.groups) or any(isinstance(user, int) for user in settings.valt.people.values())


def _identity(settings: Settings) -> Iterator[Fault]:
    if not settings.identity and not settings.service_keys:
        yield Fault("identity", None, "is empty: nobody can say who they are", "add an [[identity]] table")
    for number, provider in enumerate(settings.identity):
        key = f"identity.{number}"
        if isinstance(provider, TicketSettings | OidcSettings) and settings.session is None:
            yield Fault(
                f"{key}.type",
                None,
                f"needs a session: {provider.type} signs people in",
                "add a [session] table with secret_file",
            )
        if isinstance(provider, TicketSettings):
            yield from _ticket(key, provider)
        elif isinstance(provider, JwtSettings | OidcSettings):
            yield from _client(key, provider)
        else:
            yield from _front(key, provider)


def _front(key: str, provider: HeaderSettings) -> Iterator[Fault]:
    if bool(provider.secret_header) != (provider.secret is not None):
        yield Fault(f"{key}.secret_header", None, "needs its secret, and the secret its header", "give both or neither")
    names = [provider.subject_header, provider.groups_header, provider.secret_header]
    for number, name in enumerate(("groups_header", "secret_header"), 1):
        if names[number].lower() in (earlier.lower() for earlier in names[:number]):
            yield Fault(f"{key}.{name}", None, "says something else already", "give it a header of its own")


def _ticket(key: str, provider: TicketSettings) -> Iterator[Fault]:
    hmac = "HS256" in provider.algorithms
    if hmac and len(provider.algorithms) > 1:
        yield Fault(f"{key}.algorithms", None, "mixes HS256 with public-key algorithms", "use one kind alone")
    elif hmac and (provider.secret is None or provider.public_key is not None):
        yield Fault(
            f"{key}.secret",
            None,
            "is missing, or a public key is given: HS256 is checked with a secret",
            "use secret_file",
        )
    elif hmac and len(provider.key.encode()) < _HMAC_BYTES:
        yield Fault(f"{key}.secret", None, "is shorter than 32 bytes", "make one with: openssl rand -base64 48")
    elif not hmac and (provider.public_key is None or provider.secret is not None):
        yield Fault(
            f"{key}.public_key", None, "is missing, or a secret is given", "name the portal's key: public_key_file"
        )
    elif not hmac and provider.key != UNREAD:
        from gateway.settings.keys import unfit  # cryptography takes a while to load, and few files have a portal

        found = unfit(provider.key, provider.algorithms)
        if found is not None:
            yield Fault(f"{key}.public_key", None, *found)


def _client(key: str, provider: JwtSettings | OidcSettings) -> Iterator[Fault]:
    if not isinstance(provider, OidcSettings):
        return
    needs = {
        "client_secret_basic": "client_secret",
        "client_secret_post": "client_secret",
        "private_key_jwt": "private_key",
    }
    needed = needs.get(provider.client_auth)
    if needed and getattr(provider, needed) is None:
        yield Fault(
            f"{key}.{needed}", None, f"is missing: client_auth is {provider.client_auth}", f"give {needed}_file"
        )
    if "openid" not in provider.scopes:
        yield Fault(f"{key}.scopes", None, 'lacks "openid"', "OpenID Connect Core 1.0, 3.1.2.1, wants it")


def _server(settings: Settings) -> Iterator[Fault]:
    server = settings.server
    if server.workers > 1:
        yield Fault("server.workers", None, "is more than 1, which is not to be had yet", "run one process a listener")
    if (server.tls_cert_file is None) != (server.tls_key_file is None):
        yield Fault("server.tls_cert_file", None, "goes together with tls_key_file", "give both or neither")
    if settings.admin.listen == server.listen and not server.listen.endswith(":0"):
        yield Fault("admin.listen", None, "is the public listener's address", "give it another port, on loopback")
    if server.cors_origins and not server.public_url.startswith("https://"):
        yield Fault("server.cors_origins", None, "needs an https public_url: browsers want Secure cookies", "use https")


def _names(settings: Settings) -> Iterator[Fault]:
    for table, entries in (
        ("grants", settings.grants),
        ("identity", settings.identity),
        ("service_keys", settings.service_keys),
    ):
        counts = Counter(entry.name for entry in entries)
        for number, entry in enumerate(entries):
            if counts[entry.name] > 1:
                yield Fault(
                    f"{table}.{number}.name", None, "stands more than once", "metrics and audit tell them apart by it"
                )
