"""The demo's configuration, written with new keys at every start. It contains no default of ``serve``."""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.sim.catalogue import SESSION
from gateway.sim.valt import USERS

_TOML = """\
[server]
listen = "127.0.0.1:{port}"
public_url = "{public_url}"

[admin]
listen = "127.0.0.1:{admin_port}"

[valt]
base_url = "{valt_url}"

[valt.accounts.reviewer]
username = "svc-reviewer"
password_file = "valt-reviewer"

[valt.accounts.trainee]
username = "svc-trainee"
password_file = "valt-trainee"

[[identity]]
type = "ticket"
name = "portal"
issuer = "{portal_url}"
public_key_file = "portal.pub"

[session]
secret_file = "session"

[state]
dir = "state"

[[grants]]
name = "supervisors"
groups = ["supervisors"]
recordings = ["*"]
account = "reviewer"

[[grants]]
name = "students"
groups = ["students"]
recordings = ["{students_recording}"]
account = "trainee"
download = false

[branding]
name = "Recordings"

[audit]
file = "audit.jsonl"

[log]
format = "console"
level = "{level}"
"""


def make_portal_key(folder: Path) -> str:
    """Returns a new private key for the portal, PEM. Writes its public key to *folder*."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "portal.pub").write_bytes(public)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def write_demo_configuration(
    folder: Path,
    *,
    port: int,
    public_url: str,
    valt_url: str,
    portal_url: str,
    admin_port: int = 0,
    level: str = "info",
    students_recording: str = SESSION,
) -> Path:
    """Write the configuration and its secrets into *folder*, which no other user may read. Returns the file's path.

    *students_recording* is the only one that students may see."""
    (folder / "state").mkdir(exist_ok=True)
    for name, text in (
        ("valt-reviewer", USERS["svc-reviewer"]),
        ("valt-trainee", USERS["svc-trainee"]),
        ("session", secrets.token_urlsafe(48)),
    ):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text)
    config = folder / "gateway.toml"
    config.write_text(
        _TOML.format(
            port=port,
            public_url=public_url,
            admin_port=admin_port,
            valt_url=valt_url,
            portal_url=portal_url,
            students_recording=students_recording,
            level=level,
        )
    )
    return config
