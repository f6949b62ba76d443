"""Discovery documents: what is accepted, and what the error tells the operator."""

from typing import Any

import aiohttp
import pytest

from gateway.errors import IdentityProviderError
from gateway.identity.discovery import ProviderMetadata, fetch_metadata
from tests.support.provider import Provider

ISSUER = "https://sso.example.edu"


async def test_the_document_of_the_issuer_is_returned(provider: Provider, client: aiohttp.ClientSession) -> None:
    metadata = await fetch_metadata(client, provider.issuer)
    assert metadata.required_url("jwks_uri") == f"{provider.issuer}/keys"
    assert metadata.url("userinfo_endpoint") is None


async def test_the_error_names_the_status_and_no_url(provider: Provider, client: aiohttp.ClientSession) -> None:
    provider.down = True
    with pytest.raises(IdentityProviderError, match=r"^status 503$"):
        await fetch_metadata(client, provider.issuer)


async def test_the_error_names_the_kind_of_failure_and_no_url(client: aiohttp.ClientSession) -> None:
    with pytest.raises(IdentityProviderError, match=r"^127\.0\.0\.1:9: "):
        await fetch_metadata(client, "http://127.0.0.1:9")


@pytest.mark.parametrize("url", [7, "", "javascript:alert(1)", "file:///etc/passwd", "http://sso.example.edu/keys"])
def test_a_member_that_is_not_a_url_of_an_allowed_scheme_is_refused(url: Any) -> None:
    with pytest.raises(IdentityProviderError):
        ProviderMetadata(ISSUER, {"jwks_uri": url}).url("jwks_uri")


def test_an_issuer_on_http_may_name_urls_on_http() -> None:
    metadata = ProviderMetadata("http://localhost:1", {"jwks_uri": "http://localhost:1/keys"})
    assert metadata.url("jwks_uri") == "http://localhost:1/keys"


def test_a_required_url_that_is_missing_is_named() -> None:
    with pytest.raises(IdentityProviderError, match="no token_endpoint"):
        ProviderMetadata(ISSUER, {}).required_url("token_endpoint")
