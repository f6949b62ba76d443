"""The main job over real sockets: who, may they, where, and the bytes."""

import hashlib
import json
from pathlib import Path

import pytest

from gateway.sim.catalogue import (
    ACCENTS,
    ACCENTS_FILM,
    CAMERA_A,
    CAMERA_B,
    INTERVIEW,
    INTERVIEW_FILM,
    LATE_MOOV,
    LATE_MOOV_FILM,
    SESSION,
)
from tests.support.gateway_fixture import NAVIGATION, PUBLIC, VIDEO_PATH, GatewayStack, running_stack


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("recording", "video"),
    [
        (SESSION, CAMERA_A),
        (SESSION, CAMERA_B),
        (INTERVIEW, INTERVIEW_FILM),
        (LATE_MOOV, LATE_MOOV_FILM),
        (ACCENTS, ACCENTS_FILM),
    ],
)
async def test_a_supervisor_receives_every_video_byte_for_byte(stack: GatewayStack, recording: str, video: str) -> None:
    async with stack.client.get(f"{stack.url}/recordings/{recording}/videos/{video}", headers=stack.bearer()) as answer:
        body = await answer.read()
    film = stack.valt.recording(recording).film(video)

    assert answer.status == 200
    assert film is not None
    assert sha256(body) == sha256(film.content)


async def test_a_student_sees_the_first_recording_and_no_other(stack: GatewayStack) -> None:
    headers = stack.bearer("ben", "students")
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
        assert answer.status == 200
    async with stack.client.get(
        f"{stack.url}/recordings/{INTERVIEW}/videos/{INTERVIEW_FILM}", headers=headers
    ) as answer:
        assert answer.status == 403
        assert (await answer.json())["code"] == "access_denied"


async def test_an_identity_without_a_rule_is_403_without_a_call_to_valt(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer("carla", "nobody")) as answer:
        problem = await answer.json(content_type="application/problem+json")

    assert answer.status == 403
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id"}
    assert (problem["type"], problem["status"], problem["code"]) == ("about:blank", 403, "access_denied")
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert not stack.valt.calls


async def test_no_credentials_are_401_without_a_call_to_valt(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await answer.json(content_type=None))["code"] == "credentials_missing"
    assert not stack.valt.calls


@pytest.mark.parametrize("offered", ["Bearer rubbish", "bearer a.b.c", "BEARER  x"])
async def test_credentials_that_no_authenticator_accepts_are_invalid(stack: GatewayStack, offered: str) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers={"Authorization": offered}) as answer:
        assert answer.status == 401
        assert (await answer.json(content_type=None))["code"] == "credentials_invalid"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="valt-gateway", error="invalid_token"'


@pytest.mark.promise("security-S18")
@pytest.mark.parametrize(("seconds", "expected"), [(24 * 3600, 200), (10 * 365 * 24 * 3600, 401)], ids=str)
async def test_a_token_of_ten_years_is_refused_by_default(stack: GatewayStack, seconds: int, expected: int) -> None:
    headers = stack.bearer(exp=int(stack.gateway.clock.now()) + seconds)
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
        assert answer.status == expected


async def test_basic_credentials_are_treated_as_missing(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers={"Authorization": "Basic YTpi"}) as answer:
        assert (await answer.json(content_type=None))["code"] == "credentials_missing"


@pytest.mark.promise("findings-15")
async def test_a_redirect_is_307_to_valts_url_byte_for_byte(stack: GatewayStack) -> None:
    headers = stack.bearer("rita", "redirected")
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers, allow_redirects=False) as answer:
        assert answer.status == 307
        location = answer.headers["Location"]
        assert location.startswith(
            f"{stack.valt.media_url}/distribution/{SESSION}/1_{SESSION}_1.mp4?filename=Session%2B1451"
        )
        assert "access_token=ey" in location
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Valt-Gateway-Delivery"] == "redirect"
        assert await answer.read() == b""


async def test_json_has_the_videos_url_and_valts_url_only_for_redirects(stack: GatewayStack) -> None:
    wanted = {"Accept": "application/json"}
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | wanted) as answer:
        proxied = await answer.json()
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer("rita", "redirected") | wanted) as answer:
        redirected = await answer.json()

    assert proxied == {
        "url": PUBLIC + VIDEO_PATH,
        "expires_at": None,
        "filename": "Session 1451  Ceiling 05-06-2025 10-18-AM.mp4",
        "delivery": "proxy",
    }
    assert redirected["delivery"] == "redirect"
    assert [(line["event"], line["delivery"]) for line in stack.audit()] == [("open", "redirect")]
    assert redirected["url"].startswith(stack.valt.media_url)
    assert redirected["expires_at"].endswith("Z")


async def test_the_filename_has_valts_accents_and_plus_sign(stack: GatewayStack) -> None:
    path = f"/recordings/{ACCENTS}/videos/{ACCENTS_FILM}"
    async with stack.client.get(stack.url + path, headers=stack.bearer()) as answer:
        disposition = answer.headers["Content-Disposition"]
    assert disposition == (
        'inline; filename="Seance a Besancon + suite  Camera 1 05-06-2025 10-18-AM.mp4"; '
        "filename*=UTF-8''S%C3%A9ance%20%C3%A0%20Besan%C3%A7on%20+%20suite%20%20Cam%C3%A9ra%201%2005-06-2025%2010-18-AM.mp4"
    )


async def test_download_returns_an_attachment_unless_the_grant_forbids_it(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH + "?download", headers=stack.bearer()) as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment;")
    async with stack.client.get(
        stack.url + VIDEO_PATH + "?download", headers=stack.bearer("ben", "students")
    ) as answer:
        assert answer.status == 403


@pytest.mark.promise("findings-2", "findings-D", "security-S15")
@pytest.mark.parametrize(
    "path",
    [
        "/recordings/..%2f..%2fadmin/videos/1",
        "/recordings/a%3Faccess_token=x/videos/1",
        "/recordings/a%23/videos/1",
        "/recordings/a%00/videos/1",
        "/recordings/a%0d%0a/videos/1",
        "/recordings/%C3%A9/videos/1",
        "/recordings/a_b/videos/1",
        "/recordings/" + "a" * 65 + "/videos/1",
        "/recordings/1/videos/%D9%A1",
        "/recordings/1/videos/a.b",
        "/recordings/01/videos/1",
        "/recordings/1/videos/007",
        "/recordings/6ECFE37C-a2e9-4f2d-b56e-847a4e730ed0/videos/1",
    ],
)
async def test_a_malformed_id_is_404_without_a_call_to_valt(stack: GatewayStack, path: str) -> None:
    from yarl import URL

    async with stack.client.get(URL(stack.url + path, encoded=True), headers=stack.bearer()) as answer:
        assert answer.status == 404
        assert (await answer.json(content_type=None))["code"] == "video_invalid"
    assert not stack.valt.calls


async def test_a_video_that_valt_does_not_have_is_404_and_cached_briefly(stack: GatewayStack) -> None:
    for _ in range(3):
        async with stack.client.get(f"{stack.url}/recordings/{SESSION}/videos/none", headers=stack.bearer()) as answer:
            assert answer.status == 404
            assert (await answer.json(content_type=None))["code"] == "video_not_found"
    assert stack.valt.calls["download"] == 1


async def test_a_recordings_json_lists_the_videos_that_the_person_may_see(stack: GatewayStack) -> None:
    stack.valt.recording(SESSION).films[1].ready = False
    async with stack.client.get(f"{stack.url}/recordings/{SESSION}", headers=stack.bearer()) as answer:
        body = await answer.json()
    assert body == {
        "recording": SESSION,
        "name": "Session 1451",
        "room": "Room 1",
        "author": "jsmith",
        "created": "2025-05-06T15:18:00Z",
        "duration": 24.0,
        "videos": [
            {
                "video": CAMERA_A,
                "name": "Ceiling",
                "url": PUBLIC + VIDEO_PATH,
                "delivery": "proxy",
                "download": True,
                "state": "ready",
            },
            {
                "video": CAMERA_B,
                "name": "Door",
                "url": f"{PUBLIC}/recordings/{SESSION}/videos/{CAMERA_B}",
                "delivery": "proxy",
                "download": True,
                "state": "not_ready",
            },
        ],
        "markers": [
            {"seconds": 3.0, "name": "Greeting", "color": "#2e8b57"},
            {"seconds": 11.0, "name": "Task begins", "color": "#cc0000"},
            {"seconds": 19.0, "name": "Feedback", "color": "#1f6feb"},
        ],
        "comments": [],
    }


async def test_a_refused_navigation_gets_an_html_page(stack: GatewayStack) -> None:
    headers = stack.bearer("carla", "nobody") | NAVIGATION
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
        page = await answer.text()
    assert answer.status == 403
    assert answer.content_type == "text/html"
    assert "You may not see this recording" in page
    assert answer.headers["X-Request-ID"] in page
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_userinfo_returns_the_identity(stack: GatewayStack) -> None:
    async with stack.client.get(f"{stack.url}/oauth2/userinfo", headers=stack.bearer("anna", "b", "a")) as answer:
        body = await answer.json()
    assert {key: body[key] for key in ("subject", "issuer", "provider", "groups")} == {
        "subject": "anna",
        "issuer": stack.provider.issuer,
        "provider": "campus",
        "groups": ["a", "b"],
    }
    assert body["expires_at"].endswith("Z")
    async with stack.client.get(f"{stack.url}/oauth2/userinfo") as answer:
        assert answer.status == 401


async def test_other_addresses_are_404_and_other_methods_405(stack: GatewayStack) -> None:
    async with stack.client.get(f"{stack.url}/nothing") as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (404, "not_found")
    async with stack.client.post(stack.url + VIDEO_PATH) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    async with stack.client.get(f"{stack.url}/metrics") as answer:
        assert answer.status == 404
    async with stack.client.get(f"{stack.url}/robots.txt") as answer:
        assert await answer.text() == "User-agent: *\nDisallow: /\n"


async def test_the_admin_listener_serves_health_readiness_and_version(stack: GatewayStack) -> None:
    async with stack.client.get(f"{stack.admin}/healthz") as answer:
        assert answer.status == 200
    async with stack.client.get(f"{stack.admin}/readyz") as answer:
        assert answer.status == 200
    async with stack.client.get(f"{stack.admin}/readyz?verbose") as answer:
        assert (await answer.json())["valt"] == {"reviewer": "unknown", "trainee": "unknown"}
    async with stack.client.get(f"{stack.admin}/version") as answer:
        assert set(await answer.json()) == {"version", "python"}


async def test_every_stream_has_an_open_and_a_close_line(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | {"Range": "bytes=10-19"}) as answer:
        await answer.read()
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer("carla", "nobody")) as refused:
        await refused.read()
    opened, closed, denied = stack.audit()

    shared = {
        "v": 2,
        "request_id": answer.headers["X-Request-ID"],
        "subject": "anna",
        "issuer": stack.provider.issuer,
        "provider": "campus",
        "groups": ["supervisors"],
        "rule": "supervisors",
        "account": "reviewer",
        "recording": SESSION,
        "video": CAMERA_A,
        "delivery": "proxy",
        "method": "GET",
        "range": "bytes=10-19",
        "status": 206,
        "code": None,
        "peer": "127.0.0.1",
        "front_request_id": None,
        "film_from": None,
        "film_to": None,
        "chain": closed["chain"],
    }
    assert {k: v for k, v in opened.items() if k not in ("time", "hash")} == shared | {
        "event": "open",
        "first_byte": None,
        "last_byte": None,
        "seq": 3,
        "bytes": None,
        "resumes": None,
        "outcome": None,
        "seconds": None,
    }
    assert {k: v for k, v in closed.items() if k not in ("time", "seconds", "hash")} == shared | {
        "event": "close",
        "first_byte": 10,
        "last_byte": 19,
        "seq": 4,
        "bytes": 10,
        "resumes": 0,
        "outcome": "whole",
    }
    assert (denied["event"], denied["status"], denied["code"], denied["subject"]) == (
        "deny",
        403,
        "access_denied",
        "carla",
    )
    assert denied["request_id"] == refused.headers["X-Request-ID"]
    assert set(opened) == set(closed) == set(denied)
    assert json.dumps(opened)


async def test_concurrent_requests_of_different_people_are_decided_separately(stack: GatewayStack) -> None:
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer()) as answer:
        assert answer.status == 200
    async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer("carla", "nobody")) as answer:
        assert answer.status == 403


async def test_identity_headers_are_accepted_only_from_trusted_proxies(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.front("anna")) as answer:
            assert answer.status == 200
        forged = stack.front("anna") | {"X-Front-Secret": "wrong"}
        async with stack.client.get(stack.url + VIDEO_PATH, headers=forged) as answer:
            assert answer.status == 401
        aliased = {key.replace("-", "_"): value for key, value in stack.front("anna").items()}
        async with stack.client.get(stack.url + VIDEO_PATH, headers=aliased) as answer:
            assert (await answer.json(content_type=None))["code"] == "credentials_missing"


@pytest.mark.promise("rules-7")
async def test_a_recording_whose_retention_is_over_is_410(stack: GatewayStack) -> None:
    stack.valt.recordings[0].deleted_at = 1.0
    async with stack.client.get(f"{stack.url}/recordings/{SESSION}", headers=stack.bearer()) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (410, "recording_expired")
