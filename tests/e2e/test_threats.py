"""What the threat model in docs/security.md claims, and what no other test shows."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
import trustme
from yarl import URL

from gateway.sim.catalogue import CAMERA_A, INTERVIEW, INTERVIEW_FILM, SESSION
from tests.support.client import connect
from tests.support.gateway_fixture import GRANTS, NAVIGATION, OIDC, VIDEO_PATH, GatewayStack, running_stack
from tests.support.programs import run
from tests.support.tls import CERTIFIED, client_context, write_certificate

OTHER_ROOM = """
[[grants]]
name = "rooms"
groups = ["rooms"]
recordings = ["*"]
rooms = ["Nowhere"]
account = "reviewer"
"""
NO_RECORDING, NO_VIDEO = f"{INTERVIEW[:-1]}0", f"{INTERVIEW_FILM[:-1]}0"


async def test_no_byte_of_a_film_is_written_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    async with running_stack(tmp_path, film_indexes=True) as stack:
        film = stack.valt.recording(SESSION).film(CAMERA_A)
        assert film is not None
        for headers in ({}, {"Range": "bytes=0-99999"}, {"Range": "bytes=0-9,50-99"}):
            async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer() | headers) as answer:
                assert len(await answer.read()) >= 60
        await stack.ended()
        async with asyncio.timeout(60):  # a parser that is running at the end would be killed
            while (await stack.metrics())['valt_gateway_film_indexes_total{outcome="ok"}'] == 0:
                await asyncio.sleep(0.05)
        async with stack.client.get(f"{stack.url}/recordings/{SESSION}", headers=stack.bearer() | NAVIGATION) as page:
            assert page.status == 200
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert tmp_path / "audit.jsonl" in files
        piece = bytes(film.content[1000:1032])
        assert [file for file in files if piece in file.read_bytes()] == []


@pytest.mark.parametrize("who", ["nobody", "no rule", "a rule for another recording", "a rule for another room"])
@pytest.mark.parametrize(
    "path", ["/recordings/{}", "/recordings/{}/videos/{}", "/api/v3/records/{}", "/recordings/{}/captions.vtt"]
)
async def test_a_refusal_is_the_same_for_recordings_that_exist_and_others(tmp_path: Path, who: str, path: str) -> None:
    async with running_stack(tmp_path, grants=GRANTS + OTHER_ROOM) as stack:
        groups = {"no rule": "none", "a rule for another recording": "students", "a rule for another room": "rooms"}
        headers = {} if who == "nobody" else stack.bearer("ben", groups[who])
        answers = set()
        for recording, video in ((INTERVIEW, INTERVIEW_FILM), (NO_RECORDING, NO_VIDEO)):
            async with stack.client.get(stack.url + path.format(recording, video), headers=headers) as answer:
                body = re.sub(r'"request_id": ?"[^"]*"', "", await answer.text())
                fields = {name: value for name, value in answer.headers.items() if name not in ("X-Request-ID", "Date")}
                answers.add((answer.status, body, str(fields)))
        assert len(answers) == 1
        assert answers.pop()[0] in (401, 403, 404)
        assert (stack.valt.calls["record"] > 0) == (who == "a rule for another room")


@pytest.mark.parametrize("names_recording", [True, False])
async def test_a_ticket_for_one_video_shows_texts_only_if_it_names_the_recording(
    tmp_path: Path, names_recording: bool
) -> None:
    limits = {"recording": INTERVIEW, "video": INTERVIEW_FILM} if names_recording else {"video": INTERVIEW_FILM}
    expected = 200 if names_recording else 403
    async with running_stack(tmp_path) as stack:
        stack.valt.add_video(INTERVIEW, "another", b"x" * 100)
        for path in ("", "/captions.vtt", "/chapters.vtt"):
            address = f"{stack.url}/recordings/{INTERVIEW}{path}?ticket={stack.ticket(**limits)}"
            async with stack.client.get(address, headers={"Accept": "application/json"}) as answer:
                text = await answer.text()
                assert (answer.status, "another" in text) == (expected, False), path
                assert ("slept" in text) == (names_recording and path != "/chapters.vtt"), path
        for video, status in ((INTERVIEW_FILM, 200), ("another", 403)):
            address = f"{stack.url}/recordings/{INTERVIEW}/videos/{video}?ticket={stack.ticket(**limits)}"
            async with stack.client.get(address) as answer:
                assert answer.status == status
        async with stack.client.get(f"{stack.url}/recordings/{SESSION}?ticket={stack.ticket(**limits)}") as answer:
            assert answer.status == 403


@pytest.mark.promise("security-S17")
@pytest.mark.parametrize("encrypted", [True, False])
async def test_browsers_use_https_alone_where_the_gateway_has_the_certificate(tmp_path: Path, encrypted: bool) -> None:
    authority = trustme.CA()
    write_certificate(tmp_path, authority)
    context = client_context(authority) if encrypted else None
    async with running_stack(tmp_path, server=CERTIFIED if encrypted else "") as stack:
        for path, headers in ((VIDEO_PATH, stack.bearer()), (VIDEO_PATH, {}), ("/", NAVIGATION), ("/none", NAVIGATION)):
            async with stack.client.get(stack.url + path, headers=headers, ssl=context or True) as answer:
                stated = answer.headers.get("Strict-Transport-Security")
            assert stated == ("max-age=31536000" if encrypted else None), path
        for rest, status in ((b"Host : x\r\n\r\n", 400), (b"X: " + bytes(40_000), 431)):
            async with connect(stack.url, tls=context) as client:
                await client.send(b"GET / HTTP/1.1\r\n" + rest)
                rejection = await client.read_head()
            stated = rejection.headers.get("Strict-Transport-Security")
            assert (rejection.status, stated) == (status, "max-age=31536000" if encrypted else None)


async def _text(stack: GatewayStack, path: str, host: str, headers: dict[str, str]) -> str:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    async with connect(stack.url) as client:
        await client.send("\r\n".join([*lines, "", ""]).encode())
        return (await client.read_to_end()).decode("latin-1")


async def test_addresses_in_responses_are_of_public_url_whatever_the_host_is(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more=OIDC) as stack:
        for host in ("evil.test", "localhost", "evil.test:8080"):
            link = f"/api/v3/records/download/{SESSION}/{CAMERA_A}"
            texts = [await _text(stack, path, host, stack.bearer()) for path in (link, "/recordings")]
            texts.append(await _text(stack, "/oauth2/start?rd=/", host, NAVIGATION))
            for text, address in zip(texts, ("/recordings/", "/recordings/", "/oauth2/callback"), strict=True):
                assert f"http://localhost:8080{address}" in text
                assert "evil" not in text


@pytest.mark.promise("operation-streams")
@pytest.mark.parametrize("command", [("streams",), ("cut", "a-stream")])
async def test_the_admin_token_is_not_sent_on_to_where_a_program_redirects(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    requests: list[bytes] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        port = servers[1].sockets[0].getsockname()[1]
        writer.write(b"HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:%d/streams\r\nContent-Length: 0\r\n\r\n" % port)
        writer.close()

    servers = [await asyncio.start_server(respond, "127.0.0.1", 0) for _ in range(2)]
    async with servers[0], servers[1], running_stack(tmp_path) as stack:
        (tmp_path / "admin-token").touch(mode=0o600)
        (tmp_path / "admin-token").write_text("a-token-of-the-operators-of-this-test")
        address = f"127.0.0.1:{servers[0].sockets[0].getsockname()[1]}"
        text = stack.config.read_text()
        admin = '[admin]\nlisten = "127.0.0.1:0"\n'
        assert admin in text
        stack.config.write_text(text.replace(admin, f'[admin]\nlisten = "{address}"\ntoken_file = "admin-token"\n'))
        ran = await run(sys.executable, "-m", "gateway", command[0], "--config", str(stack.config), *command[1:])
    assert ran.code == 1
    assert len(requests) == 1
    assert b"a-token-of" in requests[0]


@pytest.mark.parametrize("error", ["access_denied", "server_error", "<i>canary</i>"])
async def test_no_page_repeats_what_a_provider_says_of_a_failed_sign_in(tmp_path: Path, error: str) -> None:
    async with running_stack(tmp_path, more=OIDC) as stack:
        async with stack.client.get(f"{stack.url}/oauth2/start", headers=NAVIGATION, allow_redirects=False) as answer:
            state = URL(answer.headers["Location"]).query["state"]
            headers = NAVIGATION | {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        query = {
            "state": state,
            "error": error,
            "error_description": "<i>canary</i>",
            "error_uri": "https://canary.test",
        }
        async with stack.client.get(URL(f"{stack.url}/oauth2/callback").with_query(query), headers=headers) as answer:
            assert answer.status in (401, 403, 503)
            assert "canary" not in await answer.text()
            assert "canary" not in str(answer.headers)
