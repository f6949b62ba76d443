"""Audiences that the tokens for other applications have too, and those that only the tokens for this gateway have."""

from pathlib import Path

import pytest

from tests.unit.settings.broken import identity
from tests.unit.settings.configurations import GOOD, load_text

pytestmark = pytest.mark.promise("security-S16")

OWN, HERE = "https://sso.example.edu", "https://recordings.example.edu"
KEYCLOAK = f"{OWN}/realms/campus"
AUTH0, OKTA, ENTRA = (
    "https://x.auth0.com/",
    "https://x.okta.com/oauth2/default",
    "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/",
)
EKS, CLUSTER = "https://oidc.eks.eu-west-1.amazonaws.com/id/7", "https://kubernetes.default.svc.cluster.local"
GOOGLE, GITHUB = "https://accounts.google.com", "https://token.actions.githubusercontent.com"
ID = "7f3c0c3e-3b0f-4f5c-9d5f-2b8a3c7d1e10"

OF_OTHERS = (
    *((AUTH0, f"{AUTH0}userinfo"), (AUTH0, f"{AUTH0}api/v2/"), ("https://login.example.edu/", f"{AUTH0}userinfo")),
    *((f"{OWN}/", f"{OWN}/userinfo"), (OWN, f"{OWN}/resources"), (OWN, OWN), (OWN, f"{OWN}/"), (f"{OWN}/", OWN)),
    *((OKTA, "api://default"), ("https://auth.pingone.eu/7/as", "https://api.pingone.eu")),
    *((f"{OWN}/adfs", "urn:microsoft:userinfo"), (GITHUB, "sts.amazonaws.com"), (OWN, "api://AzureADTokenExchange")),
    *((ENTRA, "https://management.azure.com/"), (ENTRA, "https://management.core.windows.net/")),
    *((ENTRA, "https://graph.microsoft.com"), (ENTRA, "https://graph.windows.net/")),
    *((ENTRA, "00000003-0000-0000-c000-000000000000"), (ENTRA, "00000002-0000-0000-c000-000000000000")),
    *((EKS, "https://kubernetes.default.svc"), (EKS, CLUSTER), (EKS, "https://kubernetes.default"), (CLUSTER, CLUSTER)),
    *((EKS, "https://kubernetes.default.svc.example.edu"), (KEYCLOAK, "account"), (KEYCLOAK, "admin-cli")),
    *((f"{OWN}/auth/realms/campus", "security-admin-console"), (KEYCLOAK, KEYCLOAK)),
    *((GOOGLE, f"{number}.apps.googleusercontent.com") for number in ("32555940559", "407408718192")),
)
OF_THE_GATEWAY = (
    *((OWN, HERE), (OWN, f"{OWN}/recordings"), (OWN, f"{OWN}.example.org"), (AUTH0, f"{HERE}/userinfo")),
    *((OWN, f"{HERE}/resources"), (ENTRA, f"api://{ID}"), (ENTRA, ID), (OKTA, "api://valt-gateway")),
    *((GOOGLE, "123456789012-abc.apps.googleusercontent.com"), (CLUSTER, "valt-gateway"), (OWN, "account")),
    *((GITHUB, "https://github.com/example"), (KEYCLOAK, "valt-gateway"), (OWN, f"{AUTH0}api/v3"), (OWN, "https://[x")),
)


def audience(issuer: str, text: str) -> str:
    people = GOOD.replace('groups = ["supervisors"]', 'subjects = ["anna"]')
    return people.replace(OWN, issuer).replace('"valt-gateway"', f'"{text}"')


@pytest.mark.parametrize(("issuer", "text"), OF_OTHERS)
def test_an_audience_of_other_applications_is_a_warning_with_its_line(tmp_path: Path, issuer: str, text: str) -> None:
    loaded = load_text(tmp_path, audience(issuer, text))
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == ["identity.0.audience"]


@pytest.mark.parametrize(("issuer", "text"), OF_THE_GATEWAY)
def test_an_audience_of_the_gateways_own_is_no_warning(tmp_path: Path, issuer: str, text: str) -> None:
    loaded = load_text(tmp_path, audience(issuer, text))
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize("issuer", ["recordings.example.edu", HERE, f"{HERE}/"])
def test_a_front_that_signs_for_itself_is_no_warning(tmp_path: Path, issuer: str) -> None:
    text = identity(f'header = "X-Pomerium-Jwt-Assertion"\njwks_url = "{HERE}/.well-known/pomerium/jwks.json"')
    text = text.replace(f'"{OWN}"', f'"{issuer}"').replace('"valt-gateway"', f'"{issuer}"')
    loaded = load_text(tmp_path, text)
    assert (loaded.faults, loaded.warnings) == ((), ())


def test_an_audience_that_is_no_url_is_compared_with_the_address_of_the_keys(tmp_path: Path) -> None:
    text = identity(f'jwks_url = "{OWN}/keys"').replace('"valt-gateway"', '"https://[x"')
    assert load_text(tmp_path, text).warnings == ()
