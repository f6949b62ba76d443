"""Certificates of an authority of the tests' own, for a gateway that speaks https."""

import ssl
from datetime import datetime
from pathlib import Path

import trustme

CERTIFIED = 'tls_cert_file = "cert.pem"\ntls_key_file = "key.pem"\n'
"""Settings of ``[server]``, for what `write_certificate` writes."""


def write_certificate(folder: Path, authority: trustme.CA, expires: datetime | None = None) -> None:
    certificate = authority.issue_cert("127.0.0.1", not_after=expires)
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (folder / "key.pem").write_bytes(certificate.private_key_pem.bytes())


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
