"""VALT's version, for clients written for VALT: they choose the shape of their later calls by it."""

from collections.abc import Sequence

from cachetools import TTLCache

from gateway.errors import ValtError, ValtLoginError, ValtTimeoutError, ValtUnavailableError, VideoNotFoundError
from gateway.ports import Clock
from gateway.single_flight import SingleFlight
from gateway.valt.client import ValtClient
from gateway.valt.recordings import ValtSearch
from gateway.valt.tokens import ValtTokens

_TTL = 3600.0
"""Seconds. A version changes with an update of VALT, and to find out that an account lacks the right costs a login."""
_WITH_UUIDS, _WITH_NUMBERS = "6.0.0", "5.0.0"


class ValtVersions:
    """Implements ports.ValtVersions. *configured* is ``valt.version``: the version to report if VALT does not disclose
    its own to any of our accounts; without it the version is inferred from the form of the recordings' ids."""

    def __init__(
        self, client: ValtClient, tokens: ValtTokens, search: ValtSearch, clock: Clock, *, configured: str
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._search = search
        self._configured = configured
        self._versions: TTLCache[str, str | None] = TTLCache(1000, _TTL, timer=clock.monotonic)
        """What VALT disclosed to each account; None if it does not disclose its version."""
        self._last: dict[str, str] = {}
        """What it disclosed last, for the time while it cannot be asked."""
        self._loads = SingleFlight[str, str | None]("version load", admit=tokens.admit)

    async def get(self, accounts: Sequence[str]) -> str:
        """Returns VALT's version as it discloses it to the first of *accounts* to which it does, or else the configured
        or the inferred one.

        Raises ValtError, BusyError or TooManyRequestsError if nothing is configured and VALT cannot be asked.
        """
        for account in accounts:
            version = await self._disclosed(account)
            if version is not None:
                return version
        if self._configured or not accounts:
            return self._configured or _WITH_UUIDS
        rows = await self._search.search(accounts[0], {"limit": 1})
        return _WITH_NUMBERS if rows and rows[0].recording.isdigit() else _WITH_UUIDS

    async def close(self) -> None:
        """Cancels the running loads."""
        await self._loads.close()

    async def _disclosed(self, account: str) -> str | None:
        if account in self._versions:
            return self._versions[account]
        return await self._loads.run(account, lambda: self._load(account))

    async def _load(self, account: str) -> str | None:
        version = None
        try:
            version = await self._tokens.use(account, self._client.version)
        except (ValtUnavailableError, ValtTimeoutError, ValtLoginError):
            return self._last.get(account)  # the next caller asks again
        except (ValtError, VideoNotFoundError):
            pass  # VALT does not disclose it to this account
        self._versions[account] = version
        if version is not None:
            self._last[account] = version
        return version
