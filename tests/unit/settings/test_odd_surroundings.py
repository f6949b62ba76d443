"""Files, variables and directories as other programs leave them: each is a fault or a warning, and none a traceback."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtensionOID

from gateway.settings.loading import load
from tests.unit.settings.broken import identity, server
from tests.unit.settings.configurations import GOOD, load_text, private

pytestmark = pytest.mark.promise("security-S16")


@pytest.mark.parametrize(
    ("name", "value", "warned"),
    [
        ("STATE__DIR", '"/var/lib/valt-gateway"', True),
        ("AUDIT__FILE", "'-'", True),
        ("BRANDING__NAME", '"Films"', True),
        ("BRANDING__NAME", 'The "Films"', False),
        ("BRANDING__NAME", '"', False),
        ("AUDIT__FILE", "-", False),
        ("SERVER__TRUSTED_PROXIES", '["127.0.0.1"]', False),
    ],
)
def test_quotes_around_a_variable_are_a_warning(tmp_path: Path, name: str, value: str, warned: bool) -> None:
    private(tmp_path / "gateway.toml", GOOD)
    loaded = load(tmp_path / "gateway.toml", {f"VALT_GATEWAY_{name}": value})
    quoted = [warning for warning in loaded.warnings if "quotes around it" in warning.reason]
    assert [warning.key for warning in quoted] == [f"VALT_GATEWAY_{name}"] * warned


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_has_a_remedy_that_helps(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(f"# M\u00fcller\n{GOOD}".encode(encoding))
    (fault,) = load(path, {}).faults
    assert (fault.reason, fault.remedy) == ("cannot be read: it is not UTF-8", "save it as UTF-8")


@pytest.mark.parametrize("issuer", ["https://[YOUR-DOMAIN]/", "https://[x", "https://sso.example.edu:https"])
def test_an_issuer_with_a_host_that_is_none_is_a_fault(tmp_path: Path, issuer: str) -> None:
    loaded = load_text(
        tmp_path, identity('proxy_url = "http://proxy.example.edu:3128"').replace("https://sso.example.edu", issuer)
    )
    assert [fault.key for fault in loaded.faults] == ["identity.0.issuer"]


def test_a_key_that_opens_and_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, GOOD + '[audit]\nchain_key_file = "/proc/self/mem"\n')
    assert [fault.key for fault in loaded.faults] == ["audit.chain_key_file"]


@pytest.mark.parametrize("table", ["server", "admin"])
def test_a_socket_whose_name_every_user_may_take_is_a_warning(tmp_path: Path, table: str) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    line = f'listen = "unix:{folder}/x.sock"'
    text = server(line) if table == "server" else f"{GOOD}[admin]\n{line}\n"
    for mode, keys in ((0o755, []), (0o1777, [f"{table}.listen"]), (0o1770, [])):
        folder.chmod(mode)
        private(tmp_path / "gateway.toml", text)
        loaded = load(tmp_path / "gateway.toml", {}, check_files=True)
        assert loaded.faults == ()
        assert [warning.key for warning in loaded.warnings] == keys


@pytest.mark.parametrize("names", [b"\x30\x05\x87\x03\x01\x02\x03", b"\x30\x02\xa3\x00"])
def test_a_certificate_that_openssl_alone_reads_is_no_traceback(tmp_path: Path, names: bytes) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, datetime(2026, 1, 1, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC)
    )
    builder = builder.add_extension(
        x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names), critical=False
    )
    (tmp_path / "cert.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private(
        tmp_path / "key.pem",
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )
    text = server('listen = "0.0.0.0:8443"\ntls_cert_file = "cert.pem"\ntls_key_file = "key.pem"')
    private(tmp_path / "gateway.toml", text)
    loaded = load(tmp_path / "gateway.toml", {}, check_files=True)
    assert (loaded.faults, loaded.warnings) == ((), ())
