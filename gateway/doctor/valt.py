"""Asks VALT what the gateway asks it: login, search, details and link, each with what the one before has returned."""

from dataclasses import dataclass

from gateway.doctor.check import Check, broken, doubtful, good, not_tried
from gateway.doctor.remote_server import remedy_for
from gateway.errors import (
    CallRefusedError,
    CircuitOpenError,
    GatewayError,
    LinkRefusedError,
    ValtLoginError,
    VideoNotFoundError,
)
from gateway.model import Link, Video
from gateway.ports import Clock
from gateway.valt.client import AccessToken
from gateway.valt_backend import ValtBackend

_SEARCHED = 50
_TRIES = 5
"""Recordings that are looked at, because the first ones may not have a video that is ready."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A video with a new link, which VALT has issued between *requested_at* and *received_at*, in Unix seconds."""

    account: str
    video: Video
    link: Link
    requested_at: float
    received_at: float


class ValtChecks:
    """The checks of VALT's API, to be called in the order of the methods. *recording* and *video* are those that the
    operator names; without them the first ones that a search returns and that have a link."""

    def __init__(self, backend: ValtBackend, clock: Clock, recording: str | None, video: str | None) -> None:
        self._backend = backend
        self._clock = clock
        self._recording = recording
        self._video = video
        self._accounts: list[str] = []
        """Those that VALT has let in."""
        self._listed: list[tuple[str, str]] = []
        """Account and recording of the search's results."""
        self._videos: list[tuple[str, Video]] = []
        """Account and video of what has videos."""

    async def login(self, account: str) -> Check:
        """Returns whether VALT lets *account* in: one attempt, because VALT locks an account after ten."""
        name = f"valt_login:{account}"

        async def use(_token: AccessToken) -> None:
            """The login is all that is to be tried."""

        try:
            await self._backend.tokens.use(account, use)
        except ValtLoginError as error:
            remedy = (
                f"correct valt.accounts.{account}; VALT's passwords expire after 180 days, and ten failures lock it"
            )
            return broken(name, str(error), remedy)
        except CircuitOpenError:
            return not_tried(name, "VALT has failed several times in a row", "correct the failure above first")
        except GatewayError as error:
            return broken(name, str(error), _remedy(error))
        self._accounts.append(account)
        return good(name, "VALT accepts user name and password")

    async def search(self) -> Check:
        """Returns whether an account finds recordings."""
        name = "valt_search"
        if not self._accounts:
            return not_tried(name, "no account could log in", "correct valt_login first")
        failures = []
        for account in self._accounts:
            try:
                results = await self._backend.search.search(account, {"limit": _SEARCHED})
            except GatewayError as error:
                failures.append(broken(name, f"{account}: {error}", _remedy(error)))
            else:
                self._listed += [(account, one.recording) for one in results]
        if failures:
            return failures[0]
        if not self._listed:
            remedy = "give the account video access in VALT, or name a recording with --recording"
            return doubtful(name, f"{', '.join(self._accounts)}: no recording is visible", remedy)
        return good(name, f"{len({recording for _, recording in self._listed})} recordings are visible")

    async def record(self) -> Check:
        """Returns whether VALT shows the details of a recording, and its videos."""
        name = "valt_record"
        if self._recording is None:
            candidates = self._listed[:_TRIES]
        else:
            candidates = [(account, self._recording) for account in self._accounts]
        if not candidates:
            return not_tried(name, "there is no recording to ask for", "name one with --recording")
        failure: GatewayError | None = None
        for account, recording in candidates:
            try:
                details = await self._backend.recordings.get(account, recording)
            except GatewayError as error:
                failure = error
                continue
            videos = [one.video for one in details.videos] if self._video is None else [self._video]
            self._videos += [(account, Video.parse(recording, one)) for one in videos]
        if self._videos:
            return good(name, f"{self._videos[0][1].recording} has {self._count()} videos")
        if failure is not None:
            return broken(name, str(failure), _remedy(failure))
        return doubtful(name, "no recording that was looked at has a video", "name one that has, with --recording")

    async def link(self) -> tuple[Check, Sample | None]:
        """Returns whether VALT issues a link, and the link."""
        name = "valt_link"
        check = not_tried(name, "there is no video to ask for", "correct valt_record first")
        for account, video in self._videos[:_TRIES]:
            try:
                sample = await self.sample(account, video)
            except VideoNotFoundError as error:
                check = broken(name, f"{video.recording}, video {video.video}: {error}", _remedy(error))
                continue  # it may not be ready, and the next one may
            except GatewayError as error:
                return broken(name, str(error), _remedy(error)), None
            return good(name, f"VALT issues a link of {video.recording}, video {video.video}"), sample
        return check, None

    async def sample(self, account: str, video: Video) -> Sample:
        """Returns a new link of *video*, which no cache has. Raises GatewayError."""
        requested_at = self._clock.now()
        link = await self._backend.tokens.use(account, lambda token: self._backend.client.download(token, video))
        return Sample(account, video, link, requested_at, self._clock.now())

    async def other_sample(self, first: Sample) -> Sample | None:
        """Returns a link of another recording than that of *first*, as the same account; None if there is none."""
        listed = [recording for account, recording in self._listed if account == first.account]
        for recording in [one for one in listed if one != first.video.recording][:_TRIES]:
            try:
                details = await self._backend.recordings.get(first.account, recording)
                for one in details.videos[:1]:
                    return await self.sample(first.account, Video.parse(recording, one.video))
            except GatewayError:
                continue  # that one cannot be used, and another will do
        return None

    def _count(self) -> int:
        first = self._videos[0][1].recording
        return len({video.video for _, video in self._videos if video.recording == first})


def _remedy(error: GatewayError) -> str:
    """Returns what the operator can do about *error*."""
    match error:
        case LinkRefusedError():
            return "list that host and port in valt.media_hosts, if it is VALT's media server"
        case CallRefusedError():
            return "give the account the API permission in VALT, and access to the recordings"
        case VideoNotFoundError():
            return "compare the ids with VALT; the account may have no access, or the video may not be ready"
        case _:
            otherwise = "compare valt.base_url with VALT's address, without /api, and look at VALT's log"
            return remedy_for(str(error), ca="valt.ca_file", otherwise=otherwise)
