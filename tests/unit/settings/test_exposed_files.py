"""Files that every user of the machine may change, replace or read, by the bits of modes: the tests may run as root."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.observe.audit_target import AuditTarget
from gateway.settings.loading import load
from gateway.store.sqlite_revocations import revoke_in_file
from tests.unit.settings.configurations import GOOD, PORTAL_KEY, private, write_certificate, write_keytab

pytestmark = pytest.mark.promise("security-S16")

SECRET = "planted-secret-{}-of-more-than-32-bytes-3f9a"
CONFIGURATION = """
[server]
public_url = "https://recordings.example.edu"
listen = "unix:listen/public.sock"
tls_cert_file = "tls/cert.pem"
tls_key_file = "tls/key.pem"

[admin]
token_file = "token/file"

[valt]
base_url = "https://valt.example.edu"
ca_file = "ca/file"

[valt.accounts.reviewer]
username = "svc-reviewer"
password_file = "password/file"

[session]
secrets_file = "sessions/file"

[[identity]]
type = "negotiate"
name = "domain"
keytab_file = "keytab/http.keytab"
service = "HTTP@recordings.example.edu"
realms = ["EXAMPLE.EDU"]

[[identity]]
type = "ticket"
name = "portal"
issuer = "https://portal.example.edu"
public_key_file = "portal/file"

[[identity]]
type = "ticket"
name = "second"
issuer = "https://second.example.edu"
public_key_files = ["second/file"]

[[grants]]
name = "supervisors"
groups = ["supervisors"]
recordings = ["*"]
account = "reviewer"

[branding]
logo_file = "logo/file.svg"

[state]
dir = "state/inner"

[audit]
file = "audit/audit.jsonl"
chain_key_file = "chain/file"
"""
FILES = {
    "server.tls_cert_file": "tls/cert.pem",
    "server.tls_key_file": "tls/key.pem",
    "admin.token_file": "token/file",
    "valt.ca_file": "ca/file",
    "valt.accounts.reviewer.password_file": "password/file",
    "session.secrets_file": "sessions/file",
    "identity.0.keytab_file": "keytab/http.keytab",
    "identity.1.public_key_file": "portal/file",
    "identity.2.public_key_files.0": "second/file",
    "branding.logo_file": "logo/file.svg",
    "state.dir": "state/inner",
    "audit.file": "audit/audit.jsonl",
    "audit.chain_key_file": "chain/file",
}
FOLDERS = {key: Path(file).parent for key, file in FILES.items() if not key.startswith("server.")}
FOLDERS |= {"server.listen": Path("listen")}
READABLE = ["state/inner/state.sqlite3", "state/inner/state.sqlite3-wal", "audit/audit.jsonl", "audit/audit.jsonl-1"]


@pytest.fixture
def public() -> Iterator[Path]:
    """Yields a directory that every user may enter, with a configuration that names all kinds of files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for other in ("listen", *(str(Path(file).parent) for file in FILES.values()), "state/inner"):
            (folder / other).mkdir(exist_ok=True)
        write_files(folder)
        yield folder


def write_files(folder: Path) -> None:
    write_certificate(folder / "tls/cert.pem", folder / "tls/key.pem")
    (folder / "ca/file").write_bytes((folder / "tls/cert.pem").read_bytes())
    for name in ("token", "password", "sessions", "chain"):
        private(folder / name / "file", SECRET.format(name))
    write_keytab(folder / "keytab", "HTTP/recordings.example.edu@EXAMPLE.EDU")
    (folder / "portal/file").write_text(PORTAL_KEY)
    key = Ed25519PrivateKey.generate().public_key()
    (folder / "second/file").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (folder / "logo/file.svg").write_text("<svg/>")
    private(folder / "audit/audit.jsonl", "{}\n")
    private(folder / "gateway.toml", CONFIGURATION)


def findings(folder: Path, *, running: bool = False) -> list[tuple[str, str]]:
    """Returns key and reason of each warning."""
    loaded = load(folder / "gateway.toml", {}, check_files=True, running=running)
    assert loaded.faults == ()
    return [(warning.key, warning.reason) for warning in loaded.warnings]


def keys(folder: Path) -> list[str]:
    return [key for key, _ in findings(folder)]


def test_files_that_others_may_read_alone_are_no_warning(public: Path) -> None:
    assert findings(public) == []


@pytest.mark.parametrize("key", FILES)
def test_a_file_that_every_user_may_change_is_a_warning(public: Path, key: str) -> None:
    path = public / FILES[key]
    path.chmod(path.stat().st_mode | 0o002)
    verb = "uses a directory in which every user may replace files" if path.is_dir() else "can be changed by every user"
    assert findings(public) == [(key, f"{verb}: {path}")]


@pytest.mark.parametrize("key", FOLDERS)
def test_a_file_that_every_user_may_replace_is_a_warning(public: Path, key: str) -> None:
    folder = public / FOLDERS[key]
    for mode in (0o777, 0o703, 0o757):
        folder.chmod(mode)
        assert findings(public) == [(key, f"uses a directory in which every user may replace files: {folder}")]
    sticky = () if key == "server.listen" else (0o1777,)  # there everybody may take a socket's name first
    for mode in (*sticky, 0o775, 0o755, 0o700):
        folder.chmod(mode)
        assert findings(public) == []


def test_a_certificate_and_its_key_that_every_user_may_replace_are_a_warning_each(public: Path) -> None:
    (public / "tls").chmod(0o777)
    assert keys(public) == ["server.tls_key_file", "server.tls_cert_file"]


def test_whoever_may_change_a_directory_far_above_may_replace_the_configuration_too(public: Path) -> None:
    public.chmod(0o777)
    everything = set(FILES) | set(FOLDERS) | {"gateway.toml"}
    assert set(findings(public)) == {
        (key, f"uses a directory in which every user may replace files: {public}") for key in everything
    }
    public.chmod(0o1777)
    assert findings(public) == []


@pytest.mark.parametrize("is_absolute", [True, False])
def test_whoever_may_replace_a_link_may_replace_the_file(public: Path, is_absolute: bool) -> None:
    for name in ("open", "far"):
        (public / name).mkdir()
    (public / "far/file").write_text((public / "password/file").read_text())
    (public / "far/file").chmod(0o600)
    (public / "open/link").symlink_to(public / "far/file" if is_absolute else "../far/file")
    (public / "password/file").unlink()
    (public / "password/file").symlink_to(public / "open/link" if is_absolute else "../open/link")
    assert findings(public) == []
    for name in ("open", "far"):
        (public / name).chmod(0o777)
        reason = f"uses a directory in which every user may replace files: {public / name}"
        assert findings(public) == [("valt.accounts.reviewer.password_file", reason)]
        (public / name).chmod(0o755)


@pytest.mark.parametrize("key", ["valt.accounts.reviewer.password_file", "identity.0.keytab_file"])
def test_a_secret_that_every_user_may_read_and_change_is_one_warning(public: Path, key: str) -> None:
    (public / FILES[key]).chmod(0o666)
    assert findings(public) == [(key, "names a file that every user may read")]


@pytest.mark.parametrize("key", FOLDERS)
def test_a_volume_to_which_all_users_may_write_is_no_warning(
    public: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = public / FOLDERS[key]
    folder.chmod(0o777)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == folder)
    assert findings(public) == []


@pytest.mark.parametrize("is_mounted", [True, False], ids=["on a file system of its own", "on the root's"])
@pytest.mark.parametrize("place", ["/tmp", "/var/tmp", "/dev/shm", "/run/lock"])
def test_a_socket_in_a_directory_of_all_users_is_a_warning(
    public: Path, place: str, is_mounted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(place)
    if not folder.is_dir() or folder.stat().st_mode & 0o1002 != 0o1002:
        pytest.skip(f"{place} is not for all users here")
    monkeypatch.setattr(os.path, "ismount", lambda _: is_mounted)
    text = CONFIGURATION.replace("listen/public.sock", f"{place}/gateway.sock")
    private(public / "gateway.toml", text.replace("[admin]\n", f'[admin]\nlisten = "unix:{place}/admin.sock"\n'))
    assert [(key, "take its name first" in reason) for key, reason in findings(public)] == [
        ("server.listen", True),
        ("admin.listen", True),
    ]


def test_a_socket_in_a_volume_in_memory_is_no_warning(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (public / "listen").chmod(0o1777)
    assert keys(public) == ["server.listen"]
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == public / "listen")
    assert keys(public) == []


def test_an_audit_that_every_user_may_read_is_a_warning_on_a_partition_too(
    public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.NamedTemporaryFile(dir="/tmp", suffix=".jsonl") as file:
        private(public / "gateway.toml", CONFIGURATION.replace("audit/audit.jsonl", file.name))
        Path(file.name).chmod(0o644)
        monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == "/tmp")
        assert f"lets every user read who watched what: {file.name}" in [reason for _, reason in findings(public)]
        Path(file.name).chmod(0o640)
        assert not any("lets every user read" in reason for _, reason in findings(public))


def test_a_volume_of_kubernetes_secrets_is_no_warning(public: Path) -> None:
    folder = public / "password"
    (folder / "..2027_07_01").mkdir()
    (folder / "file").rename(folder / "..2027_07_01/file")
    (folder / "..data").symlink_to("..2027_07_01")
    (folder / "file").symlink_to("..data/file")
    (folder / "file").chmod(0o440)
    folder.chmod(0o3777)
    assert findings(public) == []


@pytest.mark.parametrize("name", READABLE)
def test_state_and_audit_that_every_user_may_read_are_a_warning(public: Path, name: str) -> None:
    path, key = public / name, "audit.file" if name.startswith("audit") else "state.dir"
    if not name.endswith("state.sqlite3"):
        path.touch()
    else:
        revoke_in_file(path, "anna", 0.0, 1.0)
    for mode in (0o600, 0o640, 0o660):
        path.chmod(mode)
        assert findings(public) == []
    for mode in (0o644, 0o604):
        path.chmod(mode)
        assert [(one, reason.endswith(f": {path}"), "read" in reason) for one, reason in findings(public)] == [
            (key, True, True)
        ]
    path.chmod(0o602)
    assert findings(public) == [(key, f"can be changed by every user: {path}")]


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("closed", [".", "state", "audit"])
def test_what_no_other_user_can_reach_is_no_warning(public: Path, name: str, closed: str) -> None:
    if name.endswith("state.sqlite3"):
        revoke_in_file(public / name, "anna", 0.0, 1.0)
    else:
        (public / name).touch()
    (public / name).chmod(0o644)
    (public / closed).chmod(0o750)
    is_reachable = closed not in (".", name.partition("/")[0])
    assert len(findings(public)) == is_reachable


def test_the_audits_of_workers_are_looked_at_and_other_files_are_not(public: Path) -> None:
    text = CONFIGURATION.replace("[server]\n", "[server]\nworkers = 2\n")
    private(public / "gateway.toml", text)
    for name in ("audit.1.jsonl", "audit.12.jsonl-20270701.gz", "audit.jsonl.2"):
        path = public / "audit" / name
        path.touch(0o644)
        assert keys(public) == ["audit.file"]
        path.unlink()
    for name in ("auditors.jsonl", "audit-notes.jsonl", "audit.jsonl.md", "other.jsonl"):
        (public / "audit" / name).touch(0o644)
    (public / "audit/audit.jsonl.d").mkdir()
    assert findings(public) == []


def test_what_the_gateway_itself_creates_is_no_warning(public: Path) -> None:
    (public / "audit/audit.jsonl").unlink()
    umask = os.umask(0)
    try:
        revoke_in_file(public / "state/inner/state.sqlite3", "anna", 0.0, 1.0)
        target = AuditTarget(str(public / "audit/audit.jsonl"), None)
        target.open()
        target.stop()
    finally:
        os.umask(umask)
    assert (public / "audit/audit.jsonl").exists()
    assert findings(public) == []


@pytest.mark.timeout(20)
def test_a_pipe_and_a_device_are_not_opened(public: Path) -> None:
    pipe = public / "audit/audit.jsonl"
    pipe.unlink()
    os.mkfifo(pipe)
    pipe.chmod(0o644)
    for running in (False, True):
        assert [key for key, _ in findings(public, running=running)] == ["audit.file"]
    pipe.chmod(0o640)
    assert findings(public, running=True) == []
    private(public / "gateway.toml", CONFIGURATION.replace("audit/audit.jsonl", "/dev/null"))
    assert [(key, "is a device" in reason) for key, reason in findings(public, running=True)] == [("audit.file", True)]


def test_places_that_a_running_gateway_cannot_enter_are_no_error(public: Path) -> None:
    (public / "log").symlink_to(public / "audit")
    private(public / "gateway.toml", GOOD + '[state]\ndir = "state/inner"\n[audit]\nfile = "log/audit.jsonl"\n')
    (public / "gateway.toml").chmod(0o644)
    for name in ("state", "audit"):
        (public / name).chmod(0)
    try:
        if os.getuid() == 0:
            os.seteuid(65534)
        assert [key for key, _ in findings(public, running=True)] == ["valt.accounts.reviewer.password"]
    finally:
        os.seteuid(os.getuid())
        for name in ("state", "audit"):
            (public / name).chmod(0o700)
