"""Each knob has its documented effect, and none after it is reset or used up."""

import asyncio
from dataclasses import fields
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from yarl import URL

from gateway.sim.catalogue import CAMERA_A, SESSION
from gateway.sim.knobs import Knobs
from gateway.sim.valt import USERS
from tests.support.client import connect, request
from tests.support.clock import ManualClock
from tests.support.valt import ApiResponse, Caller, claims

BIG = bytes(range(256)) * 4096
DOWNLOAD = f"/api/v3/records/download/{SESSION}/{CAMERA_A}"
OPERATIONS = {
    "login": ("POST", "/api/v3/login"),
    "download": ("GET", DOWNLOAD),
    "record": ("GET", f"/api/v3/records/{SESSION}"),
    "search": ("POST", "/api/v3/records"),
    "rooms": ("GET", "/api/v3/rooms/info"),
}


async def big(valt: Caller) -> str:
    valt.valt.add_video("big", "film", BIG)
    return await valt.link("big", "film")


async def read_until_it_breaks(valt: Caller, link: str) -> tuple[bytes, Exception | None]:
    async with valt.client.get(URL(link, encoded=True)) as answer:
        got = b""
        try:
            async for piece in answer.content.iter_any():
                got += piece
        except aiohttp.ClientError as error:
            return got, error
        return got, None


async def test_link_life_sets_the_life_of_links(valt: Caller, clock: ManualClock) -> None:
    valt.valt.knobs.link_life = 60
    link = await valt.link()
    assert claims(link)["exp"] == claims(link)["iat"] + 60
    clock.pass_(60)
    assert (await valt.fetch(link)).status == 403


async def test_a_link_may_be_good_after_its_end(valt: Caller, clock: ManualClock) -> None:
    valt.valt.knobs.link_life, valt.valt.knobs.ignore_exp = 60, True
    link = await valt.link()
    clock.pass_(60)
    assert (await valt.fetch(link)).status == 200


async def test_an_expiring_link_may_cut_the_body(valt: Caller) -> None:
    knobs = valt.valt.knobs
    knobs.link_life, knobs.expiry_cuts, knobs.stall_after = 1, True, [1000]
    got, error = await read_until_it_breaks(valt, await valt.link())
    assert (len(got), type(error)) == (1000, aiohttp.ClientPayloadError)


async def test_a_link_may_have_no_expiry(valt: Caller, clock: ManualClock) -> None:
    valt.valt.knobs.link_without_exp = True
    link = await valt.link()
    assert "exp" not in claims(link)
    clock.pass_(1e6)
    assert (await valt.fetch(link)).status == 200


async def test_a_links_token_may_be_opaque(valt: Caller) -> None:
    valt.valt.knobs.link_not_jwt = True
    link = await valt.link()
    assert "." not in parse_qs(urlsplit(link).query)["access_token"][0]
    assert (await valt.fetch(link)).status == 200


async def test_a_link_may_name_another_host_and_scheme(valt: Caller) -> None:
    valt.valt.knobs.link_host, valt.valt.knobs.link_scheme = "media.test:8000", "ftp"
    link = await valt.link()
    assert link.startswith(f"ftp://media.test:8000/distribution/{SESSION}/")
    assert claims(link)["iss"] == "media.test"


async def test_a_token_may_be_bound_to_its_film(valt: Caller) -> None:
    valt.valt.knobs.unscoped_links = False
    link = await valt.link()
    assert (await valt.fetch(link)).status == 200
    assert (await valt.fetch(link.replace("_1.mp4", "_2.mp4", 1))).status == 403


async def test_the_link_may_be_below_data(valt: Caller) -> None:
    await valt.login()
    valt.valt.knobs.url_under_data = True
    response = await valt.call("GET", DOWNLOAD)
    assert set(response.body) == {"data"}
    assert (await valt.fetch(response.body["data"]["url"])).status == 200


async def test_links_follow_valts_clock_which_may_be_ahead(valt: Caller, clock: ManualClock) -> None:
    valt.valt.knobs.clock_ahead = 3600
    link = await valt.link()
    assert claims(link)["iat"] == claims(link)["nbf"] == int(clock.now()) + 3600
    assert (await valt.fetch(link)).status == 200
    valt.valt.knobs.clock_ahead = 0
    assert (await valt.fetch(link)).status == 403


async def test_the_life_of_api_tokens_can_be_set(valt: Caller, clock: ManualClock) -> None:
    valt.valt.knobs.token_life = 100
    await valt.login()
    clock.pass_(99)
    assert (await valt.call("GET", DOWNLOAD)).status == 200
    clock.pass_(1)
    assert (await valt.call("GET", DOWNLOAD)).status == 401


async def test_access_tokens_may_be_voided(valt: Caller) -> None:
    await valt.login()
    valt.valt.forget_tokens()
    assert (await valt.call("GET", DOWNLOAD)).body == {"error": {"code": 401, "message": "Bad credentials."}}
    await valt.login()
    assert (await valt.call("GET", DOWNLOAD)).status == 200


async def test_logins_may_be_refused_though_the_password_is_right(valt: Caller) -> None:
    valt.valt.knobs.refuse_logins = True
    assert await valt.login() == ApiResponse(401, {"data": "Invalid username or password"})
    valt.valt.knobs.refuse_logins = False
    assert (await valt.login()).status == 200


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_given_number_of_calls_fails_and_then_no_more(valt: Caller, operation: str) -> None:
    await valt.login()
    valt.valt.knobs.fail[operation] = [503, 400]
    url = URL(valt.valt.base_url + OPERATIONS[operation][1]).with_query(access_token=valt.token)
    statuses = []
    for _ in range(3):
        async with valt.client.request(
            OPERATIONS[operation][0], url, json={"username": "svc-reviewer", "password": USERS["svc-reviewer"]}
        ) as answer:
            statuses.append(answer.status)
    assert statuses == [503, 400, 200]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_may_return_a_page_instead_of_json(valt: Caller, operation: str) -> None:
    valt.valt.knobs.rubbish.add(operation)
    method, path = OPERATIONS[operation]
    async with valt.client.request(method, valt.valt.base_url + path) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_waits_for_its_gate(valt: Caller, operation: str) -> None:
    gate = valt.valt.knobs.gate[operation] = asyncio.Event()
    waiting = asyncio.ensure_future(valt.call(*OPERATIONS[operation], json={}))
    await valt.valt.wait_for(lambda: valt.valt.calls[operation] == 1)
    assert not waiting.done()
    gate.set()
    assert (await waiting).status == 401


async def test_media_waits_for_its_gate_and_detects_a_closed_connection(valt: Caller) -> None:
    link = await valt.link()
    gate = valt.valt.knobs.gate["media"] = asyncio.Event()
    leaving = asyncio.ensure_future(valt.fetch(link))
    await valt.valt.wait_for(lambda: valt.valt.calls["media"] == 1)
    leaving.cancel()
    await valt.valt.wait_for(lambda: valt.valt.open_media == 0)
    assert valt.valt.media_requests[0].client_left
    staying = asyncio.ensure_future(valt.fetch(link))
    await valt.valt.wait_for(lambda: valt.valt.calls["media"] == 2)
    gate.set()
    assert (await staying).status == 200


async def test_an_operation_may_be_delayed(valt: Caller) -> None:
    valt.valt.knobs.delay = {"login": 0.01, "media": 0.01}
    assert (await valt.fetch(await valt.link())).status == 200


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_the_next_media_requests_are_refused_with_the_given_status(valt: Caller, status: int) -> None:
    link = await valt.link()
    valt.valt.knobs.refuse_media = [status]
    assert [(await valt.fetch(link)).status for _ in range(2)] == [status, 200]


@pytest.mark.parametrize("knob", ["reset_after", "end_after"])
@pytest.mark.parametrize("at", [0, 1, 500_000])
async def test_a_body_ends_at_the_given_byte_and_the_next_is_complete(valt: Caller, knob: str, at: int) -> None:
    link = await big(valt)
    getattr(valt.valt.knobs, knob).append(at)
    got, error = await read_until_it_breaks(valt, link)
    assert error is not None
    assert BIG.startswith(got)
    assert valt.valt.media_requests[-1].sent == at
    if knob == "end_after":
        assert len(got) == at
    assert not valt.valt.media_requests[-1].client_left
    assert await read_until_it_breaks(valt, link) == (BIG, None)


async def test_a_reset_may_come_inside_the_head(valt: Caller) -> None:
    link = await big(valt)
    valt.valt.knobs.reset_after = [-1]
    async with connect(link) as connection:
        await connection.send(request("GET", URL(link, encoded=True).raw_path_qs))
        with pytest.raises(ConnectionResetError):
            await connection.read_head()


async def test_a_body_without_a_length_that_ends_early_has_no_last_chunk(valt: Caller) -> None:
    link = await big(valt)
    valt.valt.knobs.chunked = True
    valt.valt.knobs.end_after = [300_000]
    got, error = await read_until_it_breaks(valt, link)
    assert (len(got), type(error)) == (300_000, aiohttp.ClientPayloadError)


async def test_a_body_stalls_at_the_given_byte_until_it_is_released(valt: Caller) -> None:
    link = await big(valt)
    valt.valt.knobs.stall_after = [300_000]
    async with valt.client.get(URL(link, encoded=True)) as answer:
        assert await answer.content.readexactly(300_000) == BIG[:300_000]
        assert valt.valt.media_requests[-1].sent == 300_000
        valt.valt.knobs.stall_gate.set()
        assert await answer.content.read() == BIG[300_000:]


async def test_a_connection_closed_during_a_stall_is_detected(valt: Caller) -> None:
    link = await big(valt)
    valt.valt.knobs.stall_after = [300_000]
    async with valt.client.get(URL(link, encoded=True)) as answer:
        await answer.content.readexactly(300_000)
        answer.close()
    await valt.valt.wait_for(lambda: valt.valt.open_media == 0)
    assert valt.valt.media_requests[-1].client_left


async def test_a_file_may_change_while_it_is_sent(valt: Caller) -> None:
    link = await big(valt)
    before = await valt.fetch(link, method="HEAD")
    valt.valt.knobs.change_after = [300_000]
    got, error = await read_until_it_breaks(valt, link)
    assert error is not None
    assert BIG.startswith(got)
    after = await valt.fetch(link)
    assert len(after.body) == len(BIG)
    assert not any(map(int.__eq__, after.body[:1000], BIG[:1000]))
    assert after.headers["ETag"] != before.headers["ETag"]
    assert after.headers["Last-Modified"] != before.headers["Last-Modified"]


async def test_a_range_may_be_ignored(valt: Caller) -> None:
    valt.valt.knobs.ignore_range = True
    response = await valt.fetch(await big(valt), {"Range": "bytes=5-9"})
    assert (response.status, response.body) == (200, BIG)


async def test_if_range_may_be_ignored(valt: Caller) -> None:
    link, headers = await big(valt), {"Range": "bytes=5-9", "If-Range": '"another"'}
    assert (await valt.fetch(link, headers)).status == 200
    valt.valt.knobs.ignore_if_range = True
    assert (await valt.fetch(link, headers)).status == 206


async def test_head_may_be_refused(valt: Caller) -> None:
    link = URL(await valt.link(), encoded=True)
    async with valt.client.head(link) as answer:
        assert answer.status == 200
    valt.valt.knobs.refuse_head = True
    async with valt.client.head(link) as answer:
        assert answer.status == 405


async def test_the_media_servers_clock_may_be_ahead(valt: Caller, clock: ManualClock) -> None:
    link = await valt.link()
    assert "Date" not in (await valt.fetch(link)).headers
    valt.valt.knobs.media_date_ahead = 90.0
    date = (await valt.fetch(link)).headers["Date"]
    assert parsedate_to_datetime(date).timestamp() == int(clock.now()) + 90


async def test_a_content_range_may_be_wrong(valt: Caller) -> None:
    valt.valt.knobs.wrong_content_range = True
    response = await valt.fetch(await big(valt), {"Range": "bytes=5-9"})
    assert (response.status, response.body) == (206, BIG[5:10])
    assert response.headers["Content-Range"] == f"bytes 6-10/{len(BIG)}"


async def test_a_length_may_be_unknown(valt: Caller) -> None:
    valt.valt.knobs.chunked = True
    link = await big(valt)
    response = await valt.fetch(link)
    assert "Content-Length" not in response.headers
    assert response.body == BIG
    assert (await valt.fetch(link, {"Range": "bytes=5-9"})).body == BIG[5:10]


async def test_validators_may_be_weak_or_missing(valt: Caller) -> None:
    link = await big(valt)
    valt.valt.knobs.validators = "weak"
    assert (await valt.fetch(link)).headers["ETag"].startswith('W/"')
    valt.valt.knobs.validators = "unquoted"
    unquoted = (await valt.fetch(link)).headers["ETag"]
    assert '"' not in unquoted
    assert (await valt.fetch(link, {"Range": "bytes=0-4", "If-Range": unquoted})).status == 200
    valt.valt.knobs.validators = "none"
    response = await valt.fetch(link)
    assert "ETag" not in response.headers
    assert "Last-Modified" not in response.headers


async def test_more_bytes_than_announced_may_follow_a_body(valt: Caller) -> None:
    link = await valt.link()
    valt.valt.knobs.extra_bytes = 5
    headers = {"Range": "bytes=0-9", "Connection": "close"}
    async with connect(link) as connection:
        await connection.send(request("GET", URL(link, encoded=True).raw_path_qs, headers))
        response = await connection.read_last_response()
    assert response.headers["Content-Length"] == "10"
    assert len(response.body) == 15
    assert response.body.endswith(b"xxxxx")


def test_two_simulators_do_not_share_a_knob() -> None:
    one, another = Knobs(), Knobs()
    for knob in fields(Knobs):
        value = getattr(one, knob.name)
        if isinstance(value, (list, dict, set, asyncio.Event)):
            assert value is not getattr(another, knob.name)
