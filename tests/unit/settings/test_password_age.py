"""A password of VALT that is about to expire, by the time at which its file was written."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.settings.loading import load
from tests.unit.settings.configurations import GOOD, private

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)


@pytest.mark.promise("operation-passwords")
@pytest.mark.parametrize(("days", "warned"), [(0, False), (165, False), (166, True), (180, True), (400, True)])
def test_a_password_file_is_warned_about_two_weeks_before_valt_expires_it(
    tmp_path: Path, days: int, warned: bool
) -> None:
    private(tmp_path / "password", "planted")
    written = (NOW - timedelta(days=days, hours=1)).timestamp()
    os.utime(tmp_path / "password", (written, written))
    private(tmp_path / "gateway.toml", GOOD.replace('password = "planted-password"', 'password_file = "password"'))
    loaded = load(tmp_path / "gateway.toml", {}, now=NOW)
    aged = [str(warning) for warning in loaded.warnings if "180 days" in warning.reason]
    assert loaded.settings is not None
    assert len(aged) == warned
    if warned:
        assert f"was written {days} days ago" in aged[0]
        assert aged[0].startswith("valt.accounts.reviewer.password_file (line ")
