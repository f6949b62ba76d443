"""Warnings about providers that are never asked, because an earlier one decides about the same proofs."""

from collections.abc import Collection, Iterator

from gateway.settings.faults import Fault
from gateway.settings.identity import HeaderSettings, IdentitySettings, JwtSettings, NegotiateSettings, TicketSettings
from gateway.settings.model import Settings
from gateway.settings.networks import NetworkIndex

_OF_ALL_TOKENS = ("audience", "subject_claim", "groups_claim")
"""Keys of which a table has one value for all tokens of its issuer."""


def shadowed_providers(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each provider whose proofs an earlier one decides about, which recognises them too."""
    deciding: dict[tuple[str, ...], list[tuple[IdentitySettings, NetworkIndex]]] = {}
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
        earlier = next((one for one, theirs in others if all(theirs.containing(peer) for peer in peers)), None)
        others.append((provider, NetworkIndex(peers)))
        if earlier is not None:
            reason = f"is that of {earlier.name} too, which decides about all its tokens"
            if key == "type":
                reason = (
                    f"and what proves a person are those of {earlier.name}, which decides first: this is never asked"
                )
            remedy = "make one table of the two"
            if any(getattr(provider, name, "") != getattr(earlier, name, "") for name in _OF_ALL_TOKENS):
                remedy += ", with one audience and the same claims"
                remedy += ", or have those of one sent in a header of their own" * isinstance(provider, JwtSettings)
            yield Fault(f"identity.{number}.{key}", None, reason, remedy)
