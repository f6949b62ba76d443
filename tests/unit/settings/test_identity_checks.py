"""A portal's key is checked when the file is read, not at the first request."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.settings.identity import TicketSettings
from gateway.settings.keys import key_fault
from tests.unit.settings.broken import PUBLIC_KEY, TICKET
from tests.unit.settings.configurations import GOOD, PORTAL_KEY, load_text

ALL = ("EdDSA", "ES256", "RS256", "PS256")


def public(key: PrivateKeyTypes) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private(key: PrivateKeyTypes) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (ed25519.Ed25519PrivateKey.generate(), {"EdDSA"}),
        (ec.generate_private_key(ec.SECP256R1()), {"ES256"}),
        (rsa.generate_private_key(65537, 2048), {"RS256", "PS256"}),
    ],
    ids=["Ed25519", "P-256", "RSA"],
)
def test_a_key_suits_its_own_algorithms_and_no_other(key: PrivateKeyTypes, algorithms: set[str]) -> None:
    assert {algorithm for algorithm in ALL if key_fault(public(key), [algorithm]) is None} == algorithms
    assert key_fault(public(key), ALL) is None


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 1024)],
    ids=["another curve", "short RSA"],
)
def test_an_unsupported_key_is_refused(key: PrivateKeyTypes) -> None:
    fault = key_fault(public(key), ALL)
    assert fault is not None
    assert fault[0] == "is of an unsupported kind"


def test_a_portals_private_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    pem = private(ed25519.Ed25519PrivateKey.generate())
    (tmp_path / "portal.pem").write_text(pem)
    loaded = load_text(tmp_path, GOOD + TICKET.replace(PUBLIC_KEY, 'public_key_file = "portal.pem"\n'))
    (fault,) = loaded.faults
    assert (fault.key, fault.reason) == ("identity.1.public_key", "is a private key, which only the portal may have")
    assert pem.splitlines()[1] not in repr(loaded)


def test_a_missing_key_file_is_reported_once(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, GOOD + TICKET.replace(PUBLIC_KEY, 'public_key_file = "nowhere.pub"\n'))
    assert [fault.key for fault in loaded.faults] == ["identity.1.public_key_file"]


@pytest.mark.promise("identity-keys")
def test_several_key_files_are_read_and_each_bad_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "old.pub").write_text(PORTAL_KEY)
    (tmp_path / "new.jwk").write_text('{"kty": "OKP", "crv": "Ed25519", "kid": "2", "x": "' + "A" * 43 + '"}')
    (tmp_path / "bad.jwk").write_text('{"kty": "OKP"}')
    files = 'public_key_files = ["old.pub", "new.jwk"]\n'
    loaded = load_text(tmp_path, GOOD + TICKET.replace(PUBLIC_KEY, files))
    assert loaded.faults == ()
    assert loaded.settings is not None
    portal = loaded.settings.identity[1]
    assert isinstance(portal, TicketSettings)
    assert portal.keys[0] == PORTAL_KEY.rstrip()
    files = 'public_key_files = ["old.pub", "bad.jwk", "nowhere"]\n'
    loaded = load_text(tmp_path, GOOD + TICKET.replace(PUBLIC_KEY, files))
    assert {fault.key for fault in loaded.faults} == {"identity.1.public_key_files.1", "identity.1.public_key_files.2"}
    (tmp_path / "both.pub").write_text(PORTAL_KEY * 2)
    for files in ('public_key_files = ["old.pub", "both.pub"]\n', 'public_key_file = "both.pub"\n'):
        (fault,) = load_text(tmp_path, GOOD + TICKET.replace(PUBLIC_KEY, files)).faults
        assert (fault.reason, fault.line is None) == ("has several keys, of which one would count", False)
    loaded = load_text(tmp_path, GOOD + TICKET.replace(PUBLIC_KEY, PUBLIC_KEY + 'public_key_files = ["old.pub"]\n'))
    assert [fault.key for fault in loaded.faults] == ["identity.1.public_key"]
