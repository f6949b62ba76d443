"""Warnings about ``[valt]``: plain http, keys of another table, two accounts that are one, the own address."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.settings.addresses import is_loopback
from gateway.settings.faults import Fault
from gateway.settings.model import Settings, ValtSettings


def valt_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    valt = settings.valt
    if urlsplit(valt.base_url).scheme == "http" and not is_loopback(valt.base_url):
        reason = "is plain http: passwords and video cross the network unencrypted"
        yield Fault("valt.base_url", None, reason, "use https")
    first: dict[str, str] = {}
    for name, account in valt.accounts.items():
        other = first.setdefault(account.username.casefold(), name)
        if other != name:
            reason = f"is that of {other} too, so that both accounts see the same"
            yield Fault(f"valt.accounts.{name}.username", None, reason, "correct it, or use one account")
    for name in valt.people:
        if name in ValtSettings.model_fields:
            reason = "is taken for a person's name: it stands below [valt.people]"
            yield Fault(
                f"valt.people.{name}", None, reason, "move it above the tables [valt.…], if it is the key of [valt]"
            )
    yield from _unused_names(settings)
    yield from _swapped_people(settings)
    yield from _authors_by_other_names(settings)
    yield from _own_address(settings)
    for number, host in enumerate(valt.media_hosts):
        if urlsplit(f"//{host}").hostname == urlsplit(valt.base_url).hostname:
            reason = "has no effect: it is the API's own host, which links may name with any port"
            yield Fault(f"valt.media_hosts.{number}", None, reason, "remove it, or name the media server")


def _unused_names(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for people or groups in VALT if no rule compares them."""
    conditions = {"people": ("author_is_me", "shared_with_me"), "groups": ("shared_with_me",)}
    for table, names in conditions.items():
        is_used = any(getattr(grant, name) for grant in settings.grants for name in names)
        if getattr(settings.valt, table) and not is_used:
            reason = f"has no effect: no rule has {' or '.join(names)}"
            yield Fault(f"valt.{table}", None, reason, "remove it, or add the condition to a rule")
    texts = [name for name, user in settings.valt.people.items() if isinstance(user, str)]
    shares, authors = (
        any(getattr(one, name) for one in settings.grants) for name in ("shared_with_me", "author_is_me")
    )
    for name in texts if shares and not authors else ():
        reason = "is a VALT user's name, and shared_with_me compares ids: no recording is shared with it"
        yield Fault(f"valt.people.{name}", None, reason, "write the VALT user's id, a number without quotes")


def _swapped_people(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each person of [valt.people] whose VALT name is what the rules and examples call somebody,
    if there is one provider only: with several, one person may have several names."""
    names = {name for grant in settings.grants for name in grant.subjects} | {one.subject for one in settings.examples}
    names -= {"*", *settings.valt.people}
    for name, user in settings.valt.people.items():
        if len(settings.identity) == 1 and user in names and name not in names:
            reason = "is the name of somebody in the rules or examples, and stands here for VALT's"
            yield Fault(f"valt.people.{name}", None, reason, 'are the two swapped? It is "SSO subject" = "VALT user"')


def _authors_by_other_names(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each author who is named as the identity provider names them, and not as VALT does."""
    people = settings.valt.people
    lists = [(f"grants.{number}.authors", grant.authors) for number, grant in enumerate(settings.grants)]
    lists += [
        (f"examples.{number}.author", (example.author,))
        for number, example in enumerate(settings.examples)
        if isinstance(example.author, str)
    ]
    for key, authors in lists:
        for author in authors:
            user = people.get(author, author)
            if isinstance(user, str) and user != author and author not in people.values():
                reason = (
                    f"has {author[:64]!r}, whom [valt.people] has as VALT's {user[:64]}: authors are VALT user names"
                )
                yield Fault(key, None, reason, "write VALT's name")


def _own_address(settings: Settings) -> Iterator[Fault]:
    """Yields a warning if VALT's address is the gateway's. A front may have VALT below a path of the same host."""
    own, split = settings.server.public_url, urlsplit(settings.valt.base_url)
    default = ":443" if split.scheme == "https" else ":80"
    origin = f"{split.scheme}://{split.netloc.lower().removesuffix(default)}"
    is_same = urlsplit(own).netloc == split.netloc.lower() or origin == own
    if is_same and split.path in ("", "/") and not is_loopback(own):
        reason = "is the gateway's own address: it would ask itself"
        yield Fault("valt.base_url", None, reason, "name VALT's server")
