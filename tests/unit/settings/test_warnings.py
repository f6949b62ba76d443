"""Configurations that are allowed and risky, each with the warning that the operator reads."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.settings.loading import load
from tests.unit.settings.broken import HEADER, OIDC, SERVICE_KEY, SESSION, STATE, grant, server
from tests.unit.settings.configurations import GOOD, load_text, private

NOW = datetime(2027, 7, 1, 12, tzinfo=UTC)
SIGN_IN = OIDC[OIDC.index("[[") :] + '[state]\ndir = "state"\n'

TRAINEE = """
[valt.accounts.trainee]
username = "svc-trainee"
password = "planted"

[[grants]]
name = "students"
groups = ["students"]
recordings = ["*"]
account = "trainee"
"""
REFUSAL_AS_TRAINEE = """
[[grants]]
name = "refusal"
groups = ["supervisors"]
recordings = ["*"]
account = "trainee"
allow = false
rooms = ["Board room"]
"""
RULE_AS_REVIEWER = '[[grants]]\nname = "all"\nsubjects = ["anna"]\nrecordings = ["*"]\naccount = "reviewer"\n'
SECOND = '[[identity]]\ntype = "jwt"\nissuer = "{}"\nname = "second"\naudience = "another"\n'

RISKY = {
    "a rule whose list of rooms is empty": (
        grant("rooms = []"),
        "grants.0.rooms (line 18): is empty, which is no condition: the rule does not depend on it. "
        "Leave it out, or list what must match.",
    ),
    "admin on every address": (
        GOOD + '[admin]\nlisten = "0.0.0.0:9464"\n',
        "admin.listen (line 23): is reachable from other machines, which may read metrics and readiness without a "
        "token. Listen on loopback, or give token_file.",
    ),
    "admin on an address of the network": (
        GOOD + '[admin]\nlisten = "[fd00::7]:9464"\n',
        "admin.listen (line 23): is reachable from other machines, which may read metrics and readiness without a "
        "token. Listen on loopback, or give token_file.",
    ),
    "a wide network of a header provider": (
        GOOD + HEADER.replace("10.0.0.5/32", "10.0.0.0/8"),
        "identity.1.from.0 (line 26): contains many addresses (10.0.0.0/8), each of which may name any person. "
        "List single addresses, or use secret_header.",
    ),
    "a wide IPv6 network of a header provider": (
        GOOD + HEADER.replace("10.0.0.5/32", "fd00::/63"),
        "identity.1.from.0 (line 26): contains many addresses (fd00::/63), each of which may name any person. "
        "List single addresses, or use secret_header.",
    ),
    "a wide network of trusted proxies": (
        server('trusted_proxies = ["10.0.0.0/8"]'),
        "server.trusted_proxies.0 (line 2): contains many addresses (10.0.0.0/8), each of which may state any client "
        "address. List the addresses of your own proxies.",
    ),
    "sessions over 30d": (
        GOOD + SESSION + 'lifetime = "31d"\n' + SIGN_IN,
        "session.lifetime (line 26): is longer than 30d: a stolen cookie is valid for so long. Shorten it.",
    ),
    "a drain longer than systemd waits": (
        server('drain_timeout = "60s"\nshutdown_delay = "21s"'),
        "server.drain_timeout (line 2): and shutdown_delay are together longer than 80s; the shipped systemd unit ends "
        "the process after 90s. Shorten them, or raise TimeoutStopSec of the unit.",
    ),
    "a password of Redis in clear text": (
        GOOD + STATE.replace("127.0.0.1", "redis.example.edu"),
        "state.url (line 24): sends a password over the network unencrypted. Use rediss, or a tunnel.",
    ),
    "an expired service key": (
        GOOD + SERVICE_KEY.format("archive") + 'groups = ["supervisors"]\nexpires = 2027-06-30\n',
        "service_keys.0.expires (line 27): was 2027-06-30: the key archive is refused. "
        "Mint a new key, or remove this one.",
    ),
    "a rule by the address of a proxy": (
        grant('networks = ["10.0.0.0/8"]'),
        "grants.0.networks (line 18): compares the address of the proxy in front of server.listen with it, not the "
        "client's. List the proxy in server.trusted_proxies.",
    ),
    "two providers of one issuer": (
        GOOD + SECOND.format("https://sso.example.edu").replace("another", "valt-gateway"),
        "identity.1.issuer (line 24): is that of campus too, which decides about all its tokens. "
        "Make one table of the two.",
    ),
    "two audiences of one issuer": (
        GOOD + SECOND.format("https://sso.example.edu"),
        "identity.1.issuer (line 24): is that of campus too, which decides about all its tokens. "
        "Make one table of the two, with one audience and the same claims, or have those of one sent in a header of "
        "their own.",
    ),
    "a refusal that asks VALT as another account than a later rule": (
        grant('allow = false\nrooms = ["Board room"]') + TRAINEE,
        "grants.0.account (line 23): may see less in VALT than trainee: what VALT does not show to it is not refused. "
        "Use an account that sees all that is to be refused, or repeat the rule with each account.",
    ),
    "a refusal of a misspelt provider's person": (
        grant('allow = false\nsubjects = ["Campus#anna"]'),
        "grants.0.subjects (line 19): has 'Campus#anna', and no provider is named Campus: it is one person's name. "
        "Did you mean campus#?",
    ),
    **{
        f"a refusal of {name}, which is {meant}": (
            grant(f'allow = false\nsubjects = ["{name}"]').replace('"campus"', '"clinic"') + more,
            f"grants.0.subjects (line 19): has '{name}', and {name[:-5]} is no provider's name. "
            f'Write it as "{meant}".',
        )
        for name, more, meant in (
            ("session#anna", "", "clinic#anna"),
            ("session#anna", HEADER, "PROVIDER#anna"),
            ("jwt#anna", HEADER, "clinic#anna"),
        )
    },
    "a refusal of everybody of a provider": (
        grant('allow = false\nsubjects = ["campus#*"]'),
        "grants.0.subjects (line 19): has 'campus#*', and names have no wildcards: it is compared as it stands. "
        "List the names themselves.",
    ),
    "a group with a wildcard": (
        GOOD.replace('groups = ["supervisors"]', 'groups = ["super*"]'),
        "grants.0.groups (line 19): has 'super*', and names have no wildcards: it is compared as it stands. "
        "List the names themselves.",
    ),
    "a group that is empty": (
        GOOD.replace('groups = ["supervisors"]', 'groups = ["supervisors", ""]'),
        "grants.0.groups (line 19): has '', which is nobody's name. "
        "Write it as the identity provider does, without spaces around it.",
    ),
    "an example for a misspelt provider's person": (
        GOOD + '[[examples]]\nsubject = "campsu#anna"\nrecording = "1"\nallowed = false\n',
        "examples.0.subject (line 23): has 'campsu#anna', and no provider is named campsu: it is one person's name. "
        "Did you mean campus#?",
    ),
    "two header providers of one proxy": (
        GOOD + HEADER + HEADER.replace('"front"', '"second"'),
        "identity.2.type (line 29): and what proves a person are those of front, which decides first: this is never "
        "asked. Make one table of the two.",
    ),
    "sign-in whose sign-outs a restart undoes": (
        GOOD + OIDC,
        "state.dir: is not set: a restart makes sessions valid again that were signed out or revoked. "
        "Name a directory for sign-outs and revocations.",
    ),
    "a rule that is over": (
        grant("valid_until = 2027-06-30"),
        "grants.0.valid_until (line 18): was 2027-06-30: the rule supervisors never matches. "
        "Move it, or remove the rule.",
    ),
}

SAFE = {
    "admin with a token": GOOD + '[admin]\nlisten = "0.0.0.0:9464"\ntoken_file = "token"\n',
    "admin on a unix socket": GOOD + '[admin]\nlisten = "unix:/run/admin.sock"\n',
    "admin on another loopback address": GOOD + '[admin]\nlisten = "127.0.0.9:9464"\n',
    "a wide network with a secret": GOOD
    + HEADER.replace("10.0.0.5/32", '0.0.0.0/0", "::/0')
    + 'secret_header = "X-Lock"\nsecret_file = "token"\n',
    "a header provider with a /24 and a unix socket": GOOD + HEADER.replace("10.0.0.5/32", '10.0.0.0/24", "unix'),
    "sessions of 30d": GOOD + SESSION + 'lifetime = "30d"\n' + SIGN_IN,
    "a short session with the default idle time": GOOD + SESSION + 'lifetime = "5m"\n' + SIGN_IN,
    "a drain as long as systemd allows": server('shutdown_delay = "20s"'),
    "a service key on its last day": GOOD
    + SERVICE_KEY.format("archive")
    + 'groups = ["supervisors"]\nexpires = 2027-07-01\n',
    "a rule by the client's address": grant('networks = ["10.0.0.0/8"]').replace(
        "[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n'
    ),
    "a rule by the address that a proxy states": grant('networks = ["10.0.0.0/8"]').replace(
        "[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
    ),
    "providers of two issuers": GOOD + SECOND.format("https://login.example.edu"),
    "providers of one issuer by two headers": GOOD
    + SECOND.format("https://sso.example.edu")
    + 'header = "Cf-Access-Jwt-Assertion"\n',
    "a rule that refuses, by redirect": grant('allow = false\ndelivery = "redirect"'),
    "a refusal that needs no details": grant('allow = false\nnetworks = ["10.0.0.0/8"]').replace(
        "[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n'
    )
    + TRAINEE,
    "a refusal with the account of the later rules": grant('allow = false\nrooms = ["Board room"]')
    + TRAINEE.replace('account = "trainee"', 'account = "reviewer"'),
    "a refusal with each account of the later rules": grant('allow = false\nrooms = ["Board room"]')
    + REFUSAL_AS_TRAINEE
    + RULE_AS_REVIEWER
    + TRAINEE,
    "a refusal with each account, with another order and unused keys": grant(
        'allow = false\nrooms = ["Lab", "Board room"]\ndelivery = "redirect"'
    )
    + REFUSAL_AS_TRAINEE.replace('["Board room"]', '["Board room", "Lab"]\ndownload = false')
    + RULE_AS_REVIEWER
    + TRAINEE,
    "a refusal with each account, before the rule of its account": grant('allow = false\nrooms = ["Board room"]')
    + RULE_AS_REVIEWER
    + REFUSAL_AS_TRAINEE
    + TRAINEE,
    "people of a provider, of none, and with number signs": GOOD.replace(
        'groups = ["supervisors"]', 'subjects = ["campus#anna", "anna_example.org#EXT#@example.com", "#1"]'
    ),
    "header providers of two proxies": GOOD + HEADER + HEADER.replace('"front"', '"second"').replace(".5/32", ".6/32"),
    "a rule on its last day": grant("valid_until = 2027-07-01"),
    "a help page with a query": GOOD + '[branding]\nhelp_url = "https://help.example.edu/?topic=video#start"\n',
}


def warnings(folder: Path, text: str) -> list[str]:
    private(folder / "token", "planted-token-that-nobody-guesses\n")
    private(folder / "gateway.toml", text)
    loaded = load(folder / "gateway.toml", {}, now=NOW)
    assert loaded.faults == ()
    return [str(warning) for warning in loaded.warnings]


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize("name", RISKY)
def test_a_risky_setting_is_a_warning_with_key_line_reason_and_remedy(tmp_path: Path, name: str) -> None:
    text, warning = RISKY[name]
    assert warnings(tmp_path, text) == [warning]


@pytest.mark.promise("security-S16")
@pytest.mark.parametrize(
    "refusal",
    [
        REFUSAL_AS_TRAINEE.replace("Board room", "Room 2"),
        REFUSAL_AS_TRAINEE.replace("supervisors", "guests"),
        REFUSAL_AS_TRAINEE + 'networks = ["10.0.0.0/8"]\n',
    ],
)
def test_a_refusal_of_something_else_does_not_replace_one_with_another_account(tmp_path: Path, refusal: str) -> None:
    text = grant('allow = false\nrooms = ["Board room"]') + refusal + RULE_AS_REVIEWER + TRAINEE
    keys = [warning.key for warning in load_text(tmp_path, text).warnings]
    assert [key for key in keys if key.endswith("account")] == ["grants.0.account", "grants.1.account"]


def test_the_same_refusal_after_the_rule_of_its_account_comes_too_late(tmp_path: Path) -> None:
    text = grant('allow = false\nrooms = ["Board room"]') + TRAINEE + REFUSAL_AS_TRAINEE + RULE_AS_REVIEWER
    keys = [warning.key for warning in load_text(tmp_path, text).warnings]
    assert "grants.0.account" in keys


@pytest.mark.parametrize("name", SAFE)
def test_a_safe_setting_is_no_warning(tmp_path: Path, name: str) -> None:
    assert warnings(tmp_path, SAFE[name]) == []


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "UTC", "Etc/GMT+12"])
@pytest.mark.parametrize(("last_day", "is_over"), [("2027-07-01", False), ("2027-06-30", True)])
def test_the_last_day_of_a_key_is_that_of_utc(tmp_path: Path, zone: str, last_day: str, is_over: bool) -> None:
    text = GOOD + SERVICE_KEY.format("archive") + f'groups = ["supervisors"]\nexpires = {last_day}\n'
    text = text.replace("[server]\n", f'[server]\ntimezone = "{zone}"\n')
    texts = warnings(tmp_path, text)
    assert any("the key archive is refused" in warning for warning in texts) == is_over


@pytest.mark.parametrize(("zone", "is_over"), [("Pacific/Kiritimati", True), ("UTC", False)])
def test_the_last_day_of_a_rule_is_that_of_the_configured_time_zone(tmp_path: Path, zone: str, is_over: bool) -> None:
    text = grant("valid_until = 2027-07-01").replace("[server]\n", f'[server]\ntimezone = "{zone}"\n')
    texts = warnings(tmp_path, text)
    assert any("the rule supervisors never matches" in warning for warning in texts) == is_over


@pytest.mark.promise("security-S16")
def test_an_inline_secret_in_a_world_readable_file_is_a_warning(tmp_path: Path) -> None:
    private(tmp_path / "gateway.toml", GOOD + SESSION)
    (tmp_path / "gateway.toml").chmod(0o644)

    loaded = load(tmp_path / "gateway.toml", {})

    assert loaded.settings is not None
    assert [(warning.key, warning.line, warning.reason) for warning in loaded.warnings] == [
        ("valt.accounts.reviewer.password", 9, "is in a configuration file that every user may read"),
        ("session.secret", 24, "is in a configuration file that every user may read"),
    ]
    assert "planted" not in repr(loaded.warnings)


def test_a_secret_from_elsewhere_in_a_world_readable_file_is_no_warning(tmp_path: Path) -> None:
    text = GOOD.replace('password = "planted-password"', 'password_env = "REVIEWER"') + "[session]\n"
    private(tmp_path / "gateway.toml", text)
    (tmp_path / "gateway.toml").chmod(0o644)
    environ = {"REVIEWER": "planted", "VALT_GATEWAY_SESSION__SECRET": "planted-secret-of-more-than-32-bytes"}

    loaded = load(tmp_path / "gateway.toml", environ)

    assert (loaded.faults, loaded.warnings) == ((), ())


def test_a_configuration_that_every_user_may_change_is_a_warning(tmp_path: Path) -> None:
    private(tmp_path / "gateway.toml", GOOD)
    (tmp_path / "gateway.toml").chmod(0o602)

    assert [warning.key for warning in load(tmp_path / "gateway.toml", {}).warnings] == ["gateway.toml"]


@pytest.mark.promise("operation-O15")
@pytest.mark.parametrize("zone", ["Nonsense", "Europe/Berlim", "+2", "posix/Nonsense", "zone.tab", ":+2"])
def test_an_unknown_time_zone_in_tz_is_a_fault(tmp_path: Path, zone: str) -> None:
    loaded = load_text(tmp_path, GOOD, {"TZ": zone})

    assert [str(fault) for fault in loaded.faults] == [
        "TZ: names no time zone of this system. Set it to an IANA name, or unset it."
    ]


@pytest.mark.parametrize(
    "zone",
    [
        *("", "UTC", "Europe/Berlin", ":Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3", "<+03>-3", "/etc/localtime"),
        *(":UTC0", ":CET-1CEST,M3.5.0,M10.5.0/3", "posix/Europe/Berlin"),
    ],
)
def test_a_time_zone_in_any_form_of_tzset_is_accepted(tmp_path: Path, zone: str) -> None:
    assert load_text(tmp_path, GOOD, {"TZ": zone}).faults == ()


@pytest.mark.promise("operation-O15")
def test_a_byte_order_mark_is_ignored_in_the_file_and_in_secrets(tmp_path: Path) -> None:
    private(tmp_path / "password", "\ufeffplanted\n")
    text = GOOD.replace('password = "planted-password"', 'password_file = "password"')

    loaded = load_text(tmp_path, f"\ufeff{text}")

    assert loaded.settings is not None
    assert loaded.settings.valt.accounts["reviewer"].password.reveal() == "planted"
