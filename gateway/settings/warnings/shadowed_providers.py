"""Warnings about two providers of one kind of proof: one that is never asked, because an earlier one decides, and two
that name one person otherwise."""

from collections.abc import Collection, Iterator

from gateway.network import contains_network
from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings, JwtSettings, NegotiateSettings, OidcSettings, TicketSettings
from gateway.settings.model import Settings


def shadowed_providers(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each provider whose proofs an earlier one decides about, which recognises them too."""
    deciding: dict[tuple[str, ...], list[tuple[str, Collection[str]]]] = {}
    for number, provider in enumerate(settings.identity):
        peers: Collection[str] = ()
        match provider:
            case JwtSettings():
                key, proof = "issuer", (provider.issuer, provider.header.lower())
            case TicketSettings():
                key, proof = "issuer", (provider.issuer, "")
            case HeaderSettings():
                key, proof, peers = "type", (provider.subject_header.lower(), ""), provider.from_
            case NegotiateSettings():
                key, proof = "type", ("", "")
            case _:
                continue
        others = deciding.setdefault((provider.type, *proof), [])
        earlier = next((name for name, theirs in others if all(contains_network(theirs, peer) for peer in peers)), None)
        others.append((provider.name, peers))
        if earlier is not None:
            reason = f"is that of {earlier} too, which decides about all its tokens"
            if key == "type":
                reason = f"and what proves a person are those of {earlier}, which decides first: this is never asked"
            yield Fault(f"identity.{number}.{key}", None, reason, "make one table of the two")


def people_with_two_names(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each provider that names the people of an earlier one's issuer by another claim, if a rule
    refuses somebody by one of the two names."""
    first: dict[str, JwtSettings | OidcSettings] = {}
    refused = [grant.subjects for grant in settings.grants if not grant.allow and set(grant.subjects) - {"*"}]
    for number, provider in enumerate(settings.identity):
        if not isinstance(provider, JwtSettings | OidcSettings):
            continue
        other = first.setdefault(provider.issuer.rstrip("/"), provider)
        both = {f"{provider.name}#", f"{other.name}#"}
        listed = [both <= {f"{name.partition('#')[0]}#" for name in subjects if "#" in name} for subjects in refused]
        if provider.subject_claim != other.subject_claim and not all(listed):
            reason = (
                f"and {other.name}'s, {other.subject_claim}, are two names of one person: a rule that refuses one of "
                "them lets the other in"
            )
            yield Fault(f"identity.{number}.subject_claim", None, reason, "use one claim, or refuse both names")
