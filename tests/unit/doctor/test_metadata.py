"""What a provider's metadata lets doubt: scopes that it does not list, and responses that do not name their issuer."""

from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.doctor.check import Result
from gateway.doctor.providers import check_provider
from tests.support.provider import Provider
from tests.unit.settings.broken import OIDC
from tests.unit.settings.configurations import GOOD, load_text


@pytest.mark.promise("identity-I16")
@pytest.mark.parametrize(
    ("listed", "detail"),
    [
        (["openid", "profile", "email"], "its scopes_supported lack groups: it may refuse every sign-in"),
        (["openid"], "its scopes_supported lack profile, email, groups: it may refuse every sign-in"),
        (["groups", "email", "profile", "openid", "phone"], "discovery and 1 key(s) can be fetched"),
        (None, "discovery and 1 key(s) can be fetched"),
        ([], "discovery and 1 key(s) can be fetched"),
        ("openid", "discovery and 1 key(s) can be fetched"),
    ],
)
async def test_a_scope_that_the_provider_does_not_list_is_doubtful(tmp_path: Path, listed: Any, detail: str) -> None:
    async with Provider().running() as provider:
        provider.discovery = {"scopes_supported": listed}
        loaded = load_text(tmp_path, GOOD + OIDC)
        assert loaded.settings is not None
        scopes = ("openid", "profile", "email", "groups", "web-api/openid")
        table = loaded.settings.identity[1].model_copy(update={"issuer": provider.issuer, "scopes": scopes})
        settings = loaded.settings.model_copy(update={"identity": (table,)})
        check = await check_provider(table, settings, SystemClock())
    assert check.detail.startswith(detail), check
    assert check.result is (Result.DOUBTFUL if "lack" in detail else Result.GOOD)


@pytest.mark.parametrize(
    ("others", "announced", "result"),
    [
        (("https://other.example.edu",), False, Result.DOUBTFUL),
        (("https://other.example.edu",), True, Result.GOOD),
        ((), False, Result.GOOD),
        (("same",), False, Result.GOOD),
    ],
)
async def test_a_provider_that_names_no_issuer_beside_another_one_is_doubtful(
    tmp_path: Path, others: tuple[str, ...], announced: bool, result: Result
) -> None:
    async with Provider().running() as provider:
        provider.discovery = {"authorization_response_iss_parameter_supported": announced}
        loaded = load_text(tmp_path, GOOD + OIDC)
        assert loaded.settings is not None
        table = loaded.settings.identity[1].model_copy(update={"issuer": provider.issuer})
        more = [
            table.model_copy(update={"name": "partner", "issuer": provider.issuer if one == "same" else one})
            for one in others
        ]
        settings = loaded.settings.model_copy(update={"identity": (table, *more)})
        check = await check_provider(table, settings, SystemClock())
    assert check.result is result
    assert ("partner could obtain its codes" in check.detail) is (result is Result.DOUBTFUL)
