"""``doctor`` in a site where all is well, and in sites that are broken in one way each: it names every one of them."""

import os
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.doctor.check import Result
from tests.support.broken_sites import Site, assert_named
from tests.support.broken_surroundings import SURROUNDINGS
from tests.support.doctor_lab import Lab, not_good, running_lab
from tests.support.redis_server import redis_server

NAMES = {
    *("config", "public_url", "admin", "certificate", "valt_login", "valt_search", "valt_record", "valt_link"),
    *("link_clock", "media_range", "media_if_range", "media_head", "link_opens_other_recording", "link_outlives_exp"),
    *("provider", "state", "audit", "descriptors"),
}
STATE = '[state]\ndir = "state"\n'


@pytest.fixture(autouse=True)
def own_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path) as built:
        yield built


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Lets this process, and so the gateway in it, open 400 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.promise("operation-doctor")
async def test_all_checks_are_good_in_a_good_site(lab: Lab) -> None:
    checks = await lab.examine()
    assert not_good(checks) == []
    assert {check.name.partition(":")[0] for check in checks} == NAMES


@pytest.mark.promise("operation-doctor")
@pytest.mark.parametrize("site", SURROUNDINGS, ids=lambda site: site.name)
async def test_broken_surroundings_are_named_with_their_remedy(tmp_path: Path, site: Site) -> None:
    await assert_named(site, tmp_path)


async def test_the_recording_and_the_video_that_are_named_are_tried(lab: Lab) -> None:
    film = lab.valt.add_video("4711", "4712", b"film" * 100)
    lab.recording, lab.video = "4711", film.video
    checks = {check.name: check for check in await lab.examine()}
    assert not_good(checks.values()) == []
    assert "4711, video 4712" in checks["valt_link"].detail
    assert "400 bytes" in checks["media_range"].detail


async def test_the_admin_listener_may_be_a_unix_socket(tmp_path: Path) -> None:
    async with running_lab(tmp_path, admin=f"unix:{tmp_path}/admin") as lab:
        assert not_good(await lab.examine()) == []


async def test_an_address_that_systemd_has_is_not_tried(lab: Lab) -> None:
    line = next(line for line in lab.config.read_text().split("[admin]\n")[1].splitlines())
    lab.edit((line, 'listen = "systemd:admin"'))
    (check,) = not_good(await lab.examine())
    assert (check.name, check.result) == ("admin", Result.DOUBTFUL)
    assert "not tried: the address of systemd:admin" in check.detail


async def test_with_several_workers_the_share_of_one_and_its_audit_are_tried(lab: Lab) -> None:
    lab.edit(("[server]\n", "[server]\nworkers = 2\n"))
    checks = {check.name: check for check in await lab.examine()}
    assert not_good(checks.values()) == []
    assert "25 streams and 100 connections need 264" in checks["descriptors"].detail
    assert "log/audit.1.jsonl can be written" in checks["audit"].detail


@pytest.mark.promise("operation-doctor")
async def test_a_pipe_of_the_audit_that_nobody_reads_is_named(lab: Lab) -> None:
    os.mkfifo(lab.folder / "pipe")
    lab.edit(('file = "log/audit.jsonl"', 'file = "pipe"'))
    (check,) = not_good(await lab.examine())
    assert (check.name, check.result) == ("audit", Result.BROKEN)
    assert "pipe cannot be opened" in check.detail
    assert "a named pipe needs a reader" in check.remedy


@pytest.mark.usefixtures("few_descriptors")
async def test_too_few_descriptors_of_the_running_gateway_are_named(lab: Lab) -> None:
    checks = not_good(await lab.examine())
    assert [(check.name, check.result) for check in checks] == [("descriptors", Result.DOUBTFUL)]
    assert "the running gateway may open 400 files" in checks[0].detail
    assert "168 connections are accepted" in checks[0].detail
    assert "LimitNOFILE=464" in checks[0].remedy


async def test_redis_that_works_is_good(tmp_path: Path, lab: Lab) -> None:
    async with redis_server(tmp_path) as server:
        with_redis(lab, server.url)
        assert not_good(await lab.examine()) == []


@pytest.mark.promise("operation-doctor")
@pytest.mark.parametrize(
    ("options", "user", "detail", "remedy"),
    [
        (("--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru"), "", "maxmemory-policy is allkeys-lru", "noevict"),
        (("--requirepass", "right"), ":wrong@", "refused the user name or password", "password"),
        (("--replicaof", "127.0.0.1", "1"), "", "a replica that cannot be written", "state.url"),
    ],
)
async def test_redis_that_cannot_be_used_is_named(
    tmp_path: Path, lab: Lab, options: tuple[str, ...], user: str, detail: str, remedy: str
) -> None:
    async with redis_server(tmp_path, *options) as server:
        with_redis(lab, server.url.replace("redis://", f"redis://{user}"))
        (check,) = not_good(await lab.examine())
    assert (check.name, check.result) == ("state", Result.BROKEN)
    assert detail in check.detail
    assert remedy in check.remedy
    assert "wrong" not in check.detail + check.remedy


@pytest.mark.promise("operation-doctor")
async def test_redis_that_is_down_is_named(lab: Lab) -> None:
    with_redis(lab, "redis://127.0.0.1:1")
    (check,) = not_good(await lab.examine())
    assert (check.name, check.result) == ("state", Result.BROKEN)
    assert "Redis at 127.0.0.1:1 cannot be used" in check.detail
    assert "start Redis" in check.remedy


def with_redis(lab: Lab, url: str) -> None:
    (lab.folder / "redis-url").touch(mode=0o600)
    (lab.folder / "redis-url").write_text(url)
    lab.edit((STATE, '[state]\nurl_file = "redis-url"\nsecret_file = "state-secret"\n'))
