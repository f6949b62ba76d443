"""authorize(): who is it, what may they see and as which VALT account, where is it.

Every step's result is the typed input of the next: without a grant there is no link. The module imports no framework,
no logging, no metrics and no settings. How the bytes reach the client is the delivery's part.
"""

from gateway.errors import AccessDeniedError, BusyError, GatewayError, RecordingExpiredError, VideoNotFoundError
from gateway.model import Credentials, Delivery, Grant, Identity, Link, Stage, Video
from gateway.ports import Clock, IdentityResolver, Links, Policy, RateLimit, Recordings
from gateway.recording_details import RecordingDetails
from gateway.request_record import RequestRecord
from gateway.validity import renew

_REPLACED = "the rules were replaced while the request waited"
_OVER = "retention.until has passed"


class Access:
    """*min_life*: seconds that a link must still be valid when a client is redirected to it."""

    def __init__(
        self,
        identities: IdentityResolver,
        rates: RateLimit,
        policy: Policy,
        links: Links,
        clock: Clock,
        *,
        min_life: float,
    ) -> None:
        self.replaced_by: Access | None = None
        """That of the next configuration, once it is in force."""
        self._identities = identities
        self._rates = rates
        self._policy = policy
        self._links = links
        self._clock = clock
        self._min_life = min_life

    async def authorize(
        self, credentials: Credentials, target: Video, record: RequestRecord, *, download: bool = False
    ) -> tuple[Grant, Link]:
        """Authenticates, authorises and resolves the link.

        *download*: whether the client asks for an attachment. Raises the GatewayError of the step that fails;
        AccessDeniedError if no rule matches, or if the rule that matches does not allow a download.
        """
        grant = await self.decide(credentials, target.recording, target.video, record, download=download)
        record.enter(Stage.LINK)
        min_life = self._min_life if grant.delivery is Delivery.REDIRECT else 0.0
        link = self._links.cached(grant.account, target, min_life=min_life)
        if link is None:
            link = await self._links.get(grant.account, target, min_life=min_life)
        record.enter(None)
        return grant, link

    async def confirm(self, record: RequestRecord) -> None:
        """Raises InvalidCredentialsError if the person was revoked or signed out while the request waited, for VALT
        above all, or if the configuration in force no longer accepts their proof. If its rules are others than those
        by which the request was granted, or a day of one has begun or ended, the request is decided again: raises what
        `Policy.decide` does. Raises BusyError for what is right only if it is requested anew: if the rules grant
        something else, or perhaps another of the person's sessions, if they were replaced once more meanwhile, or if a
        list was selected by other rules. Raises RecordingExpiredError if the retention of the recording that is shown
        ended meanwhile. Then the record has no grant any more, unless the audit has its ``open`` line. Does nothing for
        a request that needed no identity.

        The dispatcher calls it before each response that a handler returns. A handler calls it itself before the
        audit's ``open`` line and a stream, which cannot be taken back by then; a redirect may wait for the disk after
        its line.
        """
        if record.identity is None or record.identified_at is None:
            return
        in_force, grant = self if self.replaced_by is None else self._in_force(), record.grant
        try:
            in_force._identities.confirm(record.identity, record.identified_at)
            if grant is not None and grant.deleted_at is not None and grant.deleted_at <= self._clock.now():
                raise RecordingExpiredError(_OVER)
            has_same_rules = in_force is self or in_force._policy.decides_like(self._policy)
            if grant is None:
                if record.api and not has_same_rules:  # what has no grant else is decided by no rule
                    raise BusyError(_REPLACED)
            elif not has_same_rules or in_force._policy.is_due(grant):
                await self._decide_again(record, grant, in_force)
                in_force._identities.confirm(record.identity, record.identified_at)
        except GatewayError:
            if not record.opened:  # the audit names no rule, as that which granted the request has not refused it
                record.grant = None
            raise

    async def _decide_again(self, record: RequestRecord, grant: Grant, in_force: "Access") -> None:
        """Has *grant* last as long as the rules *in_force* say. Raises what `confirm` says."""
        try:
            again = await in_force._policy.decide(grant.identity, grant.recording, grant.video, grant.client)
        except AccessDeniedError:
            if record.has_several_proofs:
                raise BusyError(_REPLACED) from None
            raise
        if self._in_force() is not in_force or not renew(grant, again):
            raise BusyError(_REPLACED)
        if not record.opened:  # the audit names the rule that is in force, in both of its lines the same
            grant.rule, grant.groups = again.rule, again.groups

    def _in_force(self) -> "Access":
        in_force = self
        while in_force.replaced_by is not None:
            in_force = in_force.replaced_by
        return in_force

    async def has_link(self, grant: Grant, video: str) -> bool:
        """Whether VALT has a link for *video* of the granted recording: without one the video is not ready, or deleted.

        Raises BusyError, TooManyRequestsError or ValtError.
        """
        target = Video(grant.recording, video)
        if self._links.cached(grant.account, target) is not None:
            return True
        try:
            await self._links.get(grant.account, target)
        except VideoNotFoundError:
            return False
        return True

    async def decide(
        self,
        credentials: Credentials,
        recording: str,
        video: str | None,
        record: RequestRecord,
        *,
        download: bool = False,
    ) -> Grant:
        """Authenticates and authorises like `authorize`, without a link. *video* None is the recording as a whole.

        Raises what those steps raise.
        """
        identities = await self._identify(credentials, record)
        record.enter(Stage.GRANT)
        if len(identities) == 1:
            grant = record.grant = await self._policy.decide(identities[0], recording, video, record.peer)
        else:
            grant = record.grant = await self._decide_by_one(identities, recording, video, record, download=download)
        if download and not grant.download:
            raise AccessDeniedError(f"rule {grant.rule!r} allows no download")
        grant.attachment = download
        record.enter(None)
        return grant

    async def authenticate(self, credentials: Credentials, record: RequestRecord) -> Identity:
        """Returns the identity, for requests that need no grant: of several sessions the newest that is not limited to
        a recording or video, or else the newest. Raises what IdentityResolver.identify raises, and
        TooManyRequestsError."""
        identities = await self._identify(credentials, record)
        identity = next((identity for identity in identities if not identity.is_narrowed), identities[0])
        record.set_identity(identity)
        record.enter(None)
        return identity

    async def _identify(self, credentials: Credentials, record: RequestRecord) -> tuple[Identity, ...]:
        record.enter(Stage.IDENTITY)
        record.identified_at = self._clock.now()
        identities = await self._identities.identify(credentials)
        record.set_identity(identities[0])
        record.has_several_proofs = len(identities) > 1
        if self._rates.per_minute:
            self._rates.count(identities[0])
        return identities

    async def _decide_by_one(
        self,
        identities: tuple[Identity, ...],
        recording: str,
        video: str | None,
        record: RequestRecord,
        *,
        download: bool,
    ) -> Grant:
        """Returns the grant of the first identity that has one, which allows a *download* if possible. Each is
        considered by itself: those that cover the target, in their order. Raises AccessDeniedError of the first if none
        has a grant."""
        covering = tuple(one for one in identities if one.covers(recording, video)) or identities[:1]
        grants, refusals = [], []
        for identity in covering:
            if identity is not record.identity:
                record.set_identity(identity)
            try:
                grant = await self._policy.decide(identity, recording, video, record.peer)
            except AccessDeniedError as error:
                refusals.append(error)
                continue
            if grant.download or not download:
                return grant
            grants.append(grant)
        record.set_identity(grants[0].identity if grants else covering[0])
        if grants:
            return grants[0]
        raise refusals[0]


async def details_to_show(recordings: Recordings, grant: Grant, clock: Clock) -> RecordingDetails:
    """Returns VALT's details of the granted recording, for a response that shows it as a whole. `Access.confirm` looks
    at its retention once more.

    Raises RecordingExpiredError if that is over, and what `Recordings.get` raises.
    """
    details = await recordings.get(grant.account, grant.recording)
    if details.is_over(clock.now()):
        raise RecordingExpiredError(_OVER)
    grant.deleted_at = details.deleted_at
    return details
