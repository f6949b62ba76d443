"""``doctor`` in a site where all is well, and in sites that are broken in one way each: it names every one of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.doctor.check import Result
from tests.support.broken_sites import SITES, Site
from tests.support.doctor_lab import Lab, running_lab

NAMES = {
    *("config", "public_url", "admin", "certificate", "valt_login", "valt_search", "valt_record", "valt_link"),
    *("link_clock", "media_range", "media_if_range", "media_head", "link_opens_other_recording", "link_outlives_exp"),
    *("provider", "state", "audit", "descriptors"),
}


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with running_lab(tmp_path) as built:
        yield built


async def test_all_checks_are_good_in_a_good_site(lab: Lab) -> None:
    checks = await lab.examine()
    assert [check for check in checks if check.result is not Result.GOOD] == []
    assert {check.name.partition(":")[0] for check in checks} == NAMES


@pytest.mark.promise("operation-doctor")
@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
async def test_a_broken_site_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with running_lab(tmp_path, days=site.days) as lab:
        site.breaks(lab)
        checks = {check.name: check for check in await lab.examine()}
        named = checks[site.check]
        assert named.result == site.result, named
        assert site.detail in named.detail
        assert site.remedy in named.remedy
        others = {name for name, check in checks.items() if check.result is not Result.GOOD} - {site.check}
        assert others == site.besides - {site.check}, [checks[name] for name in others]
        for check in checks.values():
            assert [secret for secret in lab.secrets if secret in f"{check.detail} {check.remedy}"] == []
