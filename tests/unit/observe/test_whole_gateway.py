"""A whole gateway's audit, metrics and log: they agree about a request, and lose and disclose nothing."""

import asyncio
import json
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.observe.audit_report import Selection, rows
from tests.support.client import connect, request
from tests.support.clock import ManualClock
from tests.support.gateway_fixture import OIDC, VIDEO_PATH, GatewayStack, running_stack, settings_of


def access_records(stack: GatewayStack) -> list[dict[str, Any]]:
    stack.gateway.refusals.flush()
    records = [json.loads(line) for line in stack.log.getvalue().splitlines()]
    return [record for record in records if record["event"] == "request"]


@pytest.mark.promise("streams-36")
async def test_audit_metrics_and_log_agree_about_one_stream(stack: GatewayStack) -> None:
    headers = stack.bearer("anna") | {"Range": "bytes=100-1099"}
    async with stack.client.get(stack.url + VIDEO_PATH, headers=headers) as answer:
        assert len(await answer.read()) == 1000
        request_id = answer.headers["X-Request-ID"]
    await stack.ended()
    opened, closed = stack.audit()
    (access,) = access_records(stack)
    assert (opened["event"], closed["event"]) == ("open", "close")
    assert {opened["request_id"], closed["request_id"], access["request_id"]} == {request_id}
    for one in (closed, access):
        values = [one[name] for name in ("subject", "rule", "status", "bytes", "outcome")]
        assert values == ["anna", "supervisors", 206, 1000, "whole"]
    assert (opened["bytes"], opened["range"], opened["groups"]) == (None, "bytes=100-1099", ["supervisors"])
    metrics = await stack.metrics()
    assert metrics["valt_gateway_stream_bytes_total"] == 1000
    assert metrics['valt_gateway_deliveries_total{delivery="proxy",outcome="whole"}'] == 1
    assert metrics['valt_gateway_grants_total{outcome="allowed",rule="supervisors"}'] == 1
    assert metrics['valt_gateway_audit_events_total{event="close"}'] == 1


@pytest.mark.promise("operation-O1")
async def test_streams_are_refused_while_the_audit_cannot_be_written(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    audit.symlink_to("/dev/full")
    async with running_stack(tmp_path) as stack:
        async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer("anna")) as answer:
            assert (answer.status, (await answer.json())["code"]) == (503, "busy")
            assert int(answer.headers["Retry-After"]) > 0
        audit.unlink()
        stack.gateway.audit.reopen()
        async with stack.client.get(stack.url + VIDEO_PATH, headers=stack.bearer("ben")) as answer:
            assert answer.status == 200
            await answer.read()
        await stack.ended()
        lines = [(line["event"], line["subject"], line["code"]) for line in stack.audit()]
        assert lines == [("deny", "anna", "busy"), ("open", "ben", None), ("close", "ben", None)]
        assert "the audit cannot be written" in stack.log.getvalue()


@pytest.mark.parametrize(("end", "outcome"), [("leaves", "left"), ("is cut", "cut"), ("is stopped", "cut")])
async def test_a_stream_that_ends_while_its_open_line_goes_to_the_disk_has_a_close_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, outcome: str
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _descriptor: answers.wait(30))
    async with (
        running_stack(tmp_path, audit_more='fsync = "always"\n') as stack,
        connect(stack.url) as client,
        asyncio.timeout(30),
    ):
        await client.send(request("GET", VIDEO_PATH, stack.bearer()))
        while len(stack.audit()) < 1:
            await asyncio.sleep(0.005)
        if end == "leaves":
            client.abort()
        elif end == "is cut":
            assert stack.gateway.streams.end("revoked", lambda _stream: True) == 1
        stopped = asyncio.create_task(stack.gateway.stop()) if end == "is stopped" else None
        await stack.ended()
        answers.set()
        if stopped is not None:
            assert await stopped
        assert [line["event"] for line in stack.audit()] == ["open", "close"]
        (row,) = rows([tmp_path / "audit.jsonl"], Selection(), lambda *_: None)
        assert (row["outcome"], row["bytes"], row["status"]) == (outcome, 0, 200)


async def test_a_redirect_that_is_refused_after_its_open_line_has_a_deny_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _descriptor: answers.wait(30))
    async with (
        running_stack(tmp_path, audit_more='fsync = "always"\n') as stack,
        connect(stack.url) as client,
        asyncio.timeout(30),
    ):
        await client.send(request("GET", VIDEO_PATH, stack.bearer("anna", "redirected")))
        while len(stack.audit()) < 1:
            await asyncio.sleep(0.005)
        await revoke(stack)
        answers.set()
        assert (await client.read_response()).status == 401
        lines = [(line["event"], line["delivery"], line["status"], line["code"]) for line in stack.audit()]
        assert lines == [("open", "redirect", 307, None), ("deny", "redirect", 401, "credentials_invalid")]


async def revoke(stack: GatewayStack) -> None:
    now = stack.gateway.clock.now()
    await stack.gateway.store.revoke("anna", now + 1, now + 3600)


async def deny(stack: GatewayStack) -> None:
    stack.config.write_text(stack.config.read_text().replace('groups = ["supervisors"]', 'groups = ["nobody"]'))
    assert await stack.gateway.reload(settings_of(stack.config))


async def cut(stack: GatewayStack) -> None:
    (stream,) = stack.gateway.streams
    assert await stack.gateway.stream_control.cut(stream.record.request_id, None)


async def drain(stack: GatewayStack) -> None:
    at_once = asyncio.Event()
    at_once.set()
    await stack.gateway.drain(at_once)


@pytest.mark.parametrize("end", [revoke, deny, cut, drain])
async def test_a_stream_that_is_cut_before_its_first_byte_is_audited_as_refused(
    tmp_path: Path, end: Callable[[GatewayStack], Awaitable[None]]
) -> None:
    async with running_stack(tmp_path) as stack, connect(stack.url) as client:
        gate = stack.valt.knobs.gate["media"] = asyncio.Event()
        await client.send(request("GET", VIDEO_PATH, stack.bearer()))
        await stack.valt.wait_for(lambda: stack.valt.calls["media"] == 1)
        await end(stack)
        assert await client.read_until_reset() == (b"", True)
        await stack.ended()
        gate.set()
        (line,) = stack.audit()
        values = [line[name] for name in ("event", "subject", "rule", "status", "code", "outcome", "bytes")]
        assert values == ["deny", "anna", "supervisors", None, None, "cut", 0]


async def test_what_the_parser_refuses_is_not_repeated_in_the_log(stack: GatewayStack) -> None:
    for garbage in (b"GET /?ticket=planted", b"GET / HTTP/1.1\r\nAuthorization: Bearer planted\x00\r\n\r\n"):
        async with connect(stack.url) as connection:
            await connection.send(garbage + b"\r\n\r\n")
            connection.send_eof()
            await connection.read_to_end()
    stack.gateway.refusals.flush()
    assert "planted" not in stack.log.getvalue()


MORE = f'{OIDC}[[service_keys]]\nname = "archive"\nsecret_sha256 = "{"0" * 64}"\n'


def outcomes_of(metrics: dict[str, float], provider: str) -> dict[str, float]:
    series = 'valt_gateway_identity_total{{outcome="{}",provider="{}"}}'
    return {
        outcome: metrics[name]
        for outcome in ("accepted", "refused", "unavailable")
        if (name := series.format(outcome, provider)) in metrics
    }


async def test_every_identity_provider_is_present_at_zero_from_the_start(tmp_path: Path) -> None:
    async with running_stack(tmp_path, more=MORE) as stack:
        metrics = await stack.metrics()
    for provider in ("campus", "front", "portal", "campus-login", "session", "service_key"):
        assert outcomes_of(metrics, provider) == {"accepted": 0, "refused": 0, "unavailable": 0}, provider


async def test_sign_ins_are_counted_under_their_provider(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_stack(tmp_path, clock=clock, more=MORE) as stack:
        assert await stack.sign_in()
        assert not await stack.sign_in(nonce="of another sign-in")
        stack.provider.down = True
        clock.pass_(31)
        async with stack.client.get(f"{stack.url}/oauth2/start") as answer:
            assert answer.status == 503
        metrics = await stack.metrics()
    assert outcomes_of(metrics, "campus-login") == {"accepted": 1, "refused": 1, "unavailable": 1}
