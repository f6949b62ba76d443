"""Metrics for operators: each gauge from the start, after reloads and with workers; bounded labels; gzip."""

import gzip
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from gateway.web.routes import ROUTES
from tests.support.client import connect
from tests.support.gateway_fixture import GatewayStack, running_stack, settings_of
from tests.support.served import serving
from tests.support.tls import CERTIFIED, client_context, write_certificate
from tests.support.worker_requests import RUNNING, WORKERS, eventually

pytestmark = pytest.mark.timeout(300)

KEY = '[[service_keys]]\nname = "{}"\nsecret_sha256 = "{}"\nexpires = {}\n'
CERTIFICATE = 'valt_gateway_certificate_expiry_timestamp_seconds{name="server"}'
OTHER_METHODS = ("PUT", "PATCH", "DELETE", "POST", "OPTIONS", "PROPFIND", "X-1", "X-2")


def service_key(name: str, last_day: str) -> str:
    return KEY.format(name, name.encode().hex().rjust(64, "0"), last_day)


def key_series(name: str) -> str:
    return f'valt_gateway_service_key_expiry_timestamp_seconds{{name="{name}"}}'


@pytest.mark.promise("operation-O11", "operation-O12")
async def test_gauges_are_right_from_the_start_and_without_expiries_there_is_no_series(stack: GatewayStack) -> None:
    before = datetime.now(UTC).timestamp() - 3600
    metrics = {name.removeprefix("valt_gateway_"): value for name, value in (await stack.metrics()).items()}
    assert metrics["config_last_reload_successful"] == 1
    assert metrics["config_last_reload_timestamp_seconds"] > before
    assert (metrics["audit_writable"], metrics["state_available"]) == (1, 1)
    assert (metrics["log_lines_dropped_total"], metrics["refusals_suppressed_total"]) == (0, 0)
    assert (metrics["connections_active"], metrics['streams_active{delivery="proxy"}']) == (0, 0)
    assert metrics["process_open_fds"] > 0
    assert [name for name in metrics if "expiry" in name] == []


@pytest.mark.promise("operation-O12")
async def test_the_certificates_expiry_is_a_gauge_and_follows_a_reload(tmp_path: Path) -> None:
    authority = trustme.CA()
    first, second = (datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) for days in (5, 90))
    write_certificate(tmp_path, authority, first)
    async with running_stack(tmp_path, server=CERTIFIED) as stack:
        async with stack.client.get(f"{stack.url}/robots.txt", ssl=client_context(authority)) as answer:
            assert answer.status == 200
        assert (await stack.metrics())[CERTIFICATE] == first.timestamp()
        write_certificate(tmp_path, authority, second)
        assert await stack.gateway.reload(settings_of(stack.config))
        assert (await stack.metrics())[CERTIFICATE] == second.timestamp()
        (tmp_path / "cert.pem").write_text("damaged")
        assert not await stack.gateway.reload(settings_of(stack.config))
        metrics = await stack.metrics()
    assert metrics[CERTIFICATE] == second.timestamp()
    assert metrics["valt_gateway_config_last_reload_successful"] == 0


@pytest.mark.promise("operation-O12")
async def test_a_service_keys_expiry_is_the_end_of_its_last_day_and_goes_with_the_key(tmp_path: Path) -> None:
    keys = service_key("archive", "2031-06-30") + service_key("reports", "2032-01-31")
    async with running_stack(tmp_path, more=keys) as stack:
        metrics = await stack.metrics()
        assert metrics[key_series("archive")] == datetime(2031, 7, 1, tzinfo=UTC).timestamp()
        assert metrics[key_series("reports")] == datetime(2032, 2, 1, tzinfo=UTC).timestamp()
        text = stack.config.read_text()
        stack.config.write_text(text.replace(service_key("archive", "2031-06-30"), ""))
        assert await stack.gateway.reload(settings_of(stack.config))
        metrics = await stack.metrics()
    assert key_series("archive") not in metrics
    assert key_series("reports") in metrics


@pytest.mark.promise("operation-O11", "operation-O12")
async def test_workers_have_the_same_gauges_also_after_a_reload(tmp_path: Path) -> None:
    async with serving(tmp_path, server=WORKERS, more=service_key("reports", "2032-01-31")) as gateway:
        expiry = datetime(2032, 2, 1, tzinfo=UTC).timestamp()
        metrics = await eventually(gateway, lambda metrics: metrics.get(key_series("reports")) == expiry)
        assert metrics[RUNNING] == 2
        assert metrics["valt_gateway_config_last_reload_successful"] == 1
        assert metrics["valt_gateway_audit_writable"] == metrics["valt_gateway_state_available"] == 1
        for number in ("1", "2"):
            for series in ("cpu_seconds_total", "resident_memory_bytes", "open_fds"):
                assert f'valt_gateway_worker_{series}{{worker="{number}"}}' in metrics
        text = gateway.config.read_text()
        gateway.config.write_text(text.replace('name = "reports"', 'name = "exports"'))
        await gateway.reload()
        await eventually(
            gateway,
            lambda metrics: (
                metrics.get(key_series("exports")) == expiry
                and key_series("reports") not in metrics
                and metrics["valt_gateway_config_last_reload_successful"] == 1
            ),
        )


@pytest.mark.promise("operation-O11")
async def test_no_request_adds_a_label_value_beyond_routes_methods_and_statuses(stack: GatewayStack) -> None:
    paths = {path: re.sub(r"\{\w+\}", "abc-1", path) for _, path, _ in ROUTES}
    for path in (*paths.values(), "/secret-path", "/%2e%2e/x", "/recordings/%00/videos/1?secret=1"):
        for method in ("GET", "HEAD", *OTHER_METHODS):
            async with connect(stack.url) as connection:
                head = f"{method} {path} HTTP/1.1\r\nHost: {method}.invalid\r\nConnection: close\r\n\r\n"
                await connection.send(head.encode())
                await connection.read_until_reset()
    metrics = await stack.metrics()
    labels: dict[str, set[str]] = {}
    for name in metrics:
        if name.startswith("valt_gateway_request"):
            for label, value in re.findall(r'(\w+)="([^"]*)"', name):
                labels.setdefault(label, set()).add(value)
    assert labels["route"] == {*paths, "other"}
    assert labels["method"] <= {"GET", "HEAD", "POST", "OPTIONS", "other"}
    assert all(re.fullmatch(r"[1-5]\d\d|none", status) for status in labels["status"])
    assert sum("requests_total" in name for name in metrics) < 900


@pytest.mark.promise("operation-O11")
@pytest.mark.parametrize(
    ("accepted", "compressed"), [("gzip", True), ("br;q=1, GZIP;q=0.5", True), ("gzip;q=0, *", False), ("", False)]
)
async def test_metrics_are_sent_as_gzip_where_that_is_accepted(
    stack: GatewayStack, accepted: str, compressed: bool
) -> None:
    async with connect(stack.admin) as connection:
        await connection.send(
            f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {accepted}\r\n\r\n".encode()
        )
        answer = await connection.read_response()
    assert answer.status == 200
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert (answer.headers.get("Content-Encoding") == "gzip") == compressed
    text = gzip.decompress(answer.body) if compressed else answer.body
    assert text.startswith(b"# HELP")
    assert b"valt_gateway_build_info" in text
    assert len(answer.body) < 20_000 if compressed else len(answer.body) < 150_000
