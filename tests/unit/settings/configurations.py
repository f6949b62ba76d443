"""A valid configuration to change, and the shipped files with the secret files that they name."""

import re
import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import trustme

from gateway.settings.faults import Findings
from gateway.settings.loading import Loaded, load
from gateway.settings.model import Settings

CONFIG = Path(__file__).resolve().parents[3] / "config"
SHIPPED = sorted(CONFIG.glob("*.toml"))

PORTAL_KEY = """\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAinCsi8Urmx3/29/wAecuu62fMHDoiWecSg1j6k57kZI=
-----END PUBLIC KEY-----
"""

GOOD = """\
[server]
public_url = "https://recordings.example.edu"

[valt]
base_url = "https://valt.example.edu"

[valt.accounts.reviewer]
username = "svc-reviewer"
password = "planted-password"

[[identity]]
type = "jwt"
name = "campus"
issuer = "https://sso.example.edu"
audience = "valt-gateway"

[[grants]]
name = "supervisors"
groups = ["supervisors"]
recordings = ["*"]
account = "reviewer"
"""


def load_text(
    folder: Path,
    text: str,
    environ: Mapping[str, str] | None = None,
    *,
    try_examples: Callable[[Settings], Findings] | None = None,
) -> Loaded:
    path = folder / "gateway.toml"
    private(path, text)
    return load(path, environ or {}, try_examples=try_examples)


def with_secrets(folder: Path, shipped: Path) -> Path:
    """Returns a copy of a *shipped* file in *folder*, whose directory of secrets is a subfolder."""
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in ("valt-reviewer", "valt-trainee", "front", "oidc", "session", "state", "admin-token"):
        private(secrets / name, f"planted {name} of more than 32 bytes\n")
    private(secrets / "redis-url", "redis://127.0.0.1:6379\n")
    write_keytab(secrets, "HTTP/recordings.example.edu@EXAMPLE.EDU")
    (folder / "portal.pub").write_text(PORTAL_KEY)
    (folder / "tls").mkdir()
    write_certificate(folder / "tls/fullchain.pem", folder / "tls/privkey.pem")
    copy = folder / shipped.name
    text = re.sub("/run/secrets/|/etc/valt-gateway/secrets/", f"{secrets}/", shipped.read_text())
    text = text.replace("/var/log/valt-gateway/", f"{folder}/")
    copy.write_text(text.replace("/var/lib/valt-gateway", f"{folder}/state"))
    return copy


def write_certificate(certificate: Path, key: Path, *, expires: datetime | None = None) -> None:
    """Write a certificate for ``recordings.example.edu`` and its key."""
    issued = trustme.CA().issue_cert("recordings.example.edu", not_after=expires)
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    private(key, issued.private_key_pem.bytes().decode())


def keytab_of(*principals: str) -> bytes:
    """Returns a keytab with a key of zeros for each of *principals*, as MIT's "Keytab file format" describes it."""
    content = b"\x05\x02"
    for principal in principals:
        name, _, realm = principal.partition("@")
        parts = [realm, *name.split("/")]
        entry = struct.pack(">H", len(parts) - 1)
        entry += b"".join(struct.pack(">H", len(part)) + part.encode() for part in parts)
        entry += struct.pack(">IIBHH", 1, 0, 2, 18, 32) + bytes(32)
        content += struct.pack(">i", len(entry)) + entry
    return content


def write_keytab(folder: Path, *principals: str) -> None:
    """Write ``http.keytab`` with a key of zeros for each of *principals*."""
    path = folder / "http.keytab"
    path.write_bytes(keytab_of(*principals))
    path.chmod(0o600)


def private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
