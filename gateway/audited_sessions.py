"""Begins and ends the sessions of a request, and audits each. Both are completed although the client leaves."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.completion import complete
from gateway.model import Credentials, Identity
from gateway.ports import Audit, Sessions
from gateway.request_record import RequestRecord


async def begin_session(
    sessions: Sessions, audit: Audit, credentials: Credentials, identity: Identity, record: RequestRecord
) -> list[str]:
    """Begins a session of *identity*. Writes a ``sign_out`` line for each valid session that this ends, because one
    of them is another person's, and then the ``sign_in`` line. Returns and raises what `Sessions.begin` does."""

    async def begin() -> list[str]:
        with _ends_audited(sessions, audit, credentials, record):
            set_cookies = await sessions.begin(credentials, identity)
        audit.signed("sign_in", identity, record)
        return set_cookies

    return await complete(begin())


async def end_sessions(
    sessions: Sessions, audit: Audit, credentials: Credentials, record: RequestRecord
) -> tuple[tuple[Identity, ...], list[str]]:
    """Ends the sessions of *credentials*, and writes a ``sign_out`` line for each that was valid. Returns and raises
    what `Sessions.end` does."""

    async def end() -> tuple[tuple[Identity, ...], list[str]]:
        with _ends_audited(sessions, audit, credentials, record):
            return await sessions.end(credentials)

    return await complete(end())


@contextmanager
def _ends_audited(sessions: Sessions, audit: Audit, credentials: Credentials, record: RequestRecord) -> Iterator[None]:
    present = sessions.identities(credentials)
    try:
        yield
    finally:
        valid = sessions.identities(credentials)  # what could not be stored may have ended all the same
        for identity in present:
            if identity not in valid:
                audit.signed("sign_out", identity, record)
