"""``revoke``: from another process than the gateway's, through the shared state directory."""

import asyncio
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from click.testing import Result

from gateway.clock import SystemClock
from gateway.model import Secret
from gateway.observe.audit_verify import verify
from gateway.redis_url import parse_redis_url
from gateway.store.redis import RedisStore
from gateway.store.sqlite import SqliteStore
from tests.support.clock import ManualClock
from tests.support.redis_server import redis_server
from tests.unit.cli.conftest import Run


async def revoked_at(folder: Path, subject: str, *, after: float = 0.0) -> float | None:
    """Returns when *subject* was revoked, as a gateway that starts *after* so many seconds reads it."""
    store = SqliteStore(folder / "state.sqlite3", ManualClock(time.time() + after))
    await store.start()
    try:
        return store.revoked_at(subject)
    finally:
        await store.close()


def with_state(config: Path) -> Path:
    folder = config.parent / "state"
    folder.mkdir()
    config.write_text(config.read_text() + '\n[state]\ndir = "state"\n')
    return folder


async def test_a_gateway_reads_from_the_state_who_was_revoked_and_when(run: Run, config: Path) -> None:
    folder, before = with_state(config), time.time()
    revoked = await asyncio.to_thread(run, "revoke", "--config", config, "--subject", "anna")
    at = await revoked_at(folder, "anna")
    assert (revoked.exit_code, revoked.stdout) == (0, "")
    assert at is not None
    assert before <= at <= time.time()
    assert await revoked_at(folder, "ben") is None


@pytest.mark.promise("operation-O3")
async def test_it_warns_where_no_gateway_has_the_state_open(run: Run, config: Path) -> None:
    folder = with_state(config)

    async def warns(*more: str) -> bool:
        result = await asyncio.to_thread(run, "revoke", "--config", config, "--subject", "anna", *more)
        assert result.exit_code == 0, result.stderr
        warned = "warning: no gateway has the state in" in result.stderr
        assert ("name that one in the file again, and repeat this" in result.stderr) == warned
        return warned

    assert await warns()
    store = SqliteStore(folder / "state.sqlite3", ManualClock(time.time()))
    await store.start()
    assert not await warns()
    await asyncio.to_thread(shutil.copytree, folder, config.parent / "killed")
    config.write_text(config.read_text().replace('dir = "state"', 'dir = "other"'))
    assert await warns()
    assert await warns("--undo")
    config.write_text(config.read_text().replace('dir = "other"', 'dir = "killed"'))
    assert (config.parent / "killed/state.sqlite3-wal").exists()
    assert await warns()
    await store.close()


@pytest.mark.parametrize(
    "longest",
    [
        '[session]\nsecret = "a secret of more than thirty-two bytes"\nlifetime = "60d"\n',
        '[[identity]]\ntype = "jwt"\nname = "api"\nissuer = "https://api.example.edu"\naudience = "valt-gateway"\n'
        'max_lifetime = "60d"\n',
    ],
    ids=["session", "token"],
)
async def test_a_revocation_outlives_the_longest_session_and_token(run: Run, config: Path, longest: str) -> None:
    folder, day = with_state(config), 24 * 3600.0
    config.write_text(f"{config.read_text()}\n{longest}")
    await asyncio.to_thread(run, "revoke", "--config", config, "--subject", "anna")
    assert await revoked_at(folder, "anna", after=59 * day) is not None
    assert await revoked_at(folder, "anna", after=61 * day) is None


@pytest.mark.promise("operation-replicas", "operation-O3")
async def test_a_revocation_is_written_to_redis_with_no_secret_but_its_url(
    run: Run, config: Path, tmp_path: Path
) -> None:
    arguments = ("revoke", "--config", config, "--subject", "anna")
    async with redis_server(tmp_path) as server:
        (tmp_path / "redis-url").write_text(f"{server.url}\n")
        state = '\n[state]\nurl_file = "redis-url"\nsecret_file = "not-readable"\n'
        config.write_text(config.read_text() + state)
        revoked = await asyncio.to_thread(run, *arguments)
        assert (revoked.exit_code, revoked.stdout) == (0, "")
        store = RedisStore(parse_redis_url(Secret(server.url)), "valt-gateway:", SystemClock(), probe_interval=0.05)
        await store.start()
        assert store.revoked_at("anna") is not None
        await store.close()
    failed = await asyncio.to_thread(run, *arguments)
    assert failed.exit_code == 1
    assert "the state in state.url cannot be written: " in failed.stderr
    assert "NOT revoked" not in failed.stderr


@pytest.mark.promise("operation-O3")
async def test_it_warns_where_no_gateway_receives_what_is_written_to_redis(
    run: Run, config: Path, tmp_path: Path
) -> None:
    text = f'{config.read_text()}\n[state]\nurl_file = "redis-url"\nsecret_file = "not-readable"\n'

    async def warns(prefix: str, *more: str) -> bool:
        config.write_text(f'{text}prefix = "{prefix}"\n')
        result = await asyncio.to_thread(run, "revoke", "--config", config, "--subject", "anna", *more)
        assert result.exit_code == 0, result.stderr
        is_warned = "warning: no gateway is connected to the state in state.url" in result.stderr
        assert ("run for more than a few seconds" in result.stderr) is is_warned
        return is_warned

    async with redis_server(tmp_path) as server:
        (tmp_path / "redis-url").write_text(f"{server.url}\n")
        assert await warns("one:")
        store = RedisStore(parse_redis_url(Secret(server.url)), "one:", SystemClock(), probe_interval=0.05)
        await store.start()
        async with asyncio.timeout(60):
            while await warns("one:"):  # the replica subscribes after its start
                pass
        assert not await warns("one:", "--undo")
        assert await warns("other:")
        assert await warns("other:", "--undo")
        await store.close()


def test_without_state_dir_it_fails_and_names_the_remedy(run: Run, config: Path) -> None:
    failed = run("revoke", "--config", config, "--subject", "anna")
    assert failed.exit_code == 1
    assert "state.dir" in failed.stderr


def test_an_unwritable_state_is_an_error_without_a_traceback(run: Run, config: Path) -> None:
    with_state(config).rmdir()
    (config.parent / "state").write_text("a file where a directory should be")
    failed = run("revoke", "--config", config, "--subject", "anna")
    assert failed.exit_code == 1
    assert "cannot be written" in failed.stderr


@pytest.mark.promise("identity-I22")
async def test_other_spellings_in_the_audit_are_warned_about_and_revoked_too(run: Run, config: Path) -> None:
    folder = with_state(config)
    config.write_text(config.read_text() + '\n[audit]\nfile = "audit.jsonl"\n')
    subjects = ["Anna", "anna", "ANNA", "\uff41nna", "annabel", None]
    lines = [json.dumps({"event": "open", "subject": subject}) for subject in subjects]
    (config.parent / "audit.jsonl").write_text("\n".join([*lines, "torn {", "[]"]))
    revoked = await asyncio.to_thread(run, "revoke", "--config", config, "--subject", "anna")
    assert revoked.exit_code == 0
    assert "warning: revoked too, other spellings" in revoked.stderr
    assert "ANNA, Anna, \uff41nna" in revoked.stderr
    assert "annabel" not in revoked.stderr
    for spelling in ("Anna", "anna", "ANNA", "\uff41nna"):
        assert await revoked_at(folder, spelling) is not None, spelling
    assert await revoked_at(folder, "annabel") is None


@pytest.mark.promise("identity-I22")
async def test_other_spellings_of_one_providers_person_are_warned_about(run: Run, config: Path) -> None:
    folder = with_state(config)
    config.write_text(config.read_text() + '\n[audit]\nfile = "audit.jsonl"\n')
    people = [("campus", "Anna"), ("clinic", "ANNA"), ("campus", "anna"), (None, "annA")]
    lines = [json.dumps({"event": "open", "subject": subject, "provider": provider}) for provider, subject in people]
    (config.parent / "audit.jsonl").write_text("\n".join(lines))
    revoked = await asyncio.to_thread(run, "revoke", "--config", config, "--subject", "campus#anna")
    assert "campus#Anna" in revoked.stderr
    assert "clinic" not in revoked.stderr
    assert "annA" not in revoked.stderr
    assert await revoked_at(folder, "campus#Anna") is not None
    assert await revoked_at(folder, "clinic#ANNA") is None


def test_a_revocation_is_a_line_of_the_audit(run: Run, config: Path) -> None:
    with_state(config)
    config.write_text(f'{config.read_text()}\n[audit]\nfile = "audit.jsonl"\n')
    audit = config.parent / "audit.jsonl"
    without = run("revoke", "--config", config, "--subject", "anna")
    assert (without.exit_code, audit.exists()) == (0, False)  # the gateway, not an operator, creates the file
    assert "the audit has no line about it" in without.stderr
    audit.touch()
    assert run("revoke", "--config", config, "--subject", "anna").exit_code == 0
    opening, line = [json.loads(line) for line in audit.read_text().splitlines()]
    assert (opening["event"], line["event"], line["action"], line["subject"]) == ("chain", "admin", "revoke", "anna")
    assert verify([audit], None).faults == []


@pytest.mark.promise("operation-undo")
async def test_revocations_are_listed_and_undone_and_count_again_when_repeated(run: Run, config: Path) -> None:
    folder = with_state(config)
    (config.parent / "audit.jsonl").touch()
    config.write_text(f'{config.read_text()}\n[audit]\nfile = "audit.jsonl"\n')

    async def command(*arguments: str) -> Result:
        return await asyncio.to_thread(run, "revoke", "--config", config, *arguments)

    async def listed() -> list[str]:
        return [line.split("\t")[0] for line in (await command("--list")).stdout.splitlines()]

    assert await listed() == []
    assert list(folder.iterdir()) == []
    for name in ("anna", "ben", "portal#anna"):
        assert (await command("--subject", name)).exit_code == 0
    assert await listed() == ["portal#anna", "ben", "anna"]
    unknown = await command("--undo", "--subject", "carla")
    assert (unknown.exit_code, "not revoked: carla" in unknown.stderr) == (1, True)
    undone = await command("--undo", "--subject", "ANNA")
    assert (undone.exit_code, undone.stdout) == (0, ""), undone.stderr
    assert await listed() == ["portal#anna", "ben"]
    assert await revoked_at(folder, "anna") is None
    assert await revoked_at(folder, "ben") is not None
    assert (await command("--subject", "anna")).exit_code == 0
    assert await listed() == ["anna", "portal#anna", "ben"]
    assert await revoked_at(folder, "anna") is not None
    lines = [json.loads(line) for line in (config.parent / "audit.jsonl").read_text().splitlines()]
    actions = [(line["action"], line["subject"]) for line in lines if line["event"] == "admin"]
    assert actions[3:] == [("undo", "ANNA"), ("revoke", "anna")]
    assert verify([config.parent / "audit.jsonl"], None).faults == []


@pytest.mark.parametrize("arguments", [(), ("--undo",), ("--list", "--subject", "anna"), ("--list", "--undo")])
def test_revoke_needs_a_subject_or_list_alone(run: Run, config: Path, arguments: tuple[str, ...]) -> None:
    assert run("revoke", "--config", config, *arguments).exit_code == 2


@pytest.mark.promise("operation-undo")
async def test_a_replica_forgets_an_undone_revocation_and_does_not_write_it_again(
    run: Run, config: Path, tmp_path: Path
) -> None:
    async with redis_server(tmp_path) as server:
        (tmp_path / "redis-url").write_text(f"{server.url}\n")
        config.write_text(f'{config.read_text()}\n[state]\nurl_file = "redis-url"\nsecret_file = "not-readable"\n')
        url = parse_redis_url(Secret(server.url))
        replicas = [RedisStore(url, "valt-gateway:", SystemClock(), probe_interval=0.05) for _ in range(2)]
        for replica in replicas:
            await replica.start()

        async def command(*arguments: str) -> Result:
            return await asyncio.to_thread(run, "revoke", "--config", config, *arguments)

        async def until_revoked(expected: bool) -> None:
            while any((replica.revoked_at("anna") is not None) != expected for replica in replicas):
                await asyncio.sleep(0.01)

        try:
            async with asyncio.timeout(60):
                assert (await command("--subject", "anna")).exit_code == 0
                await until_revoked(True)
                assert (await command("--list")).stdout.startswith("anna\t")
                assert (await command("--undo", "--subject", "anna")).exit_code == 0
                await until_revoked(False)
                await replicas[0].revoke("ben", time.time(), time.time() + 3600)
                late = RedisStore(url, "valt-gateway:", SystemClock(), probe_interval=0.05)
                await late.start()
                assert (late.revoked_at("anna"), late.revoked_at("ben") is None) == (None, False)
                await late.close()
                assert (await command("--list")).stdout.startswith("ben\t")
                assert (await command("--subject", "anna")).exit_code == 0
                await until_revoked(True)
        finally:
            for replica in replicas:
                await replica.close()


@pytest.mark.promise("operation-silence")
def test_an_audit_that_cannot_be_searched_for_other_spellings_is_named(run: Run, config: Path) -> None:
    with_state(config)
    (config.parent / "audit.jsonl").mkdir()
    config.write_text(f'{config.read_text()}\n[audit]\nfile = "audit.jsonl"\n')
    revoked = run("revoke", "--config", config, "--subject", "anna")
    assert revoked.exit_code == 0
    assert "audit.jsonl was not searched for other spellings: Is a directory" in revoked.stderr


@pytest.mark.promise("operation-silence")
@pytest.mark.parametrize(
    ("file", "why"), [("-", "it is the standard output of the gateway"), ("none.jsonl", "/none.jsonl does not exist")]
)
def test_it_says_that_other_spellings_were_not_searched_without_an_audit_file(
    run: Run, config: Path, file: str, why: str
) -> None:
    with_state(config)
    config.write_text(f'{config.read_text()}\n[audit]\nfile = "{file}"\n')
    revoked = run("revoke", "--config", config, "--subject", "anna")
    assert revoked.exit_code == 0
    (line,) = [line for line in revoked.stderr.splitlines() if "other spellings" in line]
    assert line.startswith("warning: the audit was not searched for other spellings: ")
    assert line.endswith(why)


@pytest.mark.promise("operation-silence")
@pytest.mark.parametrize(("file", "why"), [("pipe", "not a regular file"), ("-", "the standard output of the gateway")])
def test_an_audit_that_gets_no_line_about_a_revocation_is_named(run: Run, config: Path, file: str, why: str) -> None:
    """A named pipe that no gateway has open would be waited for."""
    with_state(config)
    os.mkfifo(config.parent / "pipe")
    config.write_text(f'{config.read_text()}\n[audit]\nfile = "{file}"\n')
    for more in ((), ("--undo",)):
        result = run("revoke", "--config", config, "--subject", "anna", *more)
        assert result.exit_code == 0
        assert "the audit has no line about it: " in result.stderr
        assert why in result.stderr
