"""authorize(): who is it, what may they see and as which VALT account, where is it.

Every step's result is the typed input of the next: without a grant there is no link. The module imports no framework,
no logging, no metrics and no settings. How the bytes reach the client is the delivery's part.
"""

from typing import overload

from gateway.errors import AccessDeniedError
from gateway.model import Credentials, Delivery, Grant, Identity, Link, Stage, Video
from gateway.ports import IdentityResolver, Links, Policy, RateLimit
from gateway.request_record import RequestRecord


class Access:
    """*min_life*: seconds that a link must still be valid when a client is redirected to it."""

    def __init__(
        self, identities: IdentityResolver, rates: RateLimit, policy: Policy, links: Links, *, min_life: float
    ) -> None:
        self._identities = identities
        self._rates = rates
        self._policy = policy
        self._links = links
        self._min_life = min_life

    @overload
    async def authorize(
        self, credentials: Credentials, recording: str, video: str, record: RequestRecord, *, download: bool = False
    ) -> tuple[Grant, Link]: ...

    @overload
    async def authorize(
        self, credentials: Credentials, recording: str, video: None, record: RequestRecord
    ) -> tuple[Grant, None]: ...

    async def authorize(
        self,
        credentials: Credentials,
        recording: str,
        video: str | None,
        record: RequestRecord,
        *,
        download: bool = False,
    ) -> tuple[Grant, Link | None]:
        """Authenticates, authorises and resolves the link. *video* None is the whole recording: then there is no link.

        *download*: whether the client asks for an attachment. Raises the GatewayError of the step that fails;
        AccessDeniedError if no rule matches, or if the rule that matches does not allow a download.
        """
        identity = await self._identify(credentials, record)
        record.enter(Stage.GRANT)
        grant = record.grant = await self._policy.decide(identity, recording, video)
        if download and not grant.download:
            raise AccessDeniedError(f"rule {grant.rule!r} allows no download")
        if video is None:
            record.leave()
            return grant, None
        record.enter(Stage.LINK)
        min_life = self._min_life if grant.delivery is Delivery.REDIRECT else 0.0
        target = Video(recording, video)
        link = self._links.cached(grant.account, target, min_life=min_life)
        if link is None:
            link = await self._links.get(grant.account, target, min_life=min_life)
        record.leave()
        return grant, link

    async def authenticate(self, credentials: Credentials, record: RequestRecord) -> Identity:
        """Returns the identity, for requests that need no grant. Raises what IdentityResolver.identify raises, and
        TooManyRequestsError."""
        identity = await self._identify(credentials, record)
        record.leave()
        return identity

    async def _identify(self, credentials: Credentials, record: RequestRecord) -> Identity:
        record.enter(Stage.IDENTITY)
        identity = await self._identities.identify(credentials)
        record.set_identity(identity)
        self._rates.count(identity)
        return identity
