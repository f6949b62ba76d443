"""Files, variables and directories as other programs leave them: each is a fault or a warning, and none a traceback."""

import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

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


@pytest.mark.parametrize("table", ["server", "admin"])
def test_a_socket_where_the_service_may_not_look_is_no_traceback(table: str) -> None:
    with TemporaryDirectory() as folder:
        closed = Path(folder, "closed")
        (closed / "inner").mkdir(parents=True)
        closed.chmod(0)
        Path(folder).chmod(0o755)
        line = f'listen = "unix:{closed}/inner/x.sock"'
        text = server(line) if table == "server" else f"{GOOD}[admin]\n{line}\n"
        private(Path(folder, "gateway.toml"), text)
        Path(folder, "gateway.toml").chmod(0o644)
        others = 65534 if os.geteuid() == 0 else os.geteuid()
        before = os.geteuid()
        os.seteuid(others)
        try:
            loaded = load(Path(folder, "gateway.toml"), {}, check_files=True)
        finally:
            os.seteuid(before)
            closed.chmod(0o700)
    assert loaded.faults == ()


def test_a_variable_whose_name_is_no_text_is_a_fault(tmp_path: Path) -> None:
    private(tmp_path / "gateway.toml", GOOD)
    (fault,) = load(tmp_path / "gateway.toml", {"VALT_GATEWAY_\udcff__X": "1"}).faults
    assert (fault.key, fault.reason) == (r"VALT_GATEWAY_\udcff__X", "is not UTF-8")


@pytest.mark.parametrize(("text", "user"), [("17", 17), ("anna", "anna"), ('"17"', "17"), ("017", "017")])
def test_a_variable_of_a_valt_user_is_an_id_or_a_name(tmp_path: Path, text: str, user: int | str) -> None:
    private(tmp_path / "gateway.toml", GOOD.replace("[[grants]]\n", "[[grants]]\nauthor_is_me = true\n"))
    loaded = load(tmp_path / "gateway.toml", {"VALT_GATEWAY_VALT__PEOPLE__ANNA": text})
    assert loaded.settings is not None
    assert loaded.settings.valt.people == {"anna": user}


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


def test_a_key_that_is_missing_beside_a_variable_has_the_variables_name(tmp_path: Path) -> None:
    private(tmp_path / "gateway.toml", GOOD)
    name = "VALT_GATEWAY_VALT__ACCOUNTS__REVEIWER__PASSWORD"
    (fault,) = load(tmp_path / "gateway.toml", {name: "planted-0a1b2c3d4e"}).faults
    assert (fault.key, fault.line) == ("valt.accounts.reveiwer.username", None)
    assert name in fault.reason


@pytest.mark.parametrize(
    ("name", "warned"),
    [
        ("VALT_ACCOUNTS_REVIEWER_PASSWORD", True),
        ("ADMIN_TOKEN_FILE", True),
        ("VALT__PEOPLE__Carl", True),
        ("VALT__GROUPS__Staff", True),
        ("VALT__PEOPLE__CARL", False),
        ("SERVICE_HOST", False),
        ("VALT_SERVICE_PORT", False),
        ("PORT_8080_TCP_ADDR", False),
        ("STATE_PORT_6379_TCP", False),
    ],
)
def test_a_variable_that_is_not_read_as_it_is_written_is_a_warning(tmp_path: Path, name: str, warned: bool) -> None:
    rule = "[[grants]]\nauthor_is_me = true\nshared_with_me = true\n"
    private(tmp_path / "gateway.toml", GOOD.replace("[[grants]]\n", rule) + "[valt.people]\nbob = 8\n")
    loaded = load(tmp_path / "gateway.toml", {f"VALT_GATEWAY_{name}": "17"})
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings] == [f"VALT_GATEWAY_{name}"] * warned
