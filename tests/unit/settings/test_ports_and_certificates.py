"""Addresses that cannot answer, and certificates that are refused: each is a warning or a fault with its line, and the
nearest one that is right is none."""

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from gateway.settings.loading import Loaded, load
from tests.unit.settings.broken import HEADER, STATE, identity, server, valt
from tests.unit.settings.configurations import GOOD, load_text, private

pytestmark = pytest.mark.promise("security-S16")

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TLS = 'tls_cert_file = "cert.pem"\ntls_key_file = "key.pem"\n'


def with_valt(address: str, listen: str = "127.0.0.1:8080") -> str:
    return server(f'listen = "{listen}"').replace("https://valt.example.edu", address)


def collector(port: int, more: str = "") -> str:
    return GOOD + f'[tracing]\notlp_endpoint = "http://127.0.0.1:{port}"\n{more}'


WARNINGS = {
    "https on the port of http": (with_valt("https://valt.example.edu:80"), "valt.base_url"),
    "http on the port of https": (with_valt("http://127.0.0.1:443"), "valt.base_url"),
    "a public address on the port of http": (
        GOOD.replace("recordings.example.edu", "recordings.example.edu:80"),
        "server.public_url",
    ),
    "keys on the port of http": (identity('jwks_url = "https://sso.example.edu:80/keys"'), "identity.0.jwks_url"),
    "a proxy on the port of http": (identity('proxy_url = "https://proxy.example.edu:80"'), "identity.0.proxy_url"),
    "the listener as a provider": (
        server('listen = "127.0.0.1:8080"').replace("https://sso.example.edu", "http://localhost:8080/realms/campus"),
        "identity.0.issuer",
    ),
    "a collector's port of gRPC": (collector(4317), "tracing.otlp_endpoint"),
    "the port of Sentinels": (GOOD + STATE.replace("127.0.0.1", "127.0.0.1:26379"), "state.url"),
    "media by http besides https": (valt('media_hosts = ["media.example.edu:80"]'), "valt.media_hosts.0"),
    "plain http on the port of https": (server('listen = "0.0.0.0:443"'), "server.listen"),
    "the listener as VALT": (with_valt("http://127.0.0.1:8080"), "valt.base_url"),
    "the listener as VALT by its name": (with_valt("http://localhost:8080"), "valt.base_url"),
    "a listener on all addresses as VALT": (with_valt("http://127.0.0.1:8080", "0.0.0.0:8080"), "valt.base_url"),
    "the admin listener as the collector": (
        collector(9464, '[admin]\nlisten = "127.0.0.1:9464"\n'),
        "tracing.otlp_endpoint",
    ),
    "the public address with its port as VALT": (with_valt("https://recordings.example.edu:443"), "valt.base_url"),
}
RIGHT = [
    with_valt("https://valt.example.edu:8443"),
    with_valt("http://127.0.0.1:8000"),
    with_valt("http://[::1]:8080"),
    with_valt("https://valt.example.edu:8080", "0.0.0.0:8080"),
    with_valt("https://recordings.example.edu/valt"),
    GOOD.replace("https://valt.example.edu", "http://127.0.0.1:8080"),
    collector(4318),
    GOOD + STATE.replace("redis://valt:planted@127.0.0.1", "redis+sentinel://127.0.0.1:26379/main"),
    valt('media_hosts = ["media.example.edu:8000"]'),
    server('listen = "0.0.0.0:80"'),
]


@pytest.mark.parametrize("name", WARNINGS)
def test_an_address_that_cannot_answer_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]


@pytest.mark.parametrize("text", RIGHT)
def test_an_address_that_may_answer_is_no_warning(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text)
    assert (loaded.faults, loaded.warnings) == ((), ())


def checked(folder: Path, text: str) -> Loaded:
    private(folder / "gateway.toml", text)
    return load(folder / "gateway.toml", {}, check_files=True, now=NOW)


def write(
    folder: Path,
    *names: str,
    begins: datetime | None = None,
    expires: datetime | None = None,
    change: Callable[[list[bytes]], list[bytes]] = list,
) -> None:
    """Writes a certificate for *names* with its authority below it, or what *change* makes of the two, and its key."""
    authority = trustme.CA()
    issued = authority.issue_cert(*names, not_before=begins, not_after=expires)
    chain = [*(one.bytes() for one in issued.cert_chain_pems), authority.cert_pem.bytes()]
    (folder / "cert.pem").write_bytes(b"".join(change(chain)))
    private(folder / "key.pem", issued.private_key_pem.bytes().decode())


@pytest.mark.parametrize(
    ("names", "listen", "more", "keys"),
    [
        (["recordings.example.edu"], "0.0.0.0:443", "", []),
        (["*.example.edu"], "0.0.0.0:443", "", []),
        (["gateway.internal", "recordings.example.edu"], "0.0.0.0:443", "", []),
        (["gateway.internal"], "0.0.0.0:443", "", ["server.tls_cert_file"]),
        (["*.edu"], "0.0.0.0:443", "", ["server.tls_cert_file"]),
        (["gateway.internal"], "0.0.0.0:443", 'trusted_proxies = ["10.0.0.5"]\n', []),
        (["gateway.internal"], "127.0.0.1:443", "", []),
        (["gateway.internal"], "systemd:public", "", []),
        (["recordings.example.edu"], "0.0.0.0:80", "", ["server.listen"]),
    ],
)
def test_a_certificate_for_another_host_or_port_is_a_warning(
    tmp_path: Path, names: list[str], listen: str, more: str, keys: list[str]
) -> None:
    write(tmp_path, *names)
    loaded = checked(tmp_path, server(f'listen = "{listen}"\n{TLS}{more}'))
    assert (loaded.faults, [warning.key for warning in loaded.warnings]) == ((), keys)


def test_a_front_may_call_the_gateway_by_another_name(tmp_path: Path) -> None:
    write(tmp_path, "gateway.internal")
    loaded = checked(tmp_path, server(f'listen = "0.0.0.0:443"\n{TLS}') + HEADER)
    assert (loaded.faults, loaded.warnings) == ((), ())


def test_a_certificate_for_the_address_in_public_url_is_no_warning(tmp_path: Path) -> None:
    write(tmp_path, "10.0.0.9")
    text = server(f'listen = "0.0.0.0:443"\n{TLS}')
    assert checked(tmp_path, text.replace("recordings.example.edu", "10.0.0.9")).warnings == ()
    (warning,) = checked(tmp_path, text.replace("recordings.example.edu", "10.0.0.8")).warnings
    assert (warning.key, warning.line) == ("server.tls_cert_file", 3)


def test_a_certificate_that_is_not_valid_yet_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "recordings.example.edu", begins=datetime(2090, 1, 1), expires=datetime(2091, 1, 1))
    (warning,) = checked(tmp_path, server(TLS)).warnings
    assert (warning.key, warning.reason) == ("server.tls_cert_file", "is not valid before 2090-01-01 00:00 UTC")


def test_a_chain_in_the_wrong_order_is_a_fault_that_says_so(tmp_path: Path) -> None:
    write(tmp_path, "recordings.example.edu")
    assert checked(tmp_path, server(TLS)).faults == ()
    write(tmp_path, "recordings.example.edu", change=lambda chain: chain[::-1])
    (fault,) = checked(tmp_path, server(TLS)).faults
    assert (fault.key, fault.line) == ("server.tls_cert_file", 2)
    assert fault.remedy == "put the server's own certificate first"


def test_a_certificate_in_a_form_of_openssl_alone_is_no_traceback(tmp_path: Path) -> None:
    write(
        tmp_path,
        "recordings.example.edu",
        change=lambda chain: [one.replace(b" CERTIFICATE-", b" TRUSTED CERTIFICATE-") for one in chain],
    )
    loaded = checked(tmp_path, server(TLS) + f'[branding]\nnotice = "{tmp_path.name}"\n')
    assert (loaded.faults, loaded.warnings) == ((), ())


def test_an_authority_that_has_expired_is_a_warning_unless_another_has_not(tmp_path: Path) -> None:
    expired = valt('ca_file = "ca.pem"')
    old, new = trustme.CA(), trustme.CA()
    end = x509.load_pem_x509_certificate(old.cert_pem.bytes()).not_valid_after_utc
    private(tmp_path / "ca.pem", f"The campus\n{old.cert_pem.bytes().decode()}")
    private(tmp_path / "gateway.toml", expired)
    later = datetime(end.year + 1, 1, 1, tzinfo=UTC)
    (warning,) = load(tmp_path / "gateway.toml", {}, check_files=True, now=later).warnings
    assert (warning.key, warning.line) == ("valt.ca_file", 5)
    assert load(tmp_path / "gateway.toml", {}, check_files=True, now=NOW).warnings == ()
    private(tmp_path / "ca.pem", new.cert_pem.bytes().decode())
    assert load(tmp_path / "gateway.toml", {}, check_files=True, now=NOW).warnings == ()


def test_the_systems_authorities_are_no_warning(tmp_path: Path) -> None:
    bundle = ssl.get_default_verify_paths().cafile or os.environ.get("SSL_CERT_FILE", "")
    assert bundle
    loaded = checked(tmp_path, valt(f'ca_file = "{bundle}"'))
    assert (loaded.faults, loaded.warnings) == ((), ())
