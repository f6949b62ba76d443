"""Sealed tokens: what unseals them, and what does not."""

import base64
import json
import zlib

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.model import Secret
from gateway.sealed import SealedTokens

OLD, NEW = Secret("one secret of the operator's"), Secret("another secret of the operator's")


def tokens(*secrets: Secret, purpose: str = "session", version: int = 1) -> SealedTokens:
    return SealedTokens(secrets or (OLD,), purpose, version)


def test_a_token_unseals_to_its_content() -> None:
    assert tokens().unseal(tokens().seal({"sub": "Zoë", "groups": ["a"]})) == {"v": 1, "sub": "Zoë", "groups": ["a"]}


def test_the_first_secret_seals_and_all_unseal() -> None:
    both = tokens(NEW, OLD)
    assert both.unseal(tokens(OLD).seal({})) is not None
    assert tokens(NEW).unseal(both.seal({})) is not None
    assert tokens(OLD).unseal(both.seal({})) is None


def test_a_token_of_another_purpose_or_version_is_none() -> None:
    token = tokens().seal({})
    assert tokens(purpose="access token").unseal(token) is None
    assert tokens(version=2).unseal(token) is None


@pytest.mark.parametrize("token", ["", "rubbish", "gAAAAAB" + "A" * 100, "\udcff" * 20, "é" * 20], ids=ascii)
def test_text_that_is_not_a_token_is_none(token: str) -> None:
    assert tokens().unseal(token) is None


def test_an_altered_token_is_none() -> None:
    token = tokens().seal({"sub": "anna"})
    for place in range(0, len(token), 7):
        altered = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert tokens().unseal(altered) is None


def test_tokens_of_earlier_releases_unseal() -> None:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"valt-gateway session")
    key = base64.urlsafe_b64encode(hkdf.derive(OLD.reveal().encode()))
    token = Fernet(key).encrypt(zlib.compress(json.dumps({"v": 1, "sub": "anna"}).encode())).decode()
    assert tokens().unseal(token) == {"v": 1, "sub": "anna"}


@pytest.mark.parametrize("content", [[], 7, "text", None])
def test_content_that_is_not_an_object_is_none(content: object) -> None:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"valt-gateway session")
    key = base64.urlsafe_b64encode(hkdf.derive(OLD.reveal().encode()))
    token = Fernet(key).encrypt(zlib.compress(json.dumps(content).encode())).decode()
    assert tokens().unseal(token) is None
