"""Whether ``public_url`` leads to the gateway, and whether what is in front of it drops headers that name a person."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from gateway.connection_failure import describe_failure
from gateway.doctor.check import Check, broken, doubtful, good, not_tried
from gateway.doctor.remote_server import remedy_for
from gateway.settings.identity import HeaderSettings
from gateway.settings.model import Settings
from gateway.valt_backend import client_session

_NAME = "public_url"
_FORGED = "valt-gateway-doctor"
"""The person whom the forged headers name. No rule should allow them anything."""
_TIMEOUT = 15.0
_MAX_BODY = 64 * 1024
_SYSTEM_STORE = "SSL_CERT_FILE, or the system's store"


@dataclass(frozen=True, slots=True)
class _Answer:
    """*code* is the gateway's error code, empty if the body has none."""

    status: int
    code: str
    location: str


async def check_front(settings: Settings) -> Check:
    """Returns whether the gateway answers at ``public_url``, and asks for credentials although the request has headers
    that name a person, in the spelling of each header provider and with underscores."""
    url = settings.server.public_url
    async with client_session(ssl.create_default_context(), limit=1, total=_TIMEOUT, force_close=True) as session:
        try:
            plain = await _ask(session, url, {})
            fault = _fault_of_plain(plain)
            if fault is not None:
                return fault
            return await _forge(session, settings)
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            reason = describe_failure(error, url)
            remedy = remedy_for(reason, ca=_SYSTEM_STORE)
            return broken(_NAME, reason, f"{remedy}. This machine must reach it too, or run doctor elsewhere")


def _fault_of_plain(answer: _Answer) -> Check | None:
    """Returns what is wrong with the *answer* to a request without credentials, None if it is the gateway's."""
    if answer.code == "credentials_missing":
        return None
    if answer.status == 200:
        detail = "a request without credentials is signed in"
        return broken(_NAME, detail, "let the front name only people whom it has authenticated")
    if answer.status in (301, 302, 303, 307, 308, 401, 403):
        where = f" to {answer.location}" if answer.location else ""
        detail = f"what is in front answers {answer.status}{where} itself, so that the gateway was not reached"
        remedy = "sign in there with a browser, and send forged headers by hand (docs/operations.md)"
        return not_tried(_NAME, detail, remedy)
    detail = f"the answer to /oauth2/userinfo is {answer.status}, which is not the gateway's"
    return broken(_NAME, detail, "compare the front's backend address with server.listen, and look at its log")


async def _forge(session: aiohttp.ClientSession, settings: Settings) -> Check:
    """Returns the check after requests with forged headers."""
    providers = [table for table in settings.identity if isinstance(table, HeaderSettings)]
    for provider in providers:
        for headers in _forged_headers(provider):
            answer = await _ask(session, settings.server.public_url, headers)
            sent = " and ".join(headers)
            if answer.status == 200:
                detail = f"forged headers pass the front: {sent} of a client sign it in as {provider.name}"
                remedy = f"have the front remove {sent} from every request, and set them itself"
                return broken(_NAME, detail, remedy)
            if answer.code == "credentials_invalid":
                detail = f"forged headers pass the front: only the secret of {provider.name} protects {sent}"
                return doubtful(_NAME, detail, f"have the front remove {sent} from every request")
    tried = f"; forged headers of {', '.join(table.name for table in providers)} are dropped" if providers else ""
    return good(_NAME, f"the gateway answers{tried}")


def _forged_headers(provider: HeaderSettings) -> list[Mapping[str, str]]:
    """Returns the headers of each request: as configured, and with underscores, which some servers treat alike."""
    names = (provider.subject_header, provider.groups_header)
    spellings = dict.fromkeys((names, (names[0].replace("-", "_"), names[1].replace("-", "_"))))
    return [dict.fromkeys(spelling, _FORGED) for spelling in spellings]


async def _ask(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> _Answer:
    """Returns the answer to a question for the caller's identity."""
    request_headers = {"Accept": "application/json", **headers}
    async with session.get(f"{url}/oauth2/userinfo", headers=request_headers, allow_redirects=False) as response:
        try:
            body = json.loads(await response.content.read(_MAX_BODY))
        except ValueError:
            body = None
        code = body.get("code") if isinstance(body, dict) else None
        location = response.headers.get("Location", "").partition("?")[0][:200]
        return _Answer(response.status, code if isinstance(code, str) else "", location)
