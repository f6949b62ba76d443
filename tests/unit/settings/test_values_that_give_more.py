"""Configurations that give more than they seem to, or lose a revocation, each with its warning, and safe ones."""

import hashlib
from pathlib import Path

import pytest

from gateway.settings.loading import load
from tests.unit.settings.broken import (
    HEADER,
    JWT,
    OIDC,
    PUBLIC_KEY,
    SCOPES,
    SERVICE_KEY,
    SESSION,
    STATE,
    TICKET,
    identity,
    server,
)
from tests.unit.settings.configurations import GOOD, load_text, private, write_certificate

STATE_DIR = '\n[state]\ndir = "state"\n'
GOOGLE = "https://accounts.google.com"
EVERYBODY = GOOD.replace('groups = ["supervisors"]', 'subjects = ["*"]')
ADMIN = '[admin]\nlisten = "unix:/run/valt-gateway/admin.sock"\n'
TOKEN = 'token = "planted-token-that-nobody-guesses"\n'
GOOGLE_JWT = JWT.replace("https://sso.example.edu", GOOGLE)
KEYCLOAK = GOOD.replace("sso.example.edu", "sso.example.edu/realms/campus")
SECOND = f'\n[[identity]]\ntype = "ticket"\nname = "second"\nissuer = "https://second.example.edu"\n{PUBLIC_KEY}'
OTHER_KEY = PUBLIC_KEY.replace("AinCsi8Urmx3", "AinCsi8Urmx4")
AS_JWK = """public_key = '{"kty":"OKP","crv":"Ed25519","x":"inCsi8Urmx3_29_wAecuu62fMHDoiWecSg1j6k57kZI"}'\n"""
BY_NETWORK = ("[[grants]]\n", '[[grants]]\nnetworks = ["10.0.0.0/8"]\n')
REFUSING = ("[[grants]]\n", "[[grants]]\nallow = false\n")
KEY = (
    SERVICE_KEY.format("archive").replace("0" * 64, hashlib.sha256(b"planted").hexdigest())
    + 'groups = ["archive"]\n[[grants]]\nname = "a"\ngroups = ["archive"]\nrecordings = ["1"]\naccount = "reviewer"\n'
)
SIGN_IN = OIDC + SCOPES + STATE_DIR
FRONT_JWT = JWT.replace("\naudience", '\nheader = "Cf-Access-Jwt-Assertion"\naudience')
REVIEWERS = '\n[[grants]]\nname = "all"\ngroups = ["supervisors"]\nrecordings = ["*"]\naccount = "reviewer"\n'
OPEN_REDIS = STATE.replace("valt:planted@", "")


def everybody_at(issuer: str) -> str:
    return EVERYBODY.replace("https://sso.example.edu", issuer)


def behind_front(header: str, proxies: str = "[]") -> str:
    text = identity(f'header = "{header}"').replace("[[grants]]\n", '[[grants]]\nnetworks = ["10.0.0.0/8"]\n')
    return text.replace("[server]\n", f'[server]\nlisten = "0.0.0.0:8080"\ntrusted_proxies = {proxies}\n')


def behind_tls(providers: str, who: str, more: str) -> str:
    """A rule by networks for *who*, among people of *providers*, where the gateway does not speak TLS itself."""
    rule = f'[[grants]]\nname = "clinic"\n{who}\nrecordings = ["*"]\naccount = "reviewer"\nnetworks = ["10.0.0.0/8"]\n'
    head = server('listen = "0.0.0.0:8080"').partition("[[identity]]")[0]
    return f"{head}{providers}{rule}{more}"


def public_socket(mode: str, more: str = "") -> str:
    return server(f'listen = "unix:/run/public.sock"\nsocket_mode = "{mode}"\n{more}')


def among_proxies(networks: str, proxies: str = '["10.0.0.0/24"]') -> str:
    text = GOOD.replace("[[grants]]\n", f"[[grants]]\nnetworks = {networks}\n")
    return text.replace("[server]\n", f'[server]\nlisten = "0.0.0.0:8080"\ntrusted_proxies = {proxies}\n')


def refused_at_proxy(who: str, group: str, providers: str = "") -> str:
    """A refusal of *who* by the address of a trusted proxy, and a service key that has *group*."""
    text = among_proxies('["10.0.0.5"]', '["10.0.0.5"]').replace('groups = ["supervisors"]', f"allow = false\n{who}")
    key = SERVICE_KEY.format("a").replace("0" * 64, hashlib.sha256(b"planted").hexdigest())
    text = text.replace(JWT, providers) if providers else text
    return text + key + f'groups = ["{group}"]\n' + REVIEWERS.replace("supervisors", group)


def session(secret: str) -> str:
    return GOOD + SESSION.replace("planted-session-secret-of-more-than-32-bytes", secret)


def redis(host: str) -> str:
    return GOOD + OPEN_REDIS.replace("127.0.0.1", host)


WARNINGS = {
    **{
        f"everybody at {issuer}": (everybody_at(issuer), "grants.0.subjects")
        for issuer in (GOOGLE, "https://gitlab.com", "https://token.actions.githubusercontent.com", "https://orcid.org")
    },
    "everybody of a sign-in at Google": (
        EVERYBODY + OIDC.replace("https://login.example.edu", GOOGLE) + SCOPES + STATE_DIR,
        "grants.0.subjects",
    ),
    "addresses that every user of the machine may state": (
        public_socket("0666", 'trusted_proxies = ["unix"]').replace(*BY_NETWORK),
        "server.socket_mode",
    ),
    **{
        f"a socket with the mode {mode}, by which nobody but the service connects": (
            public_socket(mode),
            "server.socket_mode",
        )
        for mode in ("0644", "0640", "0664", "0604")
    },
    "a room among the proxies": (among_proxies('["10.0.0.0/28"]'), "grants.0.networks"),
    "a room and others among the proxies": (among_proxies('["10.1.0.0/16", "10.0.0.0/28"]'), "grants.0.networks"),
    **{
        f"refused clients in {network} among the proxies": (
            among_proxies(f'["{network}"]').replace("[[grants]]\n", "[[grants]]\nallow = false\n") + REVIEWERS,
            "grants.0.networks",
        )
        for network in ("10.0.0.0/28", "10.0.0.0/24")
    },
    "a room of clients that may name any person": (
        among_proxies('["10.0.0.0/28"]', '["10.0.0.1"]') + HEADER.replace("10.0.0.5/32", "10.0.0.0/24"),
        "identity.1.from.0",
    ),
    **{
        f"a refusal of people at a proxy's address, with {what} of a key": (
            refused_at_proxy(who, "externals"),
            "grants.0.networks",
        )
        for what, who in (
            ("a group", 'groups = ["externals"]'),
            ("the name", 'subjects = ["a"]'),
            ("the name and a group", 'subjects = ["service_key#a"]\ngroups = ["externals"]'),
        )
    },
    **{
        f"the network {network} without its length": (
            among_proxies(f'["{network}"]', '["10.0.0.5"]').replace(*REFUSING) + REVIEWERS,
            "grants.0.networks",
        )
        for network in ("192.168.1.0", "172.16.0.0/32", "2001:db8:1::", '10.4.0.0", "10.8.0.0')
    },
    **{
        f"every address of one kind at {listen}": (
            among_proxies(f'["{network}"]', "[]").replace("0.0.0.0:8080", listen).replace(*REFUSING) + REVIEWERS,
            "grants.0.networks",
        )
        for listen, network in (("systemd:public", "0.0.0.0/0"), ("gateway.example.edu:8080", "::/0"))
    },
    **{
        f"people behind the proxy that speaks TLS, {what}": (
            behind_tls(first, 'groups = ["supervisors"]', second),
            "grants.0.networks",
        )
        for what, first, second in (
            ("beside a key", SIGN_IN, KEY),
            ("and another sends tokens", SIGN_IN + FRONT_JWT, ""),
            ("and another sends tokens, beside a key", FRONT_JWT, KEY),
        )
    },
    **{
        f"{who} behind the proxy that speaks TLS beside tokens": (
            behind_tls(SIGN_IN + JWT, who, more),
            "grants.0.networks",
        )
        for who, more in (('subjects = ["login#anna"]', ""), ('subjects = ["*"]\nallow = false', REVIEWERS))
    },
    "a portal's key as a JWK for another portal": (
        GOOD + TICKET + SECOND.replace(PUBLIC_KEY, AS_JWK) + STATE_DIR,
        "identity.2.public_key",
    ),
    "an admin socket for every user": (server('socket_mode = "0666"') + ADMIN, "server.socket_mode"),
    **{
        f"clients behind the proxy that sends {header}": (behind_front(header), "grants.0.networks")
        for header in ("Cf-Access-Jwt-Assertion", "X-Pomerium-Jwt-Assertion", "X-Forwarded-Access-Token")
    },
    "Keycloak's own client as the audience": (KEYCLOAK.replace('"valt-gateway"', '"account"'), "identity.0.audience"),
    "a portal's key for another portal": (GOOD + TICKET + SECOND + STATE_DIR, "identity.2.public_key"),
    **{
        f"the secret {secret}": (session(secret), "session.secret")
        for secret in (
            "a-string-secret-at-least-256-bits-long",
            "super-secret-jwt-token-with-at-least-32-characters-long",
            "your-256-bit-secret-of-the-gateway-s-sessions",
            "0123456789abcdef" * 4,
            "00112233445566778899aabbccddeeff",
            "abcdefghijklmnopqrstuvwxyz123456",
        )
    },
    "a token of sixteen digits": (GOOD + '[admin]\ntoken = "0123456789ABCDEF"\n', "admin.token"),
    **{
        f"{host} without a password": (redis(host), "state.url")
        for host in ("redis.example.edu", "10.0.0.9:6379", "[fd00::9]")
    },
    "Redis without a password over TLS": (redis("redis.example.edu").replace("redis://", "rediss://"), "state.url"),
}
SAFE = {
    "tokens of a year, which are revoked for as long": identity('max_lifetime = "365d"'),
    "everybody at the own provider": EVERYBODY,
    "own recordings of everybody at Google": everybody_at(GOOGLE).replace(
        "[[grants]]\n", "[[grants]]\nauthor_is_me = true\n"
    ),
    "everybody at Google from one network": everybody_at(GOOGLE)
    .replace("[[grants]]\n", '[[grants]]\nnetworks = ["10.0.0.0/8"]\n')
    .replace("[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n'),
    "a refusal of everybody at Google": everybody_at(GOOGLE).replace("[[grants]]\n", "[[grants]]\nallow = false\n"),
    "an admin socket for every user with a token": server('socket_mode = "0666"') + ADMIN + TOKEN,
    "an admin socket for the group": GOOD + ADMIN,
    "an admin listener with a name": GOOD + '[admin]\nhosts = ["metrics.example.edu"]\n',
    "addresses that the group may state": public_socket("0660", 'trusted_proxies = ["unix"]').replace(*BY_NETWORK),
    "a socket for the service alone": public_socket("0600"),
    "a room elsewhere than the proxies": among_proxies('["10.1.0.0/16"]'),
    "all clients, and the proxies' network": among_proxies('["10.0.0.0/8"]'),
    "the proxies' own network": among_proxies('["10.0.0.0/24"]'),
    "a front's peers without clients": among_proxies('["10.1.0.0/16"]', '["10.0.0.1"]')
    + HEADER.replace("10.0.0.5/32", "10.0.0.0/24"),
    "a room with one proxy": among_proxies('["10.0.0.0/16"]', '["10.0.0.5"]'),
    "a key that is used on the proxy's machine": among_proxies('["10.0.0.5"]', '["10.0.0.5"]')
    + SERVICE_KEY.format("a").replace("0" * 64, hashlib.sha256(b"planted").hexdigest())
    + 'groups = ["supervisors"]\n',
    "a key that is refused on the proxy's machine": refused_at_proxy('subjects = ["service_key#A"]', "externals"),
    "a group of keys alone that is refused on the proxy's machine": refused_at_proxy(
        'groups = ["Externals"]', "externals", GOOGLE_JWT
    ),
    "every address behind proxies": among_proxies('["0.0.0.0/0", "::/0"]'),
    "a public socket for every user": server(
        'listen = "unix:/run/public.sock"\nsocket_mode = "0666"\ntrusted_proxies = ["unix"]'
    ),
    "clients behind a trusted proxy that sends tokens": behind_front("Cf-Access-Jwt-Assertion", '["10.0.0.9"]'),
    "a proxy that sends tokens and names": behind_front("Cf-Access-Jwt-Assertion", '["10.0.0.5"]') + HEADER,
    "clients that send tokens themselves": behind_front("Authorization"),
    "clients of a proxy that sends tokens, and scripts": behind_front("Cf-Access-Jwt-Assertion")
    + SERVICE_KEY.format("a").replace("0" * 64, hashlib.sha256(b"planted").hexdigest())
    + 'groups = ["supervisors"]\n',
    **{
        f"a single address such as {network} that is refused": among_proxies(f'["{network}"]', '["10.0.0.5"]').replace(
            *REFUSING
        )
        + REVIEWERS
        for network in ("10.0.1.1", "2001:db8::1", "192.168.1.0/24", '203.0.113.0", "203.0.113.7', "2001:db8:1::/48")
    },
    "a single address that ends in zero": among_proxies('["10.1.2.0"]', '["10.0.0.5"]'),
    **{
        f"every address of IPv4 at {listen}": among_proxies('["0.0.0.0/0"]', "[]")
        .replace("0.0.0.0:8080", listen)
        .replace(*REFUSING)
        + REVIEWERS
        for listen in ("0.0.0.0:8080", "192.0.2.2:8080")
    },
    "every address of IPv4 at a name": among_proxies('["0.0.0.0/0"]', "[]").replace(
        "0.0.0.0:8080", "gw.example.edu:8080"
    ),
    "a key behind the proxy that speaks TLS": behind_tls(SIGN_IN, 'groups = ["archive"]', KEY),
    "a refused key behind the proxy that speaks TLS": behind_tls(
        SIGN_IN, 'subjects = ["service_key#archive"]\nallow = false', KEY + REVIEWERS
    ),
    "a group of tokens beside the proxy that speaks TLS": behind_tls(SIGN_IN + JWT, 'groups = ["supervisors"]', ""),
    "a person of tokens beside the proxy that speaks TLS": behind_tls(SIGN_IN + JWT, 'subjects = ["campus#ben"]', ""),
    "an audience named account elsewhere": GOOD.replace('"valt-gateway"', '"account"'),
    "an audience of Keycloak": KEYCLOAK,
    "two portals with two keys": GOOD + TICKET + SECOND.replace(PUBLIC_KEY, OTHER_KEY) + STATE_DIR,
    **{
        f"the secret {secret}": session(secret)
        for secret in (
            "3f9c1a7e52d8b0646fe2917ac05d38b1",
            "rT8s2hU0nq4jX1zYp6Wk9bVf3LcDgM7aEoQiK5t+J/w=",
            "planted-secret-of-at-most-one-gateway",
        )
    },
    "Redis in a network of its own": redis("redis:6379"),
    "Redis on this machine": redis("localhost"),
    "Redis with a password over TLS": GOOD
    + STATE.replace("redis://", "rediss://").replace("127.0.0.1", "redis.example.edu"),
}


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("name", WARNINGS)
def test_what_gives_more_than_it_seems_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("name", SAFE)
def test_what_gives_what_it_says_is_no_warning(tmp_path: Path, name: str) -> None:
    loaded = load_text(tmp_path, SAFE[name])
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_private_key_in_a_certificates_file_that_all_may_read_is_a_warning(tmp_path: Path, mode: int) -> None:
    both = tmp_path / "both.pem"
    write_certificate(both, tmp_path / "key.pem")
    both.write_text(both.read_text() + (tmp_path / "key.pem").read_text())
    both.chmod(mode)
    private(tmp_path / "gateway.toml", server('tls_cert_file = "both.pem"\ntls_key_file = "key.pem"'))

    loaded = load(tmp_path / "gateway.toml", {}, check_files=True)

    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings] == ["server.tls_cert_file"] * (mode == 0o644)
