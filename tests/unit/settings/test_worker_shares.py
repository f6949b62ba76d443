"""What of the settings one of several workers has."""

from pathlib import Path

import pytest

from gateway.settings.model import Settings
from gateway.settings.worker_shares import audit_file_of_worker, audit_files, share_of_worker
from tests.unit.settings.configurations import GOOD, load_text


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of three workers with an audit file."""
    text = GOOD.replace("[server]\n", "[server]\nworkers = 3\n", 1)
    text += '[limits]\nstreams = 10\nconnections = 100\nwaiting_for_valt = 1\n[audit]\nfile = "audit.jsonl"\n'
    loaded = load_text(tmp_path, text)
    assert loaded.settings is not None, loaded.faults
    return loaded.settings


def test_limits_of_the_gateway_are_divided_and_rounded_up(settings: Settings) -> None:
    share = share_of_worker(settings, 2, 3, Path("/private")).limits
    assert (share.streams, share.connections, share.waiting_for_valt) == (4, 34, 1)
    assert share.streams_per_person == settings.limits.streams_per_person


def test_a_worker_has_an_audit_file_of_its_own_and_the_passed_socket(settings: Settings, tmp_path: Path) -> None:
    share = share_of_worker(settings, 2, 3, Path("/private"))
    assert share.audit.file == str(tmp_path / "audit.2.jsonl")
    assert share.server.listen == "systemd:public"


def test_without_a_configured_directory_workers_share_a_private_state(settings: Settings) -> None:
    assert share_of_worker(settings, 1, 3, Path("/private")).state.dir == Path("/private")
    own = settings.model_copy(update={"state": settings.state.model_copy(update={"dir": Path("/own")})})
    assert share_of_worker(own, 1, 3, Path("/private")).state.dir == Path("/own")


@pytest.mark.parametrize(
    ("file", "numbered"), [("-", "-"), ("/a/audit.jsonl", "/a/audit.2.jsonl"), ("/a/audit", "/a/audit.2")]
)
def test_the_number_is_before_the_files_extension(file: str, numbered: str) -> None:
    assert audit_file_of_worker(file, 2) == numbered


def test_the_files_of_the_audit_are_those_of_its_workers(settings: Settings, tmp_path: Path) -> None:
    for name in ("audit.1.jsonl", "audit.2.jsonl", "audit.2.jsonl.1", "audit.old.jsonl", "other.1.jsonl"):
        (tmp_path / name).touch()
    assert [path.name for path in audit_files(settings)] == ["audit.1.jsonl", "audit.2.jsonl"]
