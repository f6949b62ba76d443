"""One value that is refused, at every key of a configuration: no other key, which is right, has a fault by it."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.settings.faults import line_numbers
from gateway.settings.loading import Loaded, load
from tests.unit.settings.configurations import private, write_certificate, write_keytab

pytestmark = pytest.mark.promise("security-S16")

PUBLIC_KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
PEM = PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
CONFIGURATION = """\
[server]
public_url = "https://recordings.example.edu"
listen = "0.0.0.0:8443"
workers = 2
trusted_proxies = ["10.0.0.5"]
cors_origins = ["https://portal.example.edu"]
tls_cert_file = "cert.pem"
tls_key_file = "key.pem"
drain_timeout = "60s"

[admin]
listen = "127.0.0.1:8080"
token = "planted-token-of-more-than-32-bytes-7f3a"

[valt]
base_url = "https://valt.example.edu"
media_hosts = ["media.example.edu:8000"]
ca_file = "cert.pem"

[valt.accounts.reviewer]
username = "svc-reviewer"
password = "planted-password"

[valt.accounts.trainee]
username = "svc-trainee"
password = "planted-password-2"

[valt.people]
anna = 7

[valt.groups]
staff = 3

[session]
secret = "planted-session-secret-of-more-than-32-bytes"
lifetime = "12h"
idle = "10h"

[state]
url = "redis://127.0.0.1"
secret = "planted-state-secret-of-more-than-32-bytes"
prefix = "other:"

[audit]
file = "audit.jsonl"
fsync = "close"

[limits]
streams = 100
streams_per_address = 50

[[identity]]
type = "jwt"
name = "campus"
issuer = "http://sso.example.edu"
audience = "valt-gateway"
jwks_url = "https://sso.example.edu/keys"
header = "X-Token"
subject_claim = "groups"
groups_claim = "roles"
algorithms = ["ES256"]

[[identity]]
type = "header"
name = "front"
from = ["10.0.0.5"]
subject_header = "X-Person"
groups_header = "X-Forwarded-User"
secret_header = "X-Lock"
secret = "planted-lock-of-more-than-32-bytes-58d1"

[[identity]]
type = "header"
name = "second"
from = ["10.0.0.5"]
subject_header = "X-Lock"
groups_header = "X-Teams"
secret_header = "X-Other-Lock"
secret = "planted-other-lock-of-more-than-32-bytes"

[[identity]]
type = "ticket"
name = "portal"
issuer = "https://portal.example.edu"
algorithms = ["ES256"]
public_key = "PUBLIC_KEY"

[[identity]]
type = "ticket"
name = "old"
issuer = "https://old.example.edu"
algorithms = ["HS256"]
secret = "planted-ticket-secret-of-more-than-32-bytes"

[[identity]]
type = "oidc"
name = "login"
issuer = "https://login.example.edu"
client_id = "gateway"
client_auth = "none"
scopes = ["openid", "groups"]

[[identity]]
type = "negotiate"
name = "domain"
keytab_file = "http.keytab"
service = "HTTP@recordings.example.edu"
realms = ["EXAMPLE.EDU"]

[[service_keys]]
name = "key"
groups = ["archive"]
secret_sha256 = "abababababababababababababababababababababababababababababababab"

[[grants]]
name = "interns"
groups = ["staff"]
recordings = ["*"]
account = "trainee"
rooms = ["Room 1"]
networks = ["10.1.0.0/16"]
created_within = "90d"
valid_from = 2026-01-01
valid_until = 2090-01-01
template = { Course = "A*" }

[[grants]]
name = "shared"
groups = ["staff"]
recordings = ["*"]
account = "reviewer"
shared_with_me = true

[[grants]]
name = "staff"
groups = ["staff", "archive"]
recordings = ["*"]
account = "reviewer"
""".replace("PUBLIC_KEY", PEM.replace("\n", "\\n"))
INVALID = ("7", "true", '"te xt"', '["te xt", 7]', "[[]]", "{ 1 = [] }")
KEYS = {
    key: number for key, number in line_numbers(CONFIGURATION).items() if " = " in CONFIGURATION.split("\n")[number - 1]
}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    write_keytab(tmp_path, "HTTP/recordings.example.edu@EXAMPLE.EDU")
    write_certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    (tmp_path / "audit.jsonl").mkdir()  # workers have files of their own beside it
    return tmp_path


def loaded_with(folder: Path, text: str) -> Loaded:
    private(folder / "gateway.toml", text)
    return load(folder / "gateway.toml", {}, check_files=True)


def test_the_configuration_has_no_fault(folder: Path) -> None:
    assert loaded_with(folder, CONFIGURATION).faults == ()


@pytest.mark.parametrize("key", KEYS)
def test_an_invalid_value_is_a_fault_of_its_own_key_alone(folder: Path, key: str) -> None:
    lines = CONFIGURATION.split("\n")
    name = lines[KEYS[key] - 1].partition(" = ")[0]
    others = []
    for value in INVALID:
        lines[KEYS[key] - 1] = f"{name} = {value}"
        faults = loaded_with(folder, "\n".join(lines)).faults
        others += [f"{value} {one}" for one in faults if not (one.key.startswith(key) or key.startswith(one.key))]
    assert others == []
