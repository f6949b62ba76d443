"""Files and directories that a gateway needs: each fault names the key and the path, and nothing is created."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.settings.loading import load
from gateway.settings.until_restart import InForce
from gateway.store.sqlite_revocations import revoke_in_file
from tests.support.file_limits import longest_file
from tests.unit.settings.configurations import GOOD, load_text, private, write_certificate

TLS = '[server]\ntls_cert_file = "cert.pem"\ntls_key_file = "key.pem"\n'
STATE = '[state]\ndir = "state"\n'
AUDIT = '[audit]\nfile = "log/audit.jsonl"\n'


def with_tls(folder: Path) -> None:
    write_certificate(folder / "cert.pem", folder / "key.pem")


def without_certificate(folder: Path) -> None:
    with_tls(folder)
    (folder / "cert.pem").unlink()


def with_another_key(folder: Path) -> None:
    with_tls(folder)
    write_certificate(folder / "other.pem", folder / "key.pem")


def with_an_encrypted_key(folder: Path) -> None:
    with_tls(folder)
    begin = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
    begin += f"DEK-Info: AES-128-CBC,{'0' * 32}\n"
    private(folder / "key.pem", f"{begin}\nAAAA\n-----END RSA PRIVATE KEY-----\n")


def with_swapped_files(folder: Path) -> None:
    write_certificate(folder / "key.pem", folder / "cert.pem")


def with_the_key_twice(folder: Path) -> None:
    with_tls(folder)
    (folder / "cert.pem").write_bytes((folder / "key.pem").read_bytes())


def with_the_certificate_twice(folder: Path) -> None:
    with_tls(folder)
    (folder / "key.pem").write_bytes((folder / "cert.pem").read_bytes())


def with_a_weak_key(folder: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)
    (folder / "cert.pem").write_bytes(self_signed(key).public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    private(folder / "key.pem", pem.decode())


def self_signed(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Returns a server's certificate that is no authority's, valid until 2027-06-30."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "valt.example.edu")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime(2026, 1, 1), datetime(2027, 6, 30))
    return builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).sign(key, SHA256())


def with_garbage_as_certificate(folder: Path) -> None:
    with_tls(folder)
    (folder / "cert.pem").write_text("garbage")


def with_file_as_state(folder: Path) -> None:
    (folder / "state").write_text("")


def with_corrupt_state(folder: Path) -> None:
    (folder / "state").mkdir()
    (folder / "state/state.sqlite3").write_bytes(b"not a database, and longer than the header of one " * 10)


def with_damaged_state(folder: Path) -> None:
    (folder / "state").mkdir()
    database = folder / "state/state.sqlite3"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("create table entries (key text)")
        connection.executemany("insert into entries values (?)", [("x" * 500,)] * 100)
        connection.commit()
    damaged = bytearray(database.read_bytes())
    damaged[4096 * 2 : 4096 * 4] = os.urandom(4096 * 2)
    database.write_bytes(damaged)


def with_state_of_a_later_version(folder: Path) -> None:
    revoke_in_file(folder / "state/state.sqlite3", "anna", 0.0, 1.0)
    with closing(sqlite3.connect(folder / "state/state.sqlite3")) as connection:
        connection.execute("pragma user_version = 1000")


def with_directory_as_state_file(folder: Path) -> None:
    (folder / "state/state.sqlite3").mkdir(parents=True)


def with_directory_as_audit(folder: Path) -> None:
    (folder / "log/audit.jsonl").mkdir(parents=True)


def with_file_as_audit_directory(folder: Path) -> None:
    (folder / "log").write_text("")


def nothing(_folder: Path) -> None:
    pass


Prepare = Callable[[Path], None]

FAULTS: dict[str, tuple[str, Prepare, list[tuple[str, str]]]] = {
    "a missing certificate": (TLS, without_certificate, [("server.tls_cert_file", "No such file or directory")]),
    "a missing certificate and key": (
        TLS,
        nothing,
        [("server.tls_cert_file", "No such file"), ("server.tls_key_file", "No such file")],
    ),
    "the key of another certificate": (TLS, with_another_key, [("server.tls_key_file", "is not the key of")]),
    "an encrypted key": (TLS, with_an_encrypted_key, [("server.tls_cert_file", "cannot be used")]),
    "a certificate that is none": (TLS, with_garbage_as_certificate, [("server.tls_cert_file", "cannot be used")]),
    "a certificate and its key in each other's place": (TLS, with_swapped_files, [("server.tls_cert_file", "alone")]),
    "a key as the certificate": (TLS, with_the_key_twice, [("server.tls_cert_file", "has a private key alone")]),
    "a certificate as the key": (TLS, with_the_certificate_twice, [("server.tls_key_file", "no private key")]),
    "a missing CA file": ('[valt]\nca_file = "ca.pem"\n', nothing, [("valt.ca_file", "No such file or directory")]),
    "a CA file without a certificate": (
        '[valt]\nca_file = "ca.pem"\n',
        lambda folder: private(folder / "ca.pem", "garbage"),
        [("valt.ca_file", "it has no certificate")],
    ),
    "a missing CA file of a provider": (
        '[[identity]]\nca_file = "ca.pem"\n',
        nothing,
        [("identity.0.ca_file", "No such file or directory")],
    ),
    "a file instead of the state directory": (STATE, with_file_as_state, [("state.dir", "not a directory")]),
    "a state directory below a file": (
        '[state]\ndir = "state/inner/state"\n',
        with_file_as_state,
        [("state.dir", "not a directory")],
    ),
    "a state file that is none": (STATE, with_corrupt_state, [("state.dir", "file is not a database")]),
    "a damaged state file": (STATE, with_damaged_state, [("state.dir", "it is damaged")]),
    "a state file of a later version": (STATE, with_state_of_a_later_version, [("state.dir", "a later version has")]),
    "a directory as state file": (STATE, with_directory_as_state_file, [("state.dir", "it is a directory")]),
    "a missing audit directory": (AUDIT, nothing, [("audit.file", "no such directory")]),
    "a directory instead of the audit": (AUDIT, with_directory_as_audit, [("audit.file", "it is a directory")]),
    "a file instead of the audit directory": (
        AUDIT,
        with_file_as_audit_directory,
        [("audit.file", "not a directory")],
    ),
}


def configured(folder: Path, table: str) -> Path:
    """Returns a configuration with *table*, whose keys may belong to a table that exists already."""
    header, _, keys = table.partition("\n")
    text = GOOD.replace(f"{header}\n", table, 1) if f"{header}\n" in GOOD else f"{GOOD}{header}\n{keys}"
    private(folder / "gateway.toml", text)
    return folder / "gateway.toml"


@pytest.mark.promise("operation-O7")
@pytest.mark.parametrize("name", FAULTS)
def test_a_file_that_cannot_be_used_is_a_fault_with_its_key_line_and_path(tmp_path: Path, name: str) -> None:
    table, prepare, expected = FAULTS[name]
    prepare(tmp_path)

    loaded = load(configured(tmp_path, table), {}, check_files=True)

    assert loaded.settings is None
    assert [fault.key for fault in loaded.faults] == [key for key, _ in expected]
    for fault, (_, why) in zip(loaded.faults, expected, strict=True):
        assert fault.line is not None
        assert why in fault.reason


@contextmanager
def as_nobody() -> Iterator[Path]:
    """Yields a directory that everybody may enter, and acts as a user without rights in it if this one is root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            os.seteuid(os.getuid())


@pytest.mark.parametrize("table", [STATE, AUDIT])
@pytest.mark.parametrize("mode", [0o555, 0o700], ids=["may not be written", "may not be entered"])
def test_a_directory_without_permission_is_a_fault(table: str, mode: int) -> None:
    with as_nobody() as folder:
        for name in ("state", "log"):
            (folder / name).mkdir()
            (folder / name / "state.sqlite3").touch()
            (folder / name).chmod(mode if os.getuid() == 0 else mode & 0o500)
        config = configured(folder, table)
        config.chmod(0o644)
        if os.getuid() == 0:
            os.seteuid(65534)
        (fault,) = load(config, {}, check_files=True).faults
        assert "permission" in fault.reason.lower()
        assert "let the service write" in fault.remedy


@pytest.mark.promise("operation-O7")
def test_workers_without_a_temporary_directory_are_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in "12":
        (tmp_path / number).mkdir()
        configured(tmp_path / number, f"[server]\nworkers = {number}\n")
    one, several = (tmp_path / number / "gateway.toml" for number in "12")
    monkeypatch.setattr(tempfile, "tempdir", None)  # which the module has looked for already
    with longest_file(0):
        (fault,) = load(several, {}, check_files=True).faults
        assert fault.key == "server.workers"
        assert fault.line is not None
        assert fault.reason == "needs a temporary directory, and none can be written"
        assert load(several, {}, check_files=True, running=True).faults == ()
        assert load(one, {}, check_files=True).faults == ()
    assert load(several, {}, check_files=True).faults == ()


@pytest.mark.parametrize(
    ("prepare", "remedy"),
    [
        (with_state_of_a_later_version, "run that version, or go back as docs/upgrade.md says: do not remove it"),
        (with_corrupt_state, "stop the gateway, move it away and restore a backup"),
        (with_damaged_state, "stop the gateway, move it away and restore a backup"),
        (with_directory_as_state_file, "move it away"),
    ],
)
def test_no_remedy_loses_revocations(tmp_path: Path, prepare: Prepare, remedy: str) -> None:
    prepare(tmp_path)
    (fault,) = load(configured(tmp_path, STATE), {}, check_files=True).faults
    assert fault.remedy.startswith(remedy)


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
def test_the_state_of_another_user_is_given_to_the_service_and_not_removed(end: str) -> None:
    with as_nobody() as folder:
        database = folder / "state/state.sqlite3"
        revoke_in_file(database, "anna", 0.0, 1.0)
        if end:
            (folder / f"state/state.sqlite3{end}").touch()
        for file in (folder / "state").iterdir():
            file.chmod(0o400 if file.name.endswith(f"3{end}") else 0o666)
        (folder / "state").chmod(0o777)
        config = configured(folder, STATE)
        config.chmod(0o644)
        if os.getuid() == 0:
            os.seteuid(65534)
        (fault,) = load(config, {}, check_files=True).faults
        assert f"state.sqlite3{end} that cannot be used: no permission" in fault.reason
        assert fault.remedy.startswith("chown it to the user of the service")


def test_files_are_checked_although_another_value_is_invalid(tmp_path: Path) -> None:
    config = configured(tmp_path, AUDIT)
    private(config, config.read_text() + '[log]\nlevel = "verbose"\n')

    loaded = load(config, {}, check_files=True)

    assert [fault.key for fault in loaded.faults] == ["audit.file", "log.level"]


@pytest.mark.parametrize("table", [TLS, STATE, AUDIT])
def test_usable_files_have_no_fault_and_nothing_is_created(tmp_path: Path, table: str) -> None:
    with_tls(tmp_path)
    (tmp_path / "log").mkdir()
    config = configured(tmp_path, table)
    before = sorted(tmp_path.rglob("*"))

    loaded = load(config, {}, check_files=True)

    assert (loaded.faults, loaded.warnings) == ((), ())
    assert sorted(tmp_path.rglob("*")) == before


def test_a_usable_state_file_has_no_fault(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with closing(sqlite3.connect(tmp_path / "state/state.sqlite3")) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table entries (key text)")
        assert load(configured(tmp_path, STATE), {}, check_files=True).faults == ()


@pytest.mark.promise("operation-O7")
def test_a_state_file_that_no_gateway_has_open_gets_no_files_beside_it(tmp_path: Path) -> None:
    database = tmp_path / "state/state.sqlite3"
    revoke_in_file(database, "anna", 0.0, 1.0)

    assert load(configured(tmp_path, STATE), {}, check_files=True).faults == ()
    assert list(database.parent.iterdir()) == [database]


@pytest.mark.promise("operation-O7")
def test_a_running_gateway_checks_certificates_alone(tmp_path: Path) -> None:
    config = configured(tmp_path, AUDIT)
    assert load(config, {}, check_files=True, running=True).faults == ()

    loaded = load(configured(tmp_path, TLS), {}, check_files=True, running=True)

    assert [fault.key for fault in loaded.faults] == ["server.tls_cert_file", "server.tls_key_file"]


OTHER_FILES = {
    "audit.file": '[audit]\nfile = "missing/audit.jsonl"\n',
    "state.dir": '[state]\ndir = "file/state"\n',
    "server.listen": 'listen = "unix:file"\n',
    "admin.listen": '[admin]\nlisten = "unix:file"\n',
}
"""For each key a place that cannot be used."""


@pytest.mark.promise("operation-O7")
@pytest.mark.parametrize("running", [True, False], ids=["alone", "a new worker"])
@pytest.mark.parametrize("key", OTHER_FILES)
def test_a_reload_is_refused_if_a_restart_could_not_open_what_it_names_anew(
    tmp_path: Path, key: str, running: bool
) -> None:
    (tmp_path / "file").write_text("no directory and no socket")
    text = GOOD
    if key == "server.listen":
        text = text.replace("[server]\n", f"[server]\n{OTHER_FILES[key]}")
    else:
        text += OTHER_FILES[key]
    config = tmp_path / "gateway.toml"
    private(config, text)
    present, named = load_text(tmp_path, GOOD).settings, load_text(tmp_path, text).settings
    assert present is not None
    assert named is not None
    for settings, expected in ((present, [key]), (named, [])):
        in_force = InForce.at_start(settings, {})
        private(config, text)
        loaded = load(config, {}, check_files=True, running=running, in_force=in_force)
        assert [(fault.key, bool(fault.line and fault.remedy)) for fault in loaded.faults] == [
            (one, True) for one in expected
        ]


@pytest.mark.promise("operation-O7")
def test_a_state_directory_in_which_the_audit_would_be_is_refused_at_a_reload(tmp_path: Path) -> None:
    audit = '[audit]\nfile = "log/state.sqlite3"\n'
    (tmp_path / "log").mkdir()
    running = load_text(tmp_path, GOOD + audit).settings
    assert running is not None
    private(tmp_path / "gateway.toml", GOOD + audit + '[state]\ndir = "log"\n')
    in_force = InForce.at_start(running, {})
    loaded = load(tmp_path / "gateway.toml", {}, check_files=True, running=True, in_force=in_force)
    assert [fault.key for fault in loaded.faults] == ["audit.file"]


@pytest.mark.parametrize(
    ("prepare", "remedy"),
    [
        (with_swapped_files, "swap the two"),
        (with_the_key_twice, "name the certificate"),
        (with_the_certificate_twice, "name the key"),
        (with_an_encrypted_key, "write both as PEM, the key without a password"),
        (with_garbage_as_certificate, "write both as PEM, the key without a password"),
    ],
)
def test_the_remedy_of_a_certificate_is_that_of_its_fault(tmp_path: Path, prepare: Prepare, remedy: str) -> None:
    prepare(tmp_path)
    (fault,) = load(configured(tmp_path, TLS), {}, check_files=True).faults
    assert fault.remedy == remedy


def test_a_key_that_is_too_short_for_openssl_is_not_called_unreadable(tmp_path: Path) -> None:
    with_a_weak_key(tmp_path)
    reasons = [fault.reason for fault in load(configured(tmp_path, TLS), {}, check_files=True).faults]
    # Older libraries accept 1024 bits.
    assert reasons in ([], ["is too weak for OpenSSL: EE_KEY_TOO_SMALL"])


@pytest.mark.parametrize("is_authority", [True, False])
def test_a_certificate_of_valt_itself_that_has_expired_is_a_warning(tmp_path: Path, is_authority: bool) -> None:
    own = self_signed(ec.generate_private_key(ec.SECP256R1())).public_bytes(Encoding.PEM).decode()
    private(tmp_path / "ca.pem", own + (trustme.CA().cert_pem.bytes().decode() if is_authority else ""))
    config = configured(tmp_path, '[valt]\nca_file = "ca.pem"\n')
    assert load(config, {}, check_files=True, now=datetime(2027, 6, 1, tzinfo=UTC)).warnings == ()
    warnings = load(config, {}, check_files=True, now=datetime(2027, 7, 1, tzinfo=UTC)).warnings
    assert [warning.key for warning in warnings] == ["valt.ca_file"] * (not is_authority)


def test_a_certificate_that_has_expired_is_a_warning(tmp_path: Path) -> None:
    write_certificate(tmp_path / "cert.pem", tmp_path / "key.pem", expires=datetime(2027, 6, 30, tzinfo=UTC))
    config = configured(tmp_path, TLS)

    (warning,) = load(config, {}, check_files=True, now=datetime(2027, 7, 1, tzinfo=UTC)).warnings

    assert (warning.key, warning.reason) == ("server.tls_cert_file", "has expired on 2027-06-30")


def test_a_world_readable_key_is_a_warning(tmp_path: Path) -> None:
    with_tls(tmp_path)
    (tmp_path / "key.pem").chmod(0o644)

    (warning,) = load(configured(tmp_path, TLS), {}, check_files=True).warnings

    assert (warning.key, warning.reason) == ("server.tls_key_file", "names a file that every user may read")
    assert warning.remedy == "chmod o-rw it"  # its owner may be root, and the service one of its group
