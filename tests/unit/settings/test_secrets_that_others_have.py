"""Secrets that are printed somewhere, tried first, or used twice, each with its warning, and some that are not."""

import base64
import hashlib
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from gateway.settings.loading import load
from gateway.settings.warnings.guesses import guessable, publication_of
from tests.unit.settings.broken import HEADER, OIDC, PUBLIC_KEY, SERVICE_KEY, SESSION, STATE, TICKET, server
from tests.unit.settings.configurations import GOOD, load_text, private, write_certificate
from tests.unit.settings.test_identity_checks import private as private_pem
from tests.unit.settings.test_identity_checks import public as public_pem

pytestmark = pytest.mark.promise("security-S16")

SECRET = "planted-Zx81kQ-secret-of-more-than-32-bytes"
STATE_DIR = '\n[state]\ndir = "state"\n'
HS256_KEY = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
COOKIE_SECRET = "OQINaROshtE9TcZkNAm-5Zs2Pv3xaWytBmc5W7sPX7w="
"""Of the documentation of oauth2-proxy."""
RFC_8037 = Ed25519PrivateKey.from_private_bytes(
    base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
)
RFC_7515_RSA = {
    "kty": "RSA",
    "n": (
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR"
        "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB"
        "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia"
        "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
    ),
    "e": "AQAB",
}
RFC_7515_EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
RFC_7517_EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "kid": "1",
}
DEBUGGER = {
    "RS256": (
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onL"
        "Rnrq0/IzW7yWR7QkrmBL7jTKEn5u+qKhbwKfBstIs+bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGEl"
        "vW/VDL5AaWTg0nLVkjRo9z+40RQzuVaE8AkAFmxZzow3x+VJYKdjykkJ0iT9wCS0DRTXu269V264Vf/3jvredZiKRkgwlL9xNAwx"
        "XFg0x/XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC+9aGVd+Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmwIDAQAB"
    ),
    "PS256": (
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAnzyis1ZjfNB0bBgKFMSvvkTtwlvBsaJq7S5wA+kzeVOVpVWwkWdVha4s"
        "38XM/pa/yr47av7+z3VTmvDRyAHcaT92whREFpLv9cj5lTeJSibyr/Mrm/YtjCZVWgaOYIhwrXwKLqPr/11inWsAkfIytvHWTxZY"
        "EcXLgAXFuUuaS3uF9gEiNQwzGTU1v0FqkqTBr4B8nW3HCN47XUu0t8Y0e+lf4s4OxQawWD79J9/5d3Ry0vbV3Am1FtGJiJvOwRsI"
        "fVChDpYStTcHTCMqtvWbV6L11BWkpzGXSW4Hv43qa+GSYOD2QU68Mb59oSk2OB+BtOLpJofmbGEGgvmwyCI9MwIDAQAB"
    ),
    "ES256": (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageE"
        "HWwHdBO6B+dFabmdT9POxg=="
    ),
}
"""The keys of the debugger of jwt.io, in DER."""
PYJWT = "MCowBQYDK2VwAyEA7p4c1IU6aA65FWn6YZ+Bya5dRbfd4P6d4a6H0u9+gCg="
OTHERS = '"RS256", "PS256", "ES256", "EdDSA"'
SIGNING = OIDC.replace(
    'client_secret = "planted-client-secret"', 'client_auth = "private_key_jwt"\nprivate_key_file = "{}"'
)
OWN = Ed25519PrivateKey.generate()


def pem(der: str, columns: int = 64) -> str:
    lines = "\n".join(der[place : place + columns] for place in range(0, len(der), columns))
    return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"


def portal(key: str) -> str:
    own = TICKET.replace(PUBLIC_KEY, f"public_key = {json.dumps(key)}\nalgorithms = [{OTHERS}]\n")
    return GOOD + own + STATE_DIR


def hs256(secret: str) -> str:
    text = TICKET.replace(PUBLIC_KEY, f"secret = {json.dumps(secret)}\n")
    return f'{GOOD}{text}algorithms = ["HS256"]\n{STATE_DIR}'


def session(secret: str) -> str:
    return GOOD + SESSION.replace('"planted-session-secret-of-more-than-32-bytes"', json.dumps(secret))


def service_key(secret: str, name: str = "archive") -> str:
    key = SERVICE_KEY.format(name).replace("0" * 64, hashlib.sha256(secret.encode()).hexdigest())
    return f'{GOOD}{key}groups = ["supervisors"]\n'


def admin(token: str) -> str:
    return f'[admin]\ntoken = "{token}"\n'


def password(text: str) -> str:
    return GOOD.replace("planted-password", text)


def front(secret: str) -> str:
    return f'{HEADER}secret_header = "X-Front-Secret-Of-The-Proxy"\nsecret = "{secret}"\n'


PUBLISHED = {
    **{f"{algorithm} of jwt.io": (portal(pem(der)), "identity.1.public_key") for algorithm, der in DEBUGGER.items()},
    "a key in one line, with text before it": (
        portal(f"the portal's:\n{pem(DEBUGGER['RS256'], 1000)}"),
        "identity.1.public_key",
    ),
    "EdDSA of PyJWT": (portal(pem(PYJWT)), "identity.1.public_key"),
    **{
        f"the key of {source}": (portal(json.dumps(jwk)), "identity.1.public_key")
        for source, jwk in (
            ("RFC 7515, A.2", RFC_7515_RSA),
            ("RFC 7515, A.3", RFC_7515_EC | {"use": "sig", "alg": "ES256", "kid": "portal"}),
            ("RFC 7517, A.2", RFC_7517_EC),
            ("RFC 8037", {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
        )
    },
    "the key of RFC 8037 in PEM": (portal(public_pem(RFC_8037)), "identity.1.public_key"),
    "the secret of RFC 7515 as text": (hs256(HS256_KEY), "identity.1.secret"),
    "the secret of RFC 7515 with padding": (hs256(f"{HS256_KEY}=="), "identity.1.secret"),
    "the secret of RFC 7515 as JWK": (
        hs256(f'{{"k": "{HS256_KEY}", "kty": "oct", "alg": "HS256"}}'),
        "identity.1.secret",
    ),
    "the cookie secret of oauth2-proxy": (session(COOKIE_SECRET), "session.secret"),
    "the cookie secret of oauth2-proxy in the other alphabet": (
        session(COOKIE_SECRET.replace("-", "+")),
        "session.secret",
    ),
    "the cookie secret of Tornado": (session("61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo="), "session.secret"),
    **{
        f"{secret[:8]} of documentation": (GOOD + admin(secret), "admin.token")
        for secret in (
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
            "192B9BDD22AB9ED4D12E236C78AFCB9A393EC15F71BBF5DC987D54727823BCBF",
            "SW2YcwTIb9zpOOhoPsMm",
        )
    },
    "an example as a client's secret": (
        GOOD + OIDC.replace("planted-client-secret", COOKIE_SECRET) + STATE_DIR,
        "identity.1.client_secret",
    ),
    **{
        f"{text} as a secret": (session(text), "session.secret")
        for text in (
            "dev-only-session-key-do-not-use-in-production",
            "DO_NOT_USE_this_key_0a1b2c3d4e5f6g7h8i9j",
            "gateway key, not for production 0a1b2c3d",
            "an-example-of-a-passphrase-0a1b2c3d4e5f",
            "session_cookie_changeme_0a1b2c3d4e5f6g7h",
            "for-testing-purposes-only-0a1b2c3d4e5f6g",
            "my_super_secret_key_of_the_gateway_0a1b2c",
            "example secret 0a1b2c3d4e5f6g7h8i9jklmno",
            "django-insecure-0a1b2c3d4e5f6g7h8i9jklmn",
            "default_secret_0a1b2c3d4e5f6g7h8i9jklmno",
            "__TODO:_GENERATE_YOUR_OWN_RANDOM_VALUE_HERE__",
            "correct horse battery staple of the gateway",
        )
    },
    **{
        f"a line that begins with {comment}": (
            session(f"{comment} session secrets, newest first of all"),
            "session.secret",
        )
        for comment in ("#", ";", "//", "--")
    },
}
TRIED_FIRST = {
    **{
        f"the hash of {secret!r}": (service_key(secret), "service_keys.0.secret_sha256")
        for secret in (
            *("password", "changeme", "test", "secret", "admin", "123456", "example", "Password1", "SECRET", "token\n"),
            *(
                "archive",
                "archive\n",
                "Archive",
                "archive-key",
                "archive_secret",
                "archive123",
                "vgk_archive",
                "vgk_test",
            ),
            *("https://recordings.example.edu", "svc-reviewer"),
        )
    },
    "the hash of a name without its hyphens": (
        service_key("nightlycopy", "nightly-copy"),
        "service_keys.0.secret_sha256",
    ),
    **{
        f"the password {text}": (password(text), "valt.accounts.reviewer.password")
        for text in ("password", "Admin123", "svc-reviewer", "SVC-Reviewer", "svc-reviewer1", "reviewer", "changeme")
    },
    "the password of Redis that is its user": (GOOD + STATE.replace("planted@", "valt@"), "state.url"),
    "the password of Sentinels that is their user": (
        GOOD
        + STATE.replace("redis:", "redis+sentinel:").replace(
            "127.0.0.1", "127.0.0.1/master?sentinel_username=watcher&sentinel_password=watcher"
        ),
        "state.url",
    ),
    "the password of Redis from its manual": (GOOD + STATE.replace("planted@", "foobared@"), "state.url"),
    "a client's secret that is its id": (
        GOOD + OIDC.replace("planted-client-secret", "valt-gateway") + STATE_DIR,
        "identity.1.client_secret",
    ),
    "a front's secret that is its header": (GOOD + front("x-front-secret-of-the-proxy"), "identity.1.secret"),
}
TWICE = {
    "a token that is a service key": (service_key(SECRET) + admin(SECRET), "service_keys.0.secret_sha256"),
    "a token whose line is a service key": (service_key(f"{SECRET}\n") + admin(SECRET), "service_keys.0.secret_sha256"),
    "a token that is a password": (password(SECRET) + admin(SECRET), "valt.accounts.reviewer.password"),
    "a service key that is a password": (
        service_key("planted-password"),
        "service_keys.0.secret_sha256",
    ),
}
SAFE = {
    "a portal's own key": portal(public_pem(OWN)),
    "a portal's own key as JWK": portal(json.dumps(RFC_7515_EC | {"x": RFC_7517_EC["x"], "y": RFC_7517_EC["y"]}))
    .replace(RFC_7517_EC["x"], "usWxHK2PmfnHKwXPS54m0kTcGJ90UiglWiGahtagnv8")
    .replace(RFC_7517_EC["y"], "IBOL-C3BttVivg-lSreASjpkttcsz-1rb7btKLv8EX4"),
    "a portal's own secret": hs256("3Uyq7VcMkJ2R0s9wXzPbGf5LtH8dNoA1eIv4CiTjEmY"),
    **{
        f"the secret {text}": session(text)
        for text in (
            "counterexamples-and-inproductions-0a1b2c3d",
            "recordings.example.edu/3f9c1a7e52d8b0646fe2",
            "development-and-production-0a1b2c3d4e5f6g",
            "sessions-for-production-0a1b2c3d4e5f6g7h8i",
            "zoo wolf example rapid otter lamp cube nine",
            "3f9c1a7e52d8b0646fe2917ac05d38b13f9c1a7e5",
            "//rT8s2hU0nq4jX1zYp6Wk9bVf3LcDgM7aEoQiK5t+",
            "--rT8s2hU0nq4jX1zYp6Wk9bVf3LcDgM7aEoQiK5t_",
        )
    },
    "the hash of a minted key": service_key("vgk_3Uyq7VcMkJ2R0s9wXzPbGf5LtH8dNoA1eIv4CiTjEmY"),
    "a hash that is nobody's": service_key("x").replace(hashlib.sha256(b"x").hexdigest(), "0" * 64),
    "the hash of a phrase about the key": service_key("the archive of room 7"),
    **{f"the password {text}": password(text) for text in ("svc-reviewer-3f9c1a", "test-3f9c1a", "Review!2031")},
    "two users with one password": GOOD
    + '[valt.accounts.trainee]\nusername = "svc-trainee"\npassword = "planted-password"\n',
    "a password of Redis": GOOD + STATE,
}


def keys_of(folder: Path, text: str) -> list[str]:
    """Returns the keys of the warnings about *text* with its files, each of which has a line."""
    private(folder / "gateway.toml", text)
    loaded = load(folder / "gateway.toml", {}, check_files=True)
    assert loaded.faults == ()
    assert all(warning.line for warning in loaded.warnings)
    assert "planted" not in repr(loaded.warnings)
    return [warning.key for warning in loaded.warnings]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_secret_that_is_an_example_is_a_warning(tmp_path: Path, name: str) -> None:
    text, key = PUBLISHED[name]
    assert keys_of(tmp_path, text) == [key]


@pytest.mark.parametrize("name", TRIED_FIRST | TWICE)
def test_a_secret_that_is_tried_first_or_has_two_purposes_is_a_warning(tmp_path: Path, name: str) -> None:
    text, key = (TRIED_FIRST | TWICE)[name]
    assert keys_of(tmp_path, text) == [key]


@pytest.mark.parametrize("name", SAFE)
def test_a_secret_of_its_own_is_no_warning(tmp_path: Path, name: str) -> None:
    assert keys_of(tmp_path, SAFE[name]) == []


@pytest.mark.parametrize("text", ["", " ", "\n", "\r\n"], ids=repr)
def test_the_hash_of_nothing_is_a_fault(tmp_path: Path, text: str) -> None:
    (fault,) = load_text(tmp_path, service_key(text)).faults
    assert (fault.key, fault.reason) == ("service_keys.0.secret_sha256", "is the hash of an empty text")


def test_no_random_secret_is_an_example() -> None:
    source = random.Random(7)
    for _ in range(3000):
        value = source.randbytes(32)
        for text in (value.hex(), base64.b64encode(value).decode(), base64.urlsafe_b64encode(value).decode()):
            assert guessable(text.encode()) is None
            assert publication_of(text) is None


def test_a_comment_among_the_sessions_secrets_is_reported(tmp_path: Path) -> None:
    text = GOOD + '[session]\nsecrets_file = "secrets"\n'
    private(tmp_path / "secrets", f"# session secrets of the gateway, newest first\n{SECRET}\n")
    assert keys_of(tmp_path, text) == ["session.secret"]
    private(tmp_path / "secrets", f"# session secrets, newest first\n{SECRET}\n")
    loaded = load_text(tmp_path, text)
    assert [fault.key for fault in loaded.faults] == ["session.secrets"]
    assert [warning.key for warning in loaded.warnings] == ["session.secret"]
    private(tmp_path / "secrets", f"{SECRET}\n{SECRET.upper()}\n")
    assert keys_of(tmp_path, text) == []


def test_a_signing_key_that_is_printed_is_a_warning(tmp_path: Path) -> None:
    for key, keys in ((RFC_8037, ["identity.1.private_key"]), (OWN, [])):
        private(tmp_path / "key.pem", private_pem(key))
        assert keys_of(tmp_path, GOOD + SIGNING.format("key.pem") + STATE_DIR) == keys


def test_a_servers_key_that_is_printed_is_a_warning(tmp_path: Path) -> None:
    text = server('tls_cert_file = "cert.pem"\ntls_key_file = "tls.key"')
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "recordings.example.edu")])
    now = datetime.now(UTC)
    for key, keys in ((RFC_8037, ["server.tls_key_file"]), (OWN, [])):
        certificate = x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + timedelta(days=30))
        (tmp_path / "cert.pem").write_bytes(certificate.sign(key, None).public_bytes(Encoding.PEM))
        private(tmp_path / "tls.key", private_pem(key))
        assert keys_of(tmp_path, text) == keys


def test_a_key_of_the_audits_chain_that_is_printed_is_a_warning(tmp_path: Path) -> None:
    text = GOOD + '[audit]\nfile = "audit.jsonl"\nchain_key_file = "chain"\n'
    for content, keys in ((COOKIE_SECRET, ["audit.chain_key_file"]), (SECRET, [])):
        private(tmp_path / "chain", f"{content}\n")
        assert keys_of(tmp_path, text) == keys


def everything(folder: Path, **keys: str) -> str:
    """Returns a configuration with a key of its own for each purpose, but for *keys*, and writes the files."""
    write_certificate(folder / "cert.pem", folder / "tls.key")
    (folder / "cert.pem").chmod(0o600)
    private(folder / "login.key", private_pem(generate_private_key(SECP256R1())))
    private(folder / "session.secret", SECRET)
    private(folder / "chain", "planted-0a1b2c3d4e5f6g7h8i9j0k-planted")
    (folder / "portal.pub").write_text(public_pem(OWN))
    for name, other in keys.items():
        secret = (folder / other).read_text()
        private(folder / name, secret)
    text = server('tls_cert_file = "cert.pem"\ntls_key_file = "tls.key"')
    text += '[session]\nsecret_file = "session.secret"\n[audit]\nfile = "a.jsonl"\nchain_key_file = "chain"\n'
    ticket = TICKET.partition("\n[[")[2].replace(
        PUBLIC_KEY, f'public_key_file = "portal.pub"\nalgorithms = [{OTHERS}]\n'
    )
    return f"{text}{SIGNING.partition(chr(10) * 2)[2].format('login.key')}\n[[{ticket}{STATE_DIR}"


@pytest.mark.parametrize(
    ("name", "other", "key"),
    [
        ("session.secret", "tls.key", "server.tls_key_file"),
        ("session.secret", "login.key", "identity.1.private_key"),
        ("session.secret", "chain", "audit.chain_key_file"),
        ("login.key", "tls.key", "server.tls_key_file"),
        ("chain", "login.key", "audit.chain_key_file"),
        ("chain", "tls.key", "audit.chain_key_file"),
        ("chain", "session.secret", "audit.chain_key_file"),
    ],
)
def test_one_key_with_two_purposes_is_a_warning(tmp_path: Path, name: str, other: str, key: str) -> None:
    text = everything(tmp_path)
    assert keys_of(tmp_path, text) == []
    private(tmp_path / name, (tmp_path / other).read_text())
    assert keys_of(tmp_path, text) == [key]
    if other.endswith(".key") and name != "login.key":  # in another layout, where others than PyCA need not read it
        same = load_pem_private_key((tmp_path / other).read_bytes(), password=None)
        pkcs8 = same.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        private(tmp_path / name, pkcs8.replace("\n", "\r\n"))
        assert keys_of(tmp_path, text) == [key]


@pytest.mark.parametrize(
    ("name", "other", "remedy"),
    [
        ("session.secret", "tls.key", "make one for session.secret with: openssl rand -base64 48"),
        ("session.secret", "login.key", "make one for session.secret with: openssl rand -base64 48"),
        ("login.key", "tls.key", "make one for identity.1.private_key with: openssl genpkey -algorithm ed25519"),
    ],
)
def test_the_remedy_for_a_key_that_is_a_secret_too_replaces_the_secret(
    tmp_path: Path, name: str, other: str, remedy: str
) -> None:
    private(tmp_path / "gateway.toml", everything(tmp_path, **{name: other}))
    (warning,) = load(tmp_path / "gateway.toml", {}, check_files=True).warnings
    assert warning.remedy == remedy


@pytest.mark.parametrize("file", ["tls.key", "login.key"])
def test_a_portals_key_whose_private_half_is_here_is_a_warning(tmp_path: Path, file: str) -> None:
    text = everything(tmp_path)
    own = load_pem_private_key((tmp_path / file).read_bytes(), password=None)
    (tmp_path / "portal.pub").write_text(public_pem(own))
    assert keys_of(tmp_path, text) == ["identity.2.public_key"]
    several = text.replace('public_key_file = "portal.pub"', 'public_key_files = ["other.pub", "portal.pub"]')
    (tmp_path / "other.pub").write_text(public_pem(OWN))
    assert keys_of(tmp_path, several) == ["identity.2.public_key_files.1"]


def test_one_key_that_signs_for_two_identity_providers_is_no_warning(tmp_path: Path) -> None:
    private(tmp_path / "key.pem", private_pem(OWN))
    sign_in = SIGNING.format("key.pem")
    second = sign_in[sign_in.index("\n[[identity]]") :].replace('"login"', '"other"').replace("//login", "//other")
    assert keys_of(tmp_path, GOOD + sign_in + second + STATE_DIR) == []
