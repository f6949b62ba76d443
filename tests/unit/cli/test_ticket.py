"""``ticket``: mints and verifies portal tickets."""

import json
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.sim.demo_configuration import make_portal_key
from tests.unit.cli.conftest import Run

WHERE = ("--issuer", "https://portal.example.edu", "--audience", "https://recordings.example.edu")


def signing_key(kind: str) -> Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey:
    if kind == "EdDSA":
        return Ed25519PrivateKey.generate()
    return elliptic(SECP256R1()) if kind == "ES256" else rsa(65537, 2048)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """The portal's private key and its public half."""
    private = tmp_path / "portal.pem"
    private.write_text(make_portal_key(tmp_path))
    return private, tmp_path / "portal.pub"


@pytest.mark.promise("sign-in-17")
def test_a_minted_ticket_is_the_only_output_and_verifies(run: Run, keys: tuple[Path, Path]) -> None:
    scope = ("--subject", "anna", "--group", "staff", "--group", "b", "--recording", "614", "--video", "9101")
    minted = run("ticket", "mint", *WHERE, "--key", keys[0], *scope, "--ttl", "30s")
    assert (minted.exit_code, minted.stderr, minted.stdout.count("\n")) == (0, "", 1)
    verified = run("ticket", "verify", *WHERE, "--key", keys[1], minted.stdout.strip())
    claims = json.loads(verified.stdout)
    assert (verified.exit_code, verified.stderr) == (0, "")
    assert {claims[name] for name in ("sub", "recording", "video")} == {"anna", "614", "9101"}
    assert (claims["groups"], claims["exp"] - claims["iat"]) == (["b", "staff"], 30)


def test_a_ticket_is_read_from_standard_input(run: Run, keys: tuple[Path, Path]) -> None:
    minted = run("ticket", "mint", *WHERE, "--key", keys[0], "--subject", "anna")
    assert run("ticket", "verify", *WHERE, "--key", keys[1], stdin=minted.stdout).exit_code == 0


def test_a_ticket_that_the_gateway_would_refuse_exits_1_with_a_reason(
    run: Run, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    make_portal_key(tmp_path / "other")
    ticket = run("ticket", "mint", *WHERE, "--key", keys[0], "--subject", "anna", "--ttl", "5m").stdout.strip()
    elsewhere = (*WHERE[:3], "https://elsewhere.example.edu")
    for arguments in (
        (*elsewhere, "--max-age", "5m", "--key", keys[1]),
        (*WHERE, "--max-age", "5m", "--key", tmp_path / "other" / "portal.pub"),
        (*WHERE, "--max-age", "5m", "--key", keys[1], "--algorithm", "RS256"),
        (*WHERE, "--key", keys[1]),
    ):
        refused = run("ticket", "verify", *arguments, ticket)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr.startswith("refused: ")
        assert ticket not in refused.stderr


@pytest.mark.parametrize("kind", ["EdDSA", "ES256", "RS256", "HS256"])
def test_the_key_determines_the_algorithm(run: Run, tmp_path: Path, kind: str) -> None:
    private, public = tmp_path / "private", tmp_path / "public"
    if kind == "HS256":
        for path in (private, public):
            path.write_text("a secret of more than thirty-two bytes\n")
    else:
        key = signing_key(kind)
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    ticket = run("ticket", "mint", *WHERE, "--key", private, "--subject", "anna").stdout.strip()
    assert jwt.get_unverified_header(ticket)["alg"] == kind
    assert run("ticket", "verify", *WHERE, "--key", public, "--algorithm", kind, ticket).exit_code == 0


def test_a_key_that_cannot_sign_is_an_error_that_does_not_contain_it(run: Run, tmp_path: Path) -> None:
    make_portal_key(tmp_path)
    (tmp_path / "short").write_text("planted-too-short")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "p384").write_bytes(
        elliptic(SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    for name in ("portal.pub", "short", "binary", "p384"):
        failed = run("ticket", "mint", *WHERE, "--key", tmp_path / name, "--subject", "anna")
        assert (failed.exit_code, failed.stdout) == (1, "")
        assert failed.stderr.startswith(str(tmp_path / name))
        assert "planted-too-short" not in failed.stderr


@pytest.mark.parametrize(
    "wrong", [("--ttl", "60"), ("--recording", "../admin"), ("--video", "a/b"), ("--key", "no such file")]
)
def test_an_invalid_argument_is_an_error_of_usage(run: Run, keys: tuple[Path, Path], wrong: tuple[str, str]) -> None:
    minted = run("ticket", "mint", *WHERE, "--key", keys[0], "--subject", "anna", *wrong)
    assert (minted.exit_code, minted.stdout) == (2, "")
    assert wrong[0] in minted.stderr
