"""Running streams end when what allowed them goes: a sign-out, a revocation, a session's end, a changed rule.

A bearer token's own expiry does not end a stream that it opened: its holder would be allowed again at once.
"""

from collections.abc import Callable

from gateway.delivery.streams import Stream, Streams
from gateway.errors import BusyError, GatewayError, ValtError
from gateway.model import Identity
from gateway.ports import Clock, Policy, Store

REVOKED = "revoked"


def is_void(stream: Stream, store: Store, now: float) -> bool:
    """Whether what vouched for the stream's person is void at *now*, Unix seconds."""
    identity = stream.grant.identity
    if identity.session is not None and store.signed_out(identity.session):
        return True
    if identity.kind == "session" and identity.expires_at is not None and identity.expires_at <= now:
        return True
    revoked_at = store.revoked_at(identity.subject, *identity.revocable_as)
    return revoked_at is not None and revoked_at >= _since(identity, stream)


def sweep(streams: Streams, store: Store, clock: Clock) -> int:
    """Cut the streams whose person's proof is void; returns how many. Called every second."""
    now = clock.now()
    return streams.end(REVOKED, lambda stream: is_void(stream, store, now))


async def decide_again(
    streams: Streams, policy: Policy, vouched: Callable[[Identity], bool], decided: set[Stream]
) -> int:
    """Cut the streams whose person is no longer *vouched* for, and those that *policy*, the rules as they are now,
    would not grant as they run; returns how many. What cannot be found out because VALT is down, slow or overrun is
    left running: it was granted when it could be. *decided* gathers what the rules allow and is passed over."""
    ended = 0
    for stream in streams:
        if stream in decided:
            continue
        old = stream.grant
        try:
            new = await policy.decide(old.identity, old.video) if vouched(old.identity) else None
        except (ValtError, BusyError):
            continue
        except GatewayError:
            new = None
        if new is not None and (new.account, new.delivery) == (old.account, old.delivery):
            decided.add(stream)
        else:
            stream.end(REVOKED)
            ended += 1
    return ended


def _since(identity: Identity, stream: Stream) -> float:
    return stream.opened_at if identity.since is None else identity.since
