"""``revoke``: from another process than the gateway's, through the shared state directory."""

import asyncio
import json
import time
from pathlib import Path

import pytest

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


async def test_a_revocation_outlives_the_longest_session(run: Run, config: Path) -> None:
    folder, day = with_state(config), 24 * 3600.0
    session = '[session]\nsecret = "a secret of more than thirty-two bytes"\nlifetime = "60d"\n'
    config.write_text(f"{config.read_text()}\n{session}")
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
        store = RedisStore(parse_redis_url(Secret(server.url)), "valt-gateway:", SystemClock())
        await store.start()
        assert store.revoked_at("anna") is not None
        await store.close()
    failed = await asyncio.to_thread(run, *arguments)
    assert failed.exit_code == 1
    assert "the state in state.url cannot be written: " in failed.stderr
    assert "NOT revoked" not in failed.stderr


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
