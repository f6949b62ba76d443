"""The checks of VALT and its links in their order, with what each leaves for the next."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from gateway.doctor.certificates import check_presented
from gateway.doctor.check import Check, not_tried
from gateway.doctor.links import check_clock, check_end, check_other_recording, media_origin
from gateway.doctor.media import Answer, check_head, check_if_range, check_range
from gateway.doctor.valt import Sample, ValtChecks
from gateway.model import Link
from gateway.ports import Clock
from gateway.settings.model import Settings
from gateway.valt_backend import ValtBackend

Step = tuple[str, Callable[[], Awaitable[Check]]]
"""The name of a check, and the function that makes it."""

NAMES = (
    *("valt_search", "valt_record", "valt_link", "media_range", "media_if_range", "media_head", "link_clock"),
    *("link_opens_other_recording", "link_outlives_exp"),
)
"""The checks that `ValtSteps` always has; each account and the media server's certificate have one too."""


class ValtSteps:
    """See `Diagnosis`."""

    def __init__(
        self,
        backend: ValtBackend,
        settings: Settings,
        clock: Clock,
        wanted: tuple[str | None, str | None],
        *,
        on_wait: Callable[[float], None],
    ) -> None:
        self._backend = backend
        self._settings = settings
        self._clock = clock
        self._on_wait = on_wait
        self._valt = ValtChecks(backend, clock, *wanted)
        self._redirects = any(grant.allow and grant.delivery == "redirect" for grant in settings.grants)
        self._sample: Sample | None = None
        self._answer: Answer | None = None

    def all(self) -> Iterator[Step]:
        """Yields the checks. The function of each must have been awaited before the next is taken."""
        for account in self._settings.valt.accounts:
            yield f"valt_login:{account}", partial(self._valt.login, account)
        yield "valt_search", self._valt.search
        yield "valt_record", self._valt.record
        yield "valt_link", self._check_link
        sample, backend, redirects = self._sample, self._backend, self._redirects
        origin = "" if sample is None else media_origin(sample.link)
        if origin.startswith("https://"):
            yield "certificate:media", partial(self._check_certificate, origin)
        if sample is None:
            for name in NAMES[3:]:
                yield name, partial(self._without_link, name)
            return
        yield "media_range", partial(self._check_range, sample.link)
        yield "media_if_range", partial(check_if_range, backend.media, sample.link, self._answer)
        head = partial(check_head, backend.media_session, sample.link, self._answer)
        yield "media_head", partial(head, redirects=redirects)
        clock = partial(check_clock, sample, self._answer, self._settings.links)
        yield "link_clock", partial(clock, redirects=redirects)
        other = partial(check_other_recording, backend, self._valt, sample)
        yield "link_opens_other_recording", partial(other, redirects=redirects)
        end = partial(check_end, backend, sample, self._answer, self._clock, self._on_wait)
        yield "link_outlives_exp", partial(end, redirects=redirects)

    async def _check_link(self) -> Check:
        check, self._sample = await self._valt.link()
        return check

    async def _check_range(self, link: Link) -> Check:
        check, self._answer = await check_range(self._backend.media, link, self._clock)
        return check

    async def _check_certificate(self, origin: str) -> Check:
        valt = self._settings.valt
        return await check_presented(
            "media", origin, valt.ca_file, "valt.ca_file", self._clock.now(), connect_timeout=valt.connect_timeout
        )

    async def _without_link(self, name: str) -> Check:
        return not_tried(name, "there is no link", "correct valt_link first")
