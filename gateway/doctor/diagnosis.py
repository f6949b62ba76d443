"""Every check, in an order in which each may use what the ones before it have returned.

How it works: `Diagnosis.steps` yields the name of each check and a function that makes it. Whoever runs them shows the
name, awaits the function and then takes the next step.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from types import TracebackType

from gateway.doctor.admin import Running, check_admin, check_descriptors
from gateway.doctor.audit import check_audit
from gateway.doctor.certificates import check_file, check_presented, https_servers
from gateway.doctor.check import Check, broken, doubtful, good, not_tried
from gateway.doctor.front import check_front
from gateway.doctor.providers import check_provider
from gateway.doctor.state import check_state
from gateway.doctor.valt_steps import NAMES, Step, ValtSteps
from gateway.ports import Clock, Observer
from gateway.settings import files
from gateway.settings.loading import Loaded
from gateway.settings.model import Settings
from gateway.settings.warnings.files import file_warnings
from gateway.valt_backend import ValtBackend


def check_configuration(loaded: Loaded, now: float) -> Check:
    """Returns what is wrong with the configuration and the files that it names. State and audit have checks of their
    own. *now* is Unix seconds."""
    faults, warnings = list(loaded.faults), list(loaded.warnings)
    if loaded.settings is not None:
        faults += files.faults_of(loaded.settings, running=True)
        if not faults:
            warnings += file_warnings(loaded.settings, datetime.fromtimestamp(now, UTC), loaded.folder)
    if faults:
        return broken("config", " ".join(map(str, faults)), "correct it, and try it with: valt-gateway check-config")
    if warnings:
        remedy = "see whether each is intended; valt-gateway check-config lists them"
        return doubtful("config", " ".join(map(str, warnings)), remedy)
    return good("config", "there is no fault and no warning")


def checks_without_configuration() -> list[Check]:
    """Returns the other checks for a configuration that cannot be read: none of them could be tried."""
    names = ("public_url", "admin", *NAMES, "state", "audit", "descriptors")
    return [not_tried(name, "the configuration has faults", "correct config first") for name in names]


async def diagnose(
    loaded: Loaded,
    clock: Clock,
    observer: Observer,
    recording: str | None = None,
    video: str | None = None,
    *,
    show: Callable[[str], None],
) -> list[Check]:
    """Returns the results of all checks of the configuration *loaded*. *recording* and *video* are those to try, None
    for any. *show* is called with what is tried, before it is."""
    checks = [check_configuration(loaded, clock.now())]
    if loaded.settings is None:
        return checks + checks_without_configuration()

    def show_wait(seconds: float) -> None:
        show(f"waiting {seconds:.0f} s for the end of a link")

    wanted = (recording, video)
    async with Diagnosis(loaded.settings, clock, observer, wanted, on_wait=show_wait) as diagnosis:
        for name, check in diagnosis.steps():
            show(name)
            checks.append(await check())
    return checks


class Diagnosis:
    """The checks of *settings*. *wanted* are the recording and the video to try, None for any. *on_wait* is called with
    the seconds that a check waits for the end of a link."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        observer: Observer,
        wanted: tuple[str | None, str | None],
        *,
        on_wait: Callable[[float], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._observer = observer
        self._wanted = wanted
        self._on_wait = on_wait
        self._backend: ValtBackend | None = None
        self._backend_fault = ""
        self._running = Running()

    async def __aenter__(self) -> "Diagnosis":
        try:
            self._backend = ValtBackend(self._settings, self._clock, self._observer)
        except OSError as error:
            self._backend_fault = f"valt.ca_file cannot be used: {error.strerror or type(error).__name__}"
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._backend is not None:
            await self._backend.close()

    def steps(self) -> Iterator[Step]:
        """Yields the checks. The function of each must have been awaited before the next is taken."""
        settings, now = self._settings, self._clock.now
        yield "public_url", partial(check_front, settings)
        yield "admin", self._check_admin
        if settings.server.tls_cert_file is not None:
            yield "certificate:server", partial(asyncio.to_thread, check_file, settings.server.tls_cert_file, now())
        connect_timeout = settings.valt.connect_timeout
        for name, url, ca_file, ca in https_servers(settings):
            check = partial(check_presented, name, url, ca_file, ca, now(), connect_timeout=connect_timeout)
            yield f"certificate:{name}", check
        for table in settings.identity:
            yield f"provider:{table.name}", partial(check_provider, table, settings, self._clock)
        yield "state", partial(check_state, settings)
        yield "audit", partial(asyncio.to_thread, check_audit, settings)
        yield "descriptors", self._check_descriptors
        yield from self._valt()

    def _valt(self) -> Iterator[Step]:
        """Yields the checks of VALT; the last of them may wait for the end of a link."""
        if self._backend is not None:
            steps = ValtSteps(self._backend, self._settings, self._clock, self._wanted, on_wait=self._on_wait)
            yield from steps.all()
            return
        for name in NAMES:
            yield name, partial(self._without_backend, name)

    async def _check_admin(self) -> Check:
        check, self._running = await check_admin(self._settings.admin)
        return check

    async def _check_descriptors(self) -> Check:
        return await check_descriptors(self._settings, self._running)

    async def _without_backend(self, name: str) -> Check:
        return not_tried(name, self._backend_fault, "correct config first")
