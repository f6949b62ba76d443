"""Globs, paths, secrets and tables written as another program wants them; each has a neighbour that is right."""

import os
from pathlib import Path

import pytest

from gateway.settings.loading import load
from tests.unit.settings.broken import HEADER, STATE, TICKET, grant, server
from tests.unit.settings.configurations import GOOD, PORTAL_KEY, load_text, private, write_certificate

pytestmark = pytest.mark.promise("security-S16")

SECRET = "planted-0a1b2c3d4e5f6g7h8i9j0k-planted"
WARNINGS = {
    "a password in quotes": (
        GOOD.replace('"planted-password"', """'"planted-password"'"""),
        "valt.accounts.reviewer.password",
    ),
    **{
        f"a secret that begins with {begin}": (GOOD + f'[admin]\ntoken = "{begin}{SECRET}"\n', "admin.token")
        for begin in ("Bearer ", "ADMIN_TOKEN=", "export valt_password = ")
    },
    **{
        f"a path with {part}": (GOOD + f'[audit]\nfile = "audit-{part}.jsonl"\n', "audit.file")
        for part in ("%Y-%m-%d", "{worker}", "{}")
    },
    **{
        f"{glob} as a glob of {key}": (grant(f"{key} = ['{glob}']"), f"grants.0.{key}")
        for key, glob in (
            *(("rooms", "^Room 3"), ("rooms", ".*Room"), ("rooms", "Room [^0-9]*")),
            *(("names", ".+"), ("names", r"S\d+"), ("names", r"\d\d.05"), ("authors", "{anna,carl}")),
            *(("authors", "anna|carl"), ("authors", "anna, carl"), ("authors", "anna;carl")),
        )
    },
    **{
        f"{word} as the audit": (GOOD + f'[audit]\nfile = "{word}"\n', "audit.file")
        for word in ("off", "none", "/var/log/syslog", "/dev/stdout", "Journal")
    },
    "a state in memory": (GOOD + '[state]\ndir = ":memory:"\n', "state.dir"),
    "a state in a directory in memory": (GOOD + '[state]\ndir = "/run/valt-gateway"\n', "state.dir"),
    "an audit in a directory in memory": (GOOD + '[audit]\nfile = "/dev/shm/audit.jsonl"\n', "audit.file"),
    **{
        f"{timeout} seconds for Redis": (
            GOOD + STATE.replace("127.0.0.1", f"127.0.0.1?socket_timeout={timeout}"),
            "state.url",
        )
        for timeout in (500, 0.001)
    },
    **{
        f"{begin} as a secret": (GOOD + f'[session]\nsecret = "{begin}{SECRET}"\n', "session.secret")
        for begin in ("-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "ssh-ed25519 ")
    },
    **{
        f"{text} as a password": (GOOD.replace("planted-password", text), "valt.accounts.reviewer.password")
        for text in (
            "${VALT_PASSWORD}",
            "{{ vault_password }}",
            "/run/secrets/valt",
            "op://valt/svc",
            "vault:kv/valt#pw",
        )
    },
    **{
        f"a placeholder in {key}": (GOOD.replace(old, f"{old}{{{{x}}}}"), key)
        for key, old in (
            ("valt.accounts.reviewer.username", "svc-reviewer"),
            ("identity.0.audience", '"valt-gateway'),
            ("grants.0.groups", '["supervisors'),
        )
    },
    "a placeholder in a room": (grant('rooms = ["${ROOM}"]'), "grants.0.rooms.0"),
    "standard error by its number": (GOOD + '[audit]\nfile = "/dev/fd/2"\n', "audit.file"),
    "a time zone with the sign of ISO 8601": (server('timezone = "Etc/GMT+2"'), "server.timezone"),
    "markup in a notice": (GOOD + '[branding]\nnotice = "This is <b>recorded</b>."\n', "branding.notice"),
    "an entity in a title": (GOOD + '[branding]\nname = "Speech &amp; Hearing"\n', "branding.name"),
    "ids that begin otherwise": (GOOD.replace('["*"]', '["[^1]*"]'), "grants.0.recordings"),
    "an expression as a template's glob": (grant("template = { course = '^PSY' }"), "grants.0.template.course"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_a_value_in_another_notation_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    private(tmp_path / "gateway.toml", text)
    loaded = load(tmp_path / "gateway.toml", {}, check_files=True)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]
    assert "planted" not in repr(loaded)


@pytest.mark.parametrize(
    "text",
    [
        grant('rooms = ["Room 3*", "Room [A-C]", "Room [!0-9]*", "a.b (c) $5", "{x}", "Dr.*", "1.?"]'),
        grant("authors = ['CAMPUS\\dave', 'CAMPUS\\s*']\ntemplate = { course = '6.*' }"),
        GOOD.replace('["*"]', '["[!1]*"]'),
        GOOD + '[audit]\nfile = "off.jsonl"\n[state]\ndir = "run"\n',
        GOOD + STATE.replace("127.0.0.1", "127.0.0.1?socket_timeout=5"),
        server('timezone = "Etc/GMT"'),
        GOOD + '[branding]\nname = "Speech & Hearing; R&D; Lab"\nnotice = "5 < 6 > 4, a<b and c>d, <av@a.de>."\n',
        GOOD + '[audit]\nfile = "100% M%C3%BCller {3F25-04E0}.jsonl"\n',
        GOOD + HEADER + f'secret_header = "Authorization"\nsecret = "Bearer {SECRET}"\n',
        GOOD.replace("planted-password", "Monkey=1x"),
        GOOD.replace("planted-password", "/9j/4AAQSkZJRg"),
        GOOD.replace("planted-password", "planted$word{1}"),
        grant('rooms = ["$5 {x}"]'),
        GOOD.replace("planted-password", "ABC123=="),
        GOOD.replace("planted-password", "it's 'planted'!"),
    ],
)
def test_a_text_that_is_meant_as_it_stands_is_no_warning(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text)
    assert (loaded.faults, loaded.warnings) == ((), ())


def test_a_text_before_a_portals_key_is_no_warning(tmp_path: Path) -> None:
    (tmp_path / "portal.pub").write_text(f"The portal's key\n{PORTAL_KEY}")
    portal = TICKET.replace("public_key = ", "public_key_file = 'portal.pub' # ") + '\n[state]\ndir = "state"\n'
    loaded = load_text(tmp_path, GOOD + portal)
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize(
    ("text", "key", "table"),
    [
        (f"workers = 2\n{GOOD}", "workers", "server"),
        (f"{GOOD}[admin]\nworkers = 2\n", "admin.workers", "server"),
        (f"{GOOD}[streams]\nstreams = 2\n", "streams.streams", "limits"),
        (f'{GOOD}[audit]\nlevel = "debug"\n', "audit.level", "log"),
        (server('networks = ["10.0.0.0/8"]'), "server.networks", "[grants]"),
        (f"{GOOD}{HEADER}trusted_proxies = []\n", "identity.1.trusted_proxies", "server"),
        (f'{GOOD}[people]\nanna = "asmith"\n', "people", "valt"),
        (f'{GOOD}[accounts.trainee]\nusername = "t"\npassword = "planted"\n', "accounts", "valt"),
    ],
)
def test_a_key_outside_its_table_is_a_fault_that_names_the_table(
    tmp_path: Path, text: str, key: str, table: str
) -> None:
    (fault,) = load_text(tmp_path, text).faults
    assert (fault.key, fault.remedy) == (key, f"does it belong in [{table}]?")
    assert "planted" not in str(fault)


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        (
            GOOD.replace("password = ", 'read_timeout = "10s"\npassword = '),
            "valt.accounts.reviewer.read_timeout",
            "it belongs in [valt], above [valt.accounts.reviewer]",
        ),
        (GOOD + "[server.limits]\nstreams = 2\n", "server.limits", "write it as a table of its own, [limits]"),
        (GOOD + "[[valt.grants]]\nname = 'x'\n", "valt.grants", "write it as a table of its own, [[grants]]"),
        (GOOD.replace("[[grants]]", "[grants]"), "grants", "write it as [[grants]]"),
        (
            GOOD.replace("[valt.accounts.reviewer]", "[[valt.accounts]]"),
            "valt.accounts",
            "write each account as [valt.accounts.NAME]",
        ),
        (
            GOOD.replace("[valt.accounts.reviewer]", "[valt.reviewer]"),
            "valt.reviewer",
            "write an account as [valt.accounts.reviewer], or remove it",
        ),
        (server('publik_url = "x"'), "server.publik_url", "did you mean public_url?"),
    ],
)
def test_a_table_or_key_at_the_wrong_level_is_a_fault_with_its_place(
    tmp_path: Path, text: str, key: str, remedy: str
) -> None:
    fault = load_text(tmp_path, text).faults[0]
    assert (fault.key, fault.remedy) == (key, remedy)


@pytest.mark.parametrize("listen", ["unix:@valt", "unix:/run/x.sock:", "unix:/run/valt-gateway/"])
@pytest.mark.parametrize("table", ["server", "admin"])
def test_what_is_no_path_of_a_socket_is_a_fault(tmp_path: Path, table: str, listen: str) -> None:
    text = server(f'listen = "{listen}"') if table == "server" else GOOD + f'[admin]\nlisten = "{listen}"\n'
    (fault,) = load_text(tmp_path, text).faults
    assert (fault.key, fault.reason) == (f"{table}.listen", "is not an address to listen on")


@pytest.mark.parametrize(("workers", "keys"), [("1", []), ("2", ["audit.file"]), ('"auto"', ["audit.file"])])
def test_a_pipe_to_which_no_worker_writes_is_a_warning(tmp_path: Path, workers: str, keys: list[str]) -> None:
    os.mkfifo(tmp_path / "audit.pipe", 0o600)
    private(tmp_path / "gateway.toml", server(f"workers = {workers}") + '[audit]\nfile = "audit.pipe"\n')
    loaded = load(tmp_path / "gateway.toml", {}, check_files=True)
    assert (loaded.faults, [warning.key for warning in loaded.warnings]) == ((), keys)


def test_a_missing_credential_of_systemd_has_the_units_line_as_its_remedy(tmp_path: Path) -> None:
    name = "/run/credentials/valt-gateway.service/valt-reviewer"
    (fault,) = load_text(tmp_path, GOOD.replace('password = "planted-password"', f'password_file = "{name}"')).faults
    assert fault.key == "valt.accounts.reviewer.password_file"
    assert fault.remedy.startswith("add LoadCredential=valt-reviewer:FILE to valt-gateway.service and restart it")


@pytest.mark.parametrize(
    ("file", "reason", "remedy"),
    [
        ("${CREDENTIALS_DIRECTORY}/valt", "cannot be read", "write the whole path"),
        ("%d/valt", "cannot be read", "write the whole path"),
        ("~/valt", "cannot be read", "write the whole path"),
        ("50%25/valt", "cannot be read", "create it, readable for the gateway"),
        ("missing", "cannot be read", "create it, readable for the gateway"),
        ("random", "is not text", "save it as UTF-8, and random bytes as base64"),
        ("folder", "cannot be read: Is a directory", "name a file in it"),
    ],
)
def test_a_secret_that_cannot_be_read_has_the_remedy_of_its_cause(
    tmp_path: Path, file: str, reason: str, remedy: str
) -> None:
    (tmp_path / "random").write_bytes(bytes(range(128, 160)))
    (tmp_path / "folder").mkdir()
    (fault,) = load_text(tmp_path, GOOD.replace('password = "planted-password"', f'password_file = "{file}"')).faults
    assert (fault.key, reason in fault.reason) == ("valt.accounts.reviewer.password_file", True)
    assert fault.remedy.startswith(remedy)


@pytest.mark.parametrize(("environ", "why"), [({}, "not set"), ({"P": ""}, "empty"), ({"P": " "}, "empty")])
def test_an_empty_variable_is_not_called_unset(tmp_path: Path, environ: dict[str, str], why: str) -> None:
    text = GOOD.replace('password = "planted-password"', 'password_env = "P"')
    (fault,) = load_text(tmp_path, text, environ).faults
    assert fault.reason == f"names an environment variable that is {why}"


def test_the_remedy_of_a_variable_has_no_quotes_which_would_be_part_of_its_value(tmp_path: Path) -> None:
    (fault,) = load_text(tmp_path, GOOD, {"VALT_GATEWAY_SERVER__DRAIN_TIMEOUT": "30"}).faults
    assert fault.remedy == "write a number and a unit: 30s, 5m, 8h or 90d"
    (fault,) = load_text(tmp_path, server("drain_timeout = 30")).faults
    assert fault.remedy == 'write a number and a unit in quotes: "30s", "5m", "8h" or "90d"'


def test_a_portals_public_key_as_the_key_of_the_chain_is_not_called_a_private_one(tmp_path: Path) -> None:
    private(tmp_path / "portal.pub", PORTAL_KEY)
    ticket = '[[identity]]\ntype = "ticket"\nname = "portal"\nissuer = "https://portal.example.edu"\n'
    text = f'{GOOD}{ticket}public_key_file = "portal.pub"\n[session]\nsecret = "{SECRET}"\n[state]\ndir = "s"\n'
    private(tmp_path / "gateway.toml", f'{text}[audit]\nfile = "a.jsonl"\nchain_key_file = "portal.pub"\n')
    loaded = load(tmp_path / "gateway.toml", {}, check_files=True)
    assert loaded.faults == ()
    assert {warning.key for warning in loaded.warnings} == {"audit.chain_key_file"}


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('shutdown_delay = "30s"', "server.shutdown_delay"),
        ('drain_timeout = "2m"', "server.drain_timeout"),
        ('drain_timeout = "60s"\nshutdown_delay = "30s"', "server.drain_timeout"),
    ],
)
def test_a_stop_that_takes_too_long_is_a_warning_of_the_written_key(tmp_path: Path, lines: str, key: str) -> None:
    (warning,) = load_text(tmp_path, server(lines)).warnings
    assert (warning.key, warning.line) == (key, 2)


@pytest.mark.parametrize(("listen", "is_fault"), [("gateway.toml", True), (".", True), ("new.sock", False)])
def test_a_socket_with_the_path_of_a_file_is_a_fault(tmp_path: Path, listen: str, is_fault: bool) -> None:
    private(tmp_path / "gateway.toml", GOOD + f'[admin]\nlisten = "unix:{listen}"\n')
    faults = load(tmp_path / "gateway.toml", {}, check_files=True).faults
    assert [(fault.key, fault.line) for fault in faults] == [("admin.listen", 23)] * is_fault


@pytest.mark.parametrize("file", ["cert.pem", "key.pem"])
def test_a_key_of_the_audits_chain_with_another_purpose_is_a_warning(tmp_path: Path, file: str) -> None:
    write_certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    (tmp_path / "cert.pem").chmod(0o600)
    tls = server('tls_cert_file = "cert.pem"\ntls_key_file = "key.pem"')
    private(tmp_path / "gateway.toml", f'{tls}[audit]\nfile = "a.jsonl"\nchain_key_file = "{file}"\n')
    (warning,) = load(tmp_path / "gateway.toml", {}, check_files=True).warnings
    assert warning.key == "audit.chain_key_file"
