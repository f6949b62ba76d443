"""Values in the wrong place, secrets that are shared or easily guessed, and files that others may change."""

import hashlib
from pathlib import Path

import pytest

from gateway.settings.loading import load
from gateway.sockets import open_sockets
from tests.support.configuration import table
from tests.unit.settings.broken import HEADER, OIDC, SERVICE_KEY, STATE, TICKET, grant, identity, server, valt
from tests.unit.settings.configurations import GOOD, PORTAL_KEY, load_text, private, write_certificate, write_keytab

pytestmark = pytest.mark.promise("security-S16")

SHARED = grant("shared_with_me = true")
SECRET = "planted-0a1b2c3d4e5f6g7h8i9j0k-planted"
STATE_DIR = '\n[state]\ndir = "state"\n'
SECRETS = {
    "session.secret": f'[session]\nsecret = "{SECRET}"\n',
    "admin.token": f'[admin]\ntoken = "{SECRET}"\n',
    "state.secret": STATE.replace("planted secret of more than thirty-two bytes", SECRET),
    "identity.1.secret": HEADER + f'secret_header = "X-Lock"\nsecret = "{SECRET}"\n',
    "valt.accounts.trainee.password": f'[valt.accounts.trainee]\nusername = "t"\npassword = "{SECRET}"\n',
}
FAULTS = {
    "a URL of Redis as a directory": (GOOD + '[state]\ndir = "redis://valt:planted@redis"\n', "state.dir"),
    "a URL as the audit's file": (GOOD + '[audit]\nfile = "https://valt:planted@log"\n', "audit.file"),
    "a URL with nothing after ?": (GOOD.replace("valt.example.edu", "valt.example.edu?"), "valt.base_url"),
    "a URL with nothing after #": (
        GOOD.replace("recordings.example.edu", "recordings.example.edu#"),
        "server.public_url",
    ),
    "a URL with no port after :": (GOOD.replace("valt.example.edu", "valt.example.edu:"), "valt.base_url"),
    "a host with a final dot": (GOOD.replace("valt.example.edu", "valt.example.edu."), "valt.base_url"),
    "a port with a zero in front": (valt('media_hosts = ["media.example.edu:0443"]'), "valt.media_hosts.0"),
    "an interface in a URL": (GOOD.replace("valt.example.edu", "[fe80::1%25eth0]"), "valt.base_url"),
    "an interface in a network": (server('trusted_proxies = ["fe80::1%eth0"]'), "server.trusted_proxies.0"),
    "a discovery document as the issuer": (
        GOOD.replace("sso.example.edu", "sso.example.edu/.well-known/openid-configuration"),
        "identity.0.issuer",
    ),
    "one unix socket in two spellings": (
        server('listen = "unix:run/x"') + '[admin]\nlisten = "unix:run/more/../x"\n',
        "admin.listen",
    ),
    "a link-local address without its interface": (server('listen = "[fe80::1]:8080"'), "server.listen"),
    "a link-local address of the admin listener": (GOOD + '[admin]\nlisten = "[fe80::1]:9464"\n', "admin.listen"),
    "a multicast address to listen on": (server('listen = "[ff02::1]:8080"'), "server.listen"),
    **{
        f"{one} besides {other}": (server(f'listen = "{one}"') + f'[admin]\nlisten = "{other}"\n', "admin.listen")
        for one, other in (
            ("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080"),
            ("[0:0:0:0:0:0:0:1]:8080", "[::1]:8080"),
            ("[fd00::0:9]:8080", "[FD00::9]:8080"),
        )
    },
    "a number as a secret's file": (
        GOOD.replace('password = "planted-password"', "password_file = 7"),
        "valt.accounts.reviewer.password_file",
    ),
    "no address as a network": (grant('networks = ["0.0.0.0"]'), "grants.0.networks.0"),
    "an address of groups as a proxy": (server('trusted_proxies = ["224.0.0.1"]'), "server.trusted_proxies.0"),
    "a header that browsers set": (
        GOOD + HEADER + 'subject_header = "Upgrade-Insecure-Requests"\n',
        "identity.1.subject_header",
    ),
    "an example with a glob": (
        GOOD + '[[examples]]\nsubject = "anna"\nrecording = "*"\nallowed = false\n',
        "examples.0.recording",
    ),
    "text after an address in brackets": (GOOD.replace("valt.example.edu", "[::1]x"), "valt.base_url"),
    "text before an address in brackets": (GOOD.replace("valt.example.edu", "x[::1]"), "valt.base_url"),
    "a name in brackets": (valt('media_hosts = ["[media]:80"]'), "valt.media_hosts.0"),
    "a future address in brackets": (GOOD.replace("valt.example.edu", "[v1.a]"), "valt.base_url"),
    "a dotted key of no table": (f"a.b.c = 1\n{GOOD}", "a"),
    "a table without a name": (f'{GOOD}[""]\nx = 1\n', '""'),
    "text for true": (identity('require_verified_email = "no"'), "identity.0.require_verified_email"),
    "0 for false": (identity("require_verified_email = 0"), "identity.0.require_verified_email"),
    "a number that is too large for times": (
        GOOD + f"[limits]\nrequests_per_minute = 1{'0' * 400}\n",
        "limits.requests_per_minute",
    ),
    **{
        f"{claim} as the groups of {kind}": (text, f"identity.{number}.groups_claim")
        for claim, kind, text, number in (
            ("sub", "tokens", identity('groups_claim = "sub"'), 0),
            ("email", "tokens", identity('subject_claim = "email"\ngroups_claim = "email"'), 0),
            ("sub", "tickets", GOOD + TICKET + 'groups_claim = "sub"\n', 1),
            ("sub", "a sign-in", GOOD + OIDC + 'groups_claim = "sub"\n', 1),
        )
    },
    **{
        f"the header of tokens as {key}": (
            identity('header = "X-Proof"') + HEADER + f'{key} = "x-proof"\n{more}',
            f"identity.1.{key}",
        )
        for key, more in (("subject_header", ""), ("groups_header", ""), ("secret_header", f'secret = "{SECRET}"\n'))
    },
    **{
        f"{host} as a host of Redis": (GOOD + STATE.replace("127.0.0.1", host), "state.url")
        for host in ("..", "[:::::]", "-", "999.1.1.1", "10.0.0", "redis.")
    },
    **{
        f"{separator} between groups": (
            GOOD + HEADER + f'groups_separator = "{separator}"\n',
            "identity.1.groups_separator",
        )
        for separator in ("€", "·", "x")
    },
    "a table that is written as an array": (GOOD + '[[log]]\nlevel = "info"\n', "log"),
}
WARNINGS = {
    **{
        f"{table}.{key} beyond {bound}": (GOOD + f"[{table}]\n{key} = {large}\n{bound} = {small}\n", f"{table}.{key}")
        for table, key, bound, large, small in (
            ("limits", "streams_per_person", "streams", 20, 10),
            ("limits", "streams_per_address", "streams", 20, 10),
            ("limits", "streams", "connections", 2000, 100),
            ("streams", "upstream_idle", "viewer_idle", '"2m"', '"1m"'),
            ("links", "margin", "min_life", '"10m"', '"5m"'),
        )
    },
    "two groups in one text": (GOOD.replace('["supervisors"]', '["supervisors, trainees"]'), "grants.0.groups"),
    "two people in one text": (grant('subjects = ["anna@example.edu,carl@example.edu"]'), "grants.0.subjects"),
    "a service key that no rule allows anything": (
        GOOD + SERVICE_KEY.format("archive") + 'groups = ["archiv"]\n',
        "service_keys.0.groups",
    ),
    **{
        f"{group} among the groups of a service key": (
            GOOD + SERVICE_KEY.format("archive") + f'groups = ["supervisors", "{group}"]\n',
            "service_keys.0.groups",
        )
        for group in (
            "campus#supervisors",
            "staff,trainees",
            "staff*",
            "Campus#supervisors",
            "jwt#staff",
            "!staff",
            "<staff>",
            "'staff'",
        )
    },
    "rights of a unix socket that is not made": (server('socket_mode = "0600"'), "server.socket_mode"),
    "an audience with a wildcard": (GOOD.replace("valt-gateway", "*"), "identity.0.audience"),
    "a directory with a space at its end": (GOOD + '[state]\ndir = "state "\n', "state.dir"),
    "a condition that only nothing matches": (GOOD + 'rooms = [""]\n', "grants.0.rooms.0"),
    "a person with a provider where none is": (SHARED + '[valt.people]\n"campus#anna" = 7\n', "valt.people"),
    "a group with a provider where none is": (SHARED + '[valt.groups]\n"campus#staff" = 7\n', "valt.groups"),
    "two people of VALT in one name": (SHARED + '[valt.people]\n"a@x.edu, b@x.edu" = 7\n', "valt.people"),
    **{
        f"two groups of VALT in one name, by {sign}": (SHARED + f'[valt.groups]\n"staff{sign}ta" = 7\n', "valt.groups")
        for sign in (",", ";", "|", ", ")
    },
    "a group of VALT with a wildcard": (SHARED + '[valt.groups]\n"psy*" = 7\n', "valt.groups"),
    "an example's group with a wildcard": (
        GOOD + '[[examples]]\nsubject = "anna"\ngroups = ["psy*"]\nrecording = "1"\nallowed = false\n',
        "examples.0.groups",
    ),
    "the gateway's own address as another site": (
        server('cors_origins = ["https://recordings.example.edu"]'),
        "server.cors_origins",
    ),
    "a service key that does not exist": (GOOD + 'subjects = ["service_key#archive"]\n', "grants.0.subjects"),
    "an example of everybody": (
        GOOD + '[[examples]]\nsubject = "*"\nrecording = "1"\nallowed = false\n',
        "examples.0.subject",
    ),
    "a secret that repeats a word": (GOOD + f'[session]\nsecret = "{"changeme" * 4}"\n', "session.secret"),
    "a portal's secret of one letter": (
        GOOD + TICKET.partition("public_key")[0] + f'algorithms = ["HS256"]\nsecret = "{"a" * 40}"\n' + STATE_DIR,
        "identity.1.secret",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_value_of_another_kind_is_a_fault_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = FAULTS[name]
    loaded = load_text(tmp_path, text)
    assert [fault.key for fault in loaded.faults] == [key]
    assert all(fault.line and fault.reason and fault.remedy for fault in loaded.faults)
    assert "planted" not in repr(loaded)


@pytest.mark.parametrize("name", WARNINGS)
def test_a_value_that_does_less_than_it_seems_is_a_warning(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]


COURSE = 'template = { Course = "PSY 512" }'
EXAMPLE = """
[[examples]]
subject = "anna"
groups = ["supervisors"]
recording = "17"
template = { %s = "PSY 512" }
allowed = true
"""


@pytest.mark.parametrize(("field", "is_other"), [("course", True), ("Course", False), ("Term", False)])
def test_a_field_of_a_template_in_two_spellings_is_a_warning(tmp_path: Path, field: str, is_other: bool) -> None:
    rule = table("[[grants]]", name="a", account="reviewer", recordings=["*"], groups=["a"], template={field: "x"})
    loaded = load_text(tmp_path, GOOD + COURSE + EXAMPLE % field + rule)
    assert loaded.faults == ()
    expected = [f"examples.0.template.{field}", f"grants.1.template.{field}"] if is_other else []
    assert sorted(warning.key for warning in loaded.warnings) == expected
    assert all(warning.line and warning.remedy for warning in loaded.warnings)


def by_field(name: str, allow: bool, **template: str) -> str:
    """Returns a rule for everybody with a condition on *template*."""
    who = {"subjects": ["*"], "recordings": ["*"], "account": "reviewer"}
    return table("[[grants]]", name=name, allow=allow, **who, template=template)


WITHDRAWN = by_field("one", False, Consent="withdrawn")
OTHER = by_field("two", False, consent="withdrawn")
GIVEN = by_field("given", True, consent="given")
PENDING = by_field("pending", False, Consent="pending")
ANY, ANY_OTHER = by_field("any", True, Consent="*"), by_field("any-other", True, consent="*")
BOTH = by_field("both", False, Consent="withdrawn", consent="withdrawn")
COURSES = [by_field(one, True, **{one: "x", f"{one} Term": "1"}) for one in ("Course", "course")]
EXAMPLES = [EXAMPLE.replace("template = { %s", f"template = {{ {one}") for one in ("Consent", "consent", "CONSENT")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WITHDRAWN + OTHER, []),
        (WITHDRAWN + OTHER + GIVEN + EXAMPLES[0] + EXAMPLES[1], []),
        (WITHDRAWN + OTHER + EXAMPLES[2], ["examples.0.template.CONSENT"]),
        (WITHDRAWN + GIVEN, ["grants.2.template.consent"]),
        (WITHDRAWN + OTHER + PENDING + GIVEN, ["grants.2.template.consent", "grants.4.template.consent"]),
        (WITHDRAWN + OTHER + PENDING + EXAMPLES[1], ["grants.2.template.consent", "examples.0.template.consent"]),
        (WITHDRAWN + ANY + ANY_OTHER, ["grants.3.template.consent"]),
        (GIVEN + ANY + ANY_OTHER, []),
        (WITHDRAWN + OTHER.replace('"*"', '"anna"', 1), ["grants.2.template.consent"]),
        (WITHDRAWN + OTHER.replace("withdrawn", "Withdrawn"), ["grants.2.template.consent"]),
        (BOTH, ["grants.1.template.consent"]),
        (WITHDRAWN + OTHER + COURSES[0] + COURSES[1], []),
    ],
)
def test_a_rule_that_is_repeated_with_a_field_in_the_other_spelling_is_no_warning(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    loaded = load_text(tmp_path, GOOD + text)
    assert loaded.faults == ()
    warnings = [warning for warning in loaded.warnings if ".template." in warning.key]
    assert [warning.key for warning in warnings] == expected
    assert all("repeat each rule that refuses by it" in warning.remedy for warning in warnings)


@pytest.mark.parametrize(
    "rule",
    [
        grant('subjects = ["service_key#archive"]'),
        grant('subjects = ["archive"]'),
        GOOD.replace('groups = ["supervisors"]', 'subjects = ["*"]'),
        GOOD.replace('["supervisors"]', '["CN=Psy, OU=Groups"]'),
        grant('subjects = ["Doe, John"]'),
    ],
)
def test_what_a_rule_names_is_no_warning(tmp_path: Path, rule: str) -> None:
    key = SERVICE_KEY.format("archive") if "subjects" in rule else ""
    more = 'groups = ["supervisors"]\n' if "John" in rule else ""
    loaded = load_text(tmp_path, rule + key + more)
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize(("one", "other"), [(a, b) for a in SECRETS for b in SECRETS if a < b])
def test_one_secret_with_two_purposes_is_a_warning(tmp_path: Path, one: str, other: str) -> None:
    loaded = load_text(tmp_path, GOOD + SECRETS[one] + SECRETS[other])
    assert loaded.faults == ()
    same = [warning for warning in loaded.warnings if warning.reason.startswith("is the same as")]
    assert [warning.key in (one, other) for warning in same] == [True]
    assert "planted" not in repr(loaded)
    assert not any("is the same" in warning.reason for warning in load_text(tmp_path, GOOD + SECRETS[one]).warnings)


@pytest.mark.parametrize("name", [name for name in SECRETS if name != "valt.accounts.trainee.password"])
def test_a_secret_that_is_a_service_key_too_is_a_warning(tmp_path: Path, name: str) -> None:
    key = SERVICE_KEY.format("archive").replace("0" * 64, hashlib.sha256(SECRET.encode()).hexdigest())
    loaded = load_text(tmp_path, GOOD + SECRETS[name] + key)
    same = [warning for warning in loaded.warnings if warning.reason.startswith("is the hash of")]
    assert [warning.key for warning in same] == ["service_keys.0.secret_sha256"]
    assert "planted" not in repr(loaded)


def test_the_password_of_redis_as_the_secret_of_the_replicas_is_a_warning(tmp_path: Path) -> None:
    text = STATE.replace("valt:planted@", f"valt:{SECRET}@").replace(
        "planted secret of more than thirty-two bytes", SECRET
    )
    loaded = load_text(tmp_path, GOOD + text)
    assert [warning.key for warning in loaded.warnings if warning.reason.startswith("is the same as")] == ["state.url"]


def test_a_secret_that_repeats_in_a_file_is_one_warning(tmp_path: Path) -> None:
    private(tmp_path / "secrets", "a" * 40 + "\n" + "b" * 40 + "\n")
    warnings = load_text(tmp_path, GOOD + '[session]\nsecrets_file = "secrets"\n').warnings
    assert [warning.key for warning in warnings] == ["session.secret"]


@pytest.mark.parametrize("secret", ["server.tls_key_file", "audit.chain_key_file", "identity.1.keytab_file"])
def test_every_secret_file_that_others_may_read_is_a_warning(tmp_path: Path, secret: str) -> None:
    paths = write_files(tmp_path)
    assert findings(tmp_path) == []
    paths[secret].chmod(0o604)
    assert findings(tmp_path) == [secret]


def test_every_file_that_others_may_change_is_a_warning(tmp_path: Path) -> None:
    paths = write_files(tmp_path)
    for key, path in paths.items():
        mode = path.stat().st_mode
        path.chmod(mode | 0o002)
        assert findings(tmp_path) == [key]
        path.chmod(mode)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": ' + "[" * 30_000,
        '{"kty": ' + "9" * 6000 + "}",
        *(
            f'{{"kty": "OKP", "crv": "Ed25519", "x": "{"A" * 43}", {field}}}'
            for field in ('"key_ops": 5', '"use": ["sig"]')
        ),
        *(f'{{"kty": {value}, "crv": {value}, "x": {value}}}' for value in ("5", "null", "[]", "{}", '"OKP"')),
    ],
    ids=range(9),
)
def test_a_portals_key_of_other_types_is_a_fault(tmp_path: Path, text: str) -> None:
    private(tmp_path / "portal.jwk", text)
    portal = TICKET.partition("public_key")[0] + 'public_key_files = ["portal.jwk"]\n'
    assert [fault.key for fault in load_text(tmp_path, GOOD + portal).faults] == ["identity.1.public_key_files.0"]


def test_a_keytab_that_ends_too_early_is_a_fault(tmp_path: Path) -> None:
    paths = write_files(tmp_path)
    path = paths["identity.1.keytab_file"]
    whole = path.read_bytes()
    for length in range(3, len(whole)):
        path.write_bytes(whole[:length])
        (fault,) = load(tmp_path / "gateway.toml", {}, check_files=True).faults
        assert fault.key == "identity.1.keytab_file"


@pytest.mark.parametrize("begin", ["", "<script>", "\x89PNG"])
def test_a_logo_that_is_no_image_of_its_name_is_a_fault(tmp_path: Path, begin: str) -> None:
    private(tmp_path / "logo.svg", begin)
    (fault,) = load_text(tmp_path, GOOD + '[branding]\nlogo_file = "logo.svg"\n').faults
    assert fault.key == "branding.logo_file"
    private(tmp_path / "logo.svg", "\n<svg/>" + begin)
    assert load_text(tmp_path, GOOD + '[branding]\nlogo_file = "logo.svg"\n').faults == ()


@pytest.mark.parametrize(("content", "reason"), [("\n" * 64, "less than 32"), ("x" * 70_000, "more than 65536")])
def test_a_key_of_the_audits_chain_has_a_keys_length(tmp_path: Path, content: str, reason: str) -> None:
    private(tmp_path / "chain", content)
    (fault,) = load_text(tmp_path, GOOD + '[audit]\nchain_key_file = "chain"\n').faults
    assert (fault.key, reason in fault.reason) == ("audit.chain_key_file", True)


def test_a_key_of_the_audits_chain_that_can_be_guessed_is_a_warning(tmp_path: Path) -> None:
    paths = write_files(tmp_path)
    private(paths["audit.chain_key_file"], "\0" * 64)
    assert findings(tmp_path) == ["audit.chain_key_file"]


@pytest.mark.parametrize(
    "content", ["\0" * 64, "planted-session-secret-of-more-than-32-bytes\n", "ssh-ed25519 " + "A" * 68]
)
def test_a_remedy_for_a_key_of_the_audits_chain_keeps_the_old_one(tmp_path: Path, content: str) -> None:
    paths = write_files(tmp_path)
    private(paths["audit.chain_key_file"], content)
    (warning,) = load(tmp_path / "gateway.toml", {}, check_files=True).warnings
    assert "in another file, for a new audit.file" in warning.remedy
    assert "keep this one" in warning.remedy


def test_a_key_of_the_audits_chain_that_is_another_secret_is_a_warning(tmp_path: Path) -> None:
    paths = write_files(tmp_path)
    private(paths["audit.chain_key_file"], "planted-session-secret-of-more-than-32-bytes\n")
    assert findings(tmp_path) == ["audit.chain_key_file"]


@pytest.mark.parametrize("key", ["state.dir", "audit.file"])
def test_a_link_to_nothing_is_a_fault_before_the_start(tmp_path: Path, key: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "none" / "none")
    table, _, name = key.partition(".")
    private(tmp_path / "gateway.toml", f'{GOOD}[{table}]\n{name} = "link"\n')
    assert [fault.key for fault in load(tmp_path / "gateway.toml", {}, check_files=True).faults] == [key]


async def test_a_host_to_listen_on_that_has_no_address_is_named() -> None:
    with pytest.raises(OSError, match=r"cannot listen on none\.invalid:0: "):
        await open_sockets("none.invalid:0", 0o600, {})


def test_a_configuration_without_end_is_a_fault(tmp_path: Path) -> None:
    assert [fault.key for fault in load(Path("/dev/zero"), {}).faults] == ["zero"]


def test_a_time_zones_file_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    assert [fault.key for fault in load_text(tmp_path, GOOD, {"TZ": ":/none/zone"}).faults] == ["TZ"]
    (tmp_path / "zone").write_bytes(b"TZif2")
    assert load_text(tmp_path, GOOD, {"TZ": f":{tmp_path}/zone"}).faults == ()


def test_a_realm_in_other_letters_than_the_keytabs_is_a_warning(tmp_path: Path) -> None:
    write_files(tmp_path)
    path = tmp_path / "gateway.toml"
    private(path, path.read_text().replace('realms = ["EXAMPLE.EDU"]', 'realms = ["Example.edu"]'))
    assert findings(tmp_path) == ["identity.1.realms"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VALT_GATEWAY_SRVER__LISTEN", "127.0.0.1:8080"),
        ("VALT_GATEWAY_LOG__LEVEL__NAME", "info"),
        ("VALT_GATEWAY_VALT__PEOPLE", '{"anna": "asmith", "anna": "bjones"}'),
    ],
)
def test_a_fault_that_a_variable_causes_has_its_name(tmp_path: Path, name: str, value: str) -> None:
    assert [fault.key for fault in load_text(tmp_path, GOOD, {name: value}).faults] == [name]


def test_a_variable_of_a_whole_table_is_a_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, GOOD, {"VALT_GATEWAY_GRANTS": "[]", "VALT_GATEWAY_PORT": "tcp://10.0.0.1:80"})
    assert [warning.key for warning in loaded.warnings] == ["VALT_GATEWAY_GRANTS"]


def test_all_of_loopback_is_no_wide_network(tmp_path: Path) -> None:
    assert load_text(tmp_path, server('trusted_proxies = ["127.0.0.0/8"]')).warnings == ()
    assert len(load_text(tmp_path, server('trusted_proxies = ["10.0.0.0/8"]')).warnings) == 1


def write_files(folder: Path) -> dict[str, Path]:
    """Writes a configuration with every kind of file, and returns the files by key."""
    paths = {
        "server.tls_cert_file": folder / "tls.pem",
        "server.tls_key_file": folder / "tls.key",
        "valt.ca_file": folder / "ca.pem",
        "identity.1.keytab_file": folder / "http.keytab",
        "identity.2.public_key_file": folder / "portal.pub",
        "state.dir": folder / "state",
        "audit.file": folder / "audit.jsonl",
        "audit.chain_key_file": folder / "chain",
    }
    write_certificate(paths["server.tls_cert_file"], paths["server.tls_key_file"])
    write_keytab(folder, "HTTP/recordings.example.edu@EXAMPLE.EDU")
    paths["valt.ca_file"].write_bytes(paths["server.tls_cert_file"].read_bytes())
    private(paths["identity.2.public_key_file"], PORTAL_KEY)
    private(paths["audit.chain_key_file"], SECRET)
    private(paths["audit.file"], "")
    paths["state.dir"].mkdir()
    negotiate = (
        '\n[[identity]]\ntype = "negotiate"\nname = "domain"\nkeytab_file = "http.keytab"\n'
        'service = "HTTP@recordings.example.edu"\nrealms = ["EXAMPLE.EDU"]\n'
    )
    portal = TICKET.partition("[[")[2].partition("public_key")[0] + 'public_key_file = "portal.pub"\n'
    text = server('tls_cert_file = "tls.pem"\ntls_key_file = "tls.key"').replace("[valt]", '[valt]\nca_file = "ca.pem"')
    outputs = '\n[audit]\nfile = "audit.jsonl"\nchain_key_file = "chain"\n'
    session = OIDC.partition("[[")[0]
    private(folder / "gateway.toml", f"{text}{session}{negotiate}\n[[{portal}{STATE_DIR}{outputs}")
    return paths


def findings(folder: Path) -> list[str]:
    loaded = load(folder / "gateway.toml", {}, check_files=True)
    assert loaded.faults == ()
    return [warning.key for warning in loaded.warnings]


@pytest.mark.parametrize(("admin", "is_fault"), [("link/s", True), ("link/../run/s", True), ("link/other", False)])
def test_one_socket_by_two_links_is_a_fault(tmp_path: Path, admin: str, is_fault: bool) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    private(tmp_path / "gateway.toml", server('listen = "unix:run/s"') + f'[admin]\nlisten = "unix:{admin}"\n')
    faults = load(tmp_path / "gateway.toml", {}, check_files=True).faults
    assert [fault.key for fault in faults] == ["admin.listen"] * is_fault
