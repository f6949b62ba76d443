"""The road: who is it, may they and as whom, where is it. How the bytes go is the delivery's.

It knows no framework, no logging, no metrics, no settings and no clock. Every step's answer is a type that the next
step needs, so that forgetting the grant is a type error.
"""

from typing import Protocol

from gateway.errors import AccessDeniedError
from gateway.model import Credentials, Grant, Identity, Link, RecordingGrant, Video
from gateway.ports import Links, Policy
from gateway.request_record import RequestRecord, current_identity


class Identities(Protocol):
    async def identify(self, credentials: Credentials) -> Identity:
        """Who it is. MissingCredentialsError, InvalidCredentialsError, IdentityProviderError."""
        ...


class Rates(Protocol):
    def count(self, identity: Identity) -> None:
        """One more request of that person. TooManyRequestsError."""
        ...


class Access:
    """*min_life*: seconds a link must have left when a person is redirected to it."""

    def __init__(self, identities: Identities, rates: Rates, policy: Policy, links: Links, *, min_life: float) -> None:
        self._identities = identities
        self._rates = rates
        self._policy = policy
        self._links = links
        self._min_life = min_life

    async def open(
        self, credentials: Credentials, video: Video, record: RequestRecord, *, download: bool = False
    ) -> tuple[Grant, Link]:
        """Walk the road for one video. Raises the GatewayError of the step that ends it."""
        identity = await self._identify(credentials, record)
        record.enter("grant")
        grant = record.grant = await self._policy.decide(identity, video)
        if download and not grant.download:
            raise AccessDeniedError(f"rule {grant.rule!r} lets nobody download")
        record.enter("link")
        min_life = self._min_life if grant.delivery == "redirect" else 0.0
        link = await self._links.get(grant.account, video, min_life=min_life)
        record.leave()
        return grant, link

    async def identify(self, credentials: Credentials, record: RequestRecord) -> Identity:
        """Walk it as far as who it is."""
        identity = await self._identify(credentials, record)
        record.leave()
        return identity

    async def recording(self, credentials: Credentials, recording: str, record: RequestRecord) -> RecordingGrant:
        """Walk it for a recording as a whole: who, and may they."""
        identity = await self._identify(credentials, record)
        record.enter("grant")
        grant = await self._policy.decide_recording(identity, recording)
        record.leave()
        return grant

    async def _identify(self, credentials: Credentials, record: RequestRecord) -> Identity:
        record.enter("identity")
        identity = record.identity = await self._identities.identify(credentials)
        current_identity.set(identity)
        self._rates.count(identity)
        return identity
