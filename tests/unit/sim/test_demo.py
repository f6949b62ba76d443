"""The demo's configuration is valid, readable by its user alone, and different at each start."""

import stat
from pathlib import Path

from gateway.settings.loading import load
from gateway.sim.catalogue import SESSION
from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration


def written(folder: Path) -> Path:
    folder.mkdir()
    assert make_portal_key(folder).startswith("-----BEGIN PRIVATE KEY-----")
    return write_demo_configuration(
        folder,
        port=8080,
        public_url="http://127.0.0.1:8080",
        valt_url="http://127.0.0.1:9001",
        portal_url="http://127.0.0.1:9002",
    )


def test_the_demo_configuration_is_valid_and_has_the_documented_rules(tmp_path: Path) -> None:
    loaded = load(written(tmp_path / "one"), {})
    assert loaded.settings is not None, loaded.faults
    assert not loaded.faults
    grants = {grant.name: grant for grant in loaded.settings.grants}
    assert list(grants) == ["supervisors", "students"]
    assert list(grants["supervisors"].recordings) == ["*"]
    assert list(grants["students"].recordings) == [SESSION]
    assert [grant.download for grant in grants.values()] == [True, False]
    assert {grant.delivery for grant in grants.values()} == {"proxy"}


def test_other_users_cannot_read_the_secrets(tmp_path: Path) -> None:
    folder = written(tmp_path / "one").parent
    for name in ("session", "valt-reviewer", "valt-trainee"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_keys_and_secrets_are_new_each_time(tmp_path: Path) -> None:
    one, another = written(tmp_path / "one").parent, written(tmp_path / "another").parent
    for name in ("portal.pub", "session"):
        assert (one / name).read_bytes() != (another / name).read_bytes()
