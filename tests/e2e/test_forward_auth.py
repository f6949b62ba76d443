"""Forward authentication: what a front proxy is answered about the request that it received."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model import Identity, IdentityKind
from gateway.sim.catalogue import CAMERA_A, INTERVIEW, SESSION
from gateway.web.handlers.forward_auth import identity_headers
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import GRANTS, NAVIGATION, VIDEO_PATH, GatewayStack, running_stack
from tests.support.replicas import sign_in

RECORDING_PATH = f"/recordings/{SESSION}"
TRUSTED = 'trusted_proxies = ["127.0.0.1/32"]'
OIDC = """
[[identity]]
type = "oidc"
name = "people"
issuer = "{issuer}"
client_id = "valt-gateway"
client_secret_file = "session"
"""


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[GatewayStack]:
    async with running_stack(tmp_path, server=TRUSTED, more=OIDC) as stack:
        yield stack


async def ask(
    stack: GatewayStack, headers: dict[str, str], path: str = "/oauth2/auth", method: str = "GET"
) -> tuple[int, dict[str, str]]:
    async with stack.client.request(method, stack.url + path, headers=headers, allow_redirects=False) as response:
        await response.read()
        return response.status, dict(response.headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_an_identity_is_named_in_the_headers_whatever_the_method(stack: GatewayStack, method: str) -> None:
    status, headers = await ask(stack, stack.bearer("anna", "b", "a,c", "d\\e"), method=method)
    assert status == 202
    assert headers["X-Auth-Request-User"] == "anna"
    assert headers["X-Auth-Request-Groups"] == "a\\,c,b,d\\\\e"
    assert headers["X-Auth-Request-Provider"] == "campus"


async def test_nobody_is_answered_401_and_a_browser_is_never_redirected(stack: GatewayStack) -> None:
    for path in ("/oauth2/auth", "/oauth2/auth/", f"/oauth2/auth{VIDEO_PATH}"):
        status, headers = await ask(stack, NAVIGATION, path)
        assert (status, headers["Content-Type"]) == (401, "application/problem+json")
        assert "Location" not in headers


@pytest.mark.promise("security-S13")
@pytest.mark.parametrize(
    ("path", "headers", "method"),
    [
        ("/oauth2/auth", {}, "PUT"),
        ("/oauth2/auth", {"X-Original-URI": VIDEO_PATH}, "GET"),
        (f"/oauth2/auth{VIDEO_PATH}", {}, "GET"),
        ("/oauth2/userinfo", {}, "GET"),
        (f"/api/v3/records/{SESSION}", {}, "GET"),
    ],
)
async def test_a_request_that_renews_no_cookie_is_a_use_of_its_session(
    tmp_path: Path, path: str, headers: dict[str, str], method: str
) -> None:
    clock = ManualClock()
    async with running_stack(tmp_path, clock=clock, server=TRUSTED) as stack:
        session = await sign_in(stack)
        for _ in range(3):
            clock.pass_(3000)  # an hour without use ends a session
            status, answer = await ask(stack, session | headers, path, method)
            assert status in (200, 202)
            assert "Set-Cookie" not in answer
        clock.pass_(3600)
        assert (await ask(stack, session | headers, path, method))[0] in (401, 403)
        assert (await ask(stack, session))[0] == 401, "a refused request is no use"


@pytest.mark.parametrize("name", ["X-Original-URI", "X-Forwarded-Uri"])
async def test_the_grants_decide_for_recordings_and_videos(stack: GatewayStack, name: str) -> None:
    for path in (RECORDING_PATH, VIDEO_PATH, f"{VIDEO_PATH}?t=90", f"{RECORDING_PATH}/", f"https://x{VIDEO_PATH}"):
        assert (await ask(stack, stack.bearer("anna", "supervisors") | {name: path}))[0] == 202, path
        assert (await ask(stack, stack.bearer("anna", "nobody") | {name: path}))[0] == 403, path
    for path in (f"{RECORDING_PATH}/captions.vtt", f"{RECORDING_PATH}/videos/..//chapters.vtt?x"):
        assert (await ask(stack, stack.bearer("anna", "supervisors") | {name: path}))[0] == 202, path
        assert (await ask(stack, stack.bearer("anna", "nobody") | {name: path}))[0] == 403, path
    for path in ("/", "/recordings", f"{RECORDING_PATH}/thumbnail.jpg", "/page.html?recordings"):
        assert (await ask(stack, stack.bearer("anna", "nobody") | {name: path}))[0] == 202, path


@pytest.mark.parametrize(
    "spelling",
    [
        "//recordings/{id}",
        "/recordings//{id}",
        "/recordings/./{id}",
        "/x/../recordings/{id}",
        "/%72ecordings/{id}",
        "/recordings%2F{id}",
        "/recordings/{id}/",
        "/recordings/{id}/x/..",
        "\\recordings\\{id}",
        "/recordings\\{id}",
        "/recordings/{id};a=b",
        "/recordings/{id}%00",
        "/Recordings/{id}",
        "/RECORDINGS/{id}/",
        "/x/..;/recordings/{id}",
        "/recordings;a=b/{id}",
        "/;/recordings/{id}",
        "/%2572ecordings/{id}",
        "/x/%252e%252e/recordings/{id}",
        "/recordings%255C{id}",
        "/x#/../recordings/{id}",
        "/recordings/{id}#",
        "/recordings/{id}%3Fx",
        "/recordings/{id}%20",
        "recordings/{id}",
        "",
    ],
)
async def test_no_other_spelling_of_a_path_avoids_the_grants(stack: GatewayStack, spelling: str) -> None:
    path = spelling.format(id=SESSION)
    assert (await ask(stack, stack.bearer("anna", "nobody") | {"X-Original-URI": path}))[0] == 403


@pytest.mark.parametrize(
    "path",
    ["/recordings/{denied}%3F/../{id}", "/recordings/{denied}%253F/../{id}", "/recordings/{denied}%2F..%2F{id}"],
)
async def test_a_path_that_servers_take_for_different_recordings_is_refused(tmp_path: Path, path: str) -> None:
    grants = GRANTS.replace('recordings = ["*"]', f'recordings = ["{SESSION}"]')
    async with running_stack(tmp_path, server=TRUSTED, grants=grants) as stack:
        person = stack.bearer("anna", "supervisors")
        assert (await ask(stack, person | {"X-Original-URI": RECORDING_PATH}))[0] == 202
        target = path.format(denied=INTERVIEW, id=SESSION)
        assert (await ask(stack, person | {"X-Original-URI": target}))[0] == 403


async def test_a_recording_that_the_person_may_not_download_is_refused_as_a_download(stack: GatewayStack) -> None:
    student = stack.bearer("ben", "students")
    assert (await ask(stack, student | {"X-Original-URI": VIDEO_PATH}))[0] == 202
    assert (await ask(stack, student | {"X-Original-URI": f"{VIDEO_PATH}?download"}))[0] == 403


async def test_envoy_is_answered_200_and_names_the_path_behind_the_prefix(stack: GatewayStack) -> None:
    for path, groups, expected in (
        (VIDEO_PATH, "supervisors", 200),
        (f"{VIDEO_PATH}?q=1&q=2", "supervisors", 200),
        (VIDEO_PATH, "nobody", 403),
        ("//recordings/" + SESSION, "nobody", 403),
        ("/", "nobody", 200),
        ("", "nobody", 202),
    ):
        assert (await ask(stack, stack.bearer("anna", groups), f"/oauth2/auth{path}"))[0] == expected, path


async def test_two_headers_that_name_different_paths_are_refused(stack: GatewayStack) -> None:
    person = stack.bearer("anna", "nobody")
    assert (await ask(stack, person | {"X-Original-URI": "/", "X-Forwarded-Uri": VIDEO_PATH}))[0] == 403
    assert (await ask(stack, person | {"X-Original-URI": VIDEO_PATH, "X-Forwarded-Uri": "/"}))[0] == 403
    assert (await ask(stack, person | {"X-Original-URI": VIDEO_PATH}, "/oauth2/auth/"))[0] == 403
    assert (await ask(stack, person | {"X-Original-URI": "/", "X-Forwarded-Uri": "/"}))[0] == 202


async def test_a_header_from_a_peer_that_is_not_trusted_is_403_and_logged(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        assert (await ask(stack, stack.bearer()))[0] == 202
        assert (await ask(stack, stack.bearer() | {"X-Original-URI": "/?ticket=planted"}))[0] == 403
        assert "server.trusted_proxies" in stack.log.getvalue()
        assert "planted" not in stack.log.getvalue()


async def test_a_ticket_in_the_original_path_is_neither_read_nor_spent(stack: GatewayStack) -> None:
    ticket = stack.ticket("anna")
    for path, header in (
        ("/oauth2/auth", f"{VIDEO_PATH}?ticket={ticket}"),
        (f"/oauth2/auth{VIDEO_PATH}?ticket={ticket}", None),
        (f"/oauth2/auth?ticket={ticket}", None),
    ):
        assert (await ask(stack, {} if header is None else {"X-Original-URI": header}, path))[0] == 401
    async with stack.client.get(f"{stack.url}{VIDEO_PATH}?ticket={ticket}") as response:
        assert response.status == 200
    assert ticket not in stack.log.getvalue()


async def test_a_session_of_one_video_allows_no_other(stack: GatewayStack) -> None:
    address = f"{stack.url}{VIDEO_PATH}?ticket={stack.ticket('anna', recording=SESSION, video=CAMERA_A)}"
    async with stack.client.get(address, headers=NAVIGATION, allow_redirects=False) as response:
        cookie = {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}
    assert (await ask(stack, cookie | {"X-Original-URI": VIDEO_PATH}))[0] == 202
    for path in (f"{RECORDING_PATH}/videos/other", "/recordings/other"):
        assert (await ask(stack, cookie | {"X-Original-URI": path}))[0] == 403


async def test_a_denial_is_audited_with_the_recording(stack: GatewayStack) -> None:
    await ask(stack, stack.bearer("anna", "nobody") | {"X-Original-URI": VIDEO_PATH})
    (line,) = stack.audit()
    assert (line["event"], line["subject"], line["recording"], line["video"]) == ("deny", "anna", SESSION, CAMERA_A)


def test_groups_that_no_header_can_carry_are_left_out() -> None:
    groups = frozenset({"ärzte", "a\nb", " a", "a\ud800", ""})
    headers = identity_headers(Identity("anna", "x", "x", IdentityKind.JWT, groups))
    assert headers["X-Auth-Request-Groups"] == "ärzte"
