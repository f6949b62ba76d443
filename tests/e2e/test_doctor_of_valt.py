"""``doctor`` where VALT, its links or its media server are broken in one way each."""

from pathlib import Path

import pytest

from tests.support.broken_sites import Site, assert_named
from tests.support.broken_valt import VALT_SITES


@pytest.mark.promise("operation-doctor")
@pytest.mark.parametrize("site", VALT_SITES, ids=lambda site: site.name)
async def test_a_broken_valt_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    await assert_named(site, tmp_path)
