"""State and audit in directories that are cleared: a gateway that starts again would not know what it has lost."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings.loading import load
from tests.unit.settings.configurations import GOOD, private

pytestmark = pytest.mark.promise("security-S16")

TABLES = {"state.dir": '[state]\ndir = "{}"\n', "audit.file": '[audit]\nfile = "{}"\n'}
EACH = pytest.mark.parametrize("key", TABLES)


@pytest.fixture
def trial() -> Iterator[Path]:
    """Yields a directory directly below /tmp, as that of `valt-gateway demo`."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def findings(config: Path, key: str, place: Path) -> list[str]:
    """Returns the keys of the warnings if *config* names *place* as *key*."""
    private(config, GOOD + TABLES[key].format(place))
    loaded = load(config, {}, check_files=True)
    assert loaded.faults == ()
    return [warning.key for warning in loaded.warnings]


@EACH
def test_what_lies_deep_in_a_cleared_directory_is_a_warning(tmp_path: Path, trial: Path, key: str) -> None:
    (trial / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(trial / "a")
    for place in (trial / "state", trial / "a/b/state", tmp_path / "link/state", trial / "a/../state"):
        assert findings(tmp_path / "gateway.toml", key, place) == [key]


@EACH
def test_a_link_that_is_cleared_is_a_warning(tmp_path: Path, trial: Path, key: str) -> None:
    (tmp_path / "stays").mkdir()
    (trial / "link").symlink_to(tmp_path / "stays")
    assert findings(tmp_path / "gateway.toml", key, trial / "link/state") == [key]


@EACH
def test_what_is_cleared_together_with_the_configuration_is_no_warning(trial: Path, key: str) -> None:
    (trial / "a").mkdir()
    assert findings(trial / "gateway.toml", key, trial / "state") == []
    assert findings(trial / "gateway.toml", key, trial / "a/state") == []
    assert findings(trial / "a/gateway.toml", key, trial / "state") == [key]


def test_a_directory_that_only_sounds_as_if_it_is_cleared_is_no_warning(tmp_path: Path) -> None:
    for place in ("/tmp/../var/lib/valt-gateway", "/tmpfiles/state", "/var/lib/tmp/state", "/run/../var/lib/state"):
        assert findings(tmp_path / "gateway.toml", "state.dir", Path(place)) == []


@EACH
def test_a_volume_below_tmp_is_not_cleared(
    tmp_path: Path, trial: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trial / "volume").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "volume")
    assert findings(tmp_path / "gateway.toml", key, trial / "volume/state") == []
    assert findings(tmp_path / "gateway.toml", key, trial / "state") == [key]


def test_a_pipe_below_tmp_is_no_warning(tmp_path: Path, trial: Path) -> None:
    os.mkfifo(trial / "pipe", 0o600)
    assert findings(tmp_path / "gateway.toml", "audit.file", trial / "pipe") == []
