"""Values that say something that cannot be meant, or that another value makes useless: a fault or a warning by kind."""

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gateway.settings.loading import load
from gateway.valt_backend import backend_origin
from tests.unit.settings.broken import HEADER, OIDC, PUBLIC_KEY, SESSION, STATE, TICKET, grant, identity, server, valt
from tests.unit.settings.configurations import GOOD, PORTAL_KEY, load_text, private
from tests.unit.settings.test_identity_checks import private as private_pem

pytestmark = pytest.mark.promise("security-S16")

EXAMPLE = '\n[[examples]]\nsubject = "anna"\nrecording = "1"\nallowed = false\n'
STATE_DIR = '\n[state]\ndir = "state"\n'
BY_KEY = OIDC.replace('client_secret = "planted-client-secret"\n', 'client_auth = "private_key_jwt"\n')
LONG = "planted-a1b2c3d4-" * 3
FAULTS = {
    "an id of VALT below 0": (GOOD + "[valt.groups]\nstaff = -7\n", "valt.groups.staff"),
    "a person's id below 0": (GOOD + "[valt.people]\nanna = -7\n", "valt.people.anna"),
    "an id of an example below 0": (GOOD + EXAMPLE + "shared_users = [-1]\n", "examples.0.shared_users.0"),
    "an author who is true": (GOOD + EXAMPLE + "author = true\n", "examples.0.author"),
    "an address of too large numbers": (server('listen = "256.1.1.1:80"'), "server.listen"),
    "an address of three numbers": (GOOD.replace("valt.example.edu", "10.0.5"), "valt.base_url"),
    "an address to listen on as VALT's": (GOOD.replace("valt.example.edu", "0.0.0.0"), "valt.base_url"),
    "a path with two slashes": (GOOD.replace("valt.example.edu", "valt.example.edu//v"), "valt.base_url"),
    "a path with a percent sign": (GOOD.replace("valt.example.edu", "valt.example.edu/%61pi"), "valt.base_url"),
    "a path with dots": (GOOD.replace("valt.example.edu", "valt.example.edu/a/../api2"), "valt.base_url"),
    "a proxy with a path": (identity('proxy_url = "http://proxy:3128/path"'), "identity.0.proxy_url"),
    "a collector's full path": (
        GOOD + '[tracing]\notlp_endpoint = "http://127.0.0.1:4318/v1/traces"\n',
        "tracing.otlp_endpoint",
    ),
    "a share that is true": (GOOD + "[tracing]\nsample_ratio = true\n", "tracing.sample_ratio"),
    "a share in quotes": (GOOD + '[tracing]\nsample_ratio = "0.5"\n', "tracing.sample_ratio"),
    "a time zone that is none": (server('timezone = "Factory"'), "server.timezone"),
    "a header that browsers set": (
        GOOD + HEADER + 'subject_header = "Sec-Fetch-Site"\n',
        "identity.1.subject_header",
    ),
    "a header of traces": (identity('header = "Traceparent"'), "identity.0.header"),
    "a header for proxies": (GOOD + HEADER + 'groups_header = "Proxy-Authorization"\n', "identity.1.groups_header"),
    "a letter between groups": (GOOD + HEADER + 'groups_separator = "a"\n', "identity.1.groups_separator"),
    "a line end between groups": (GOOD + HEADER + 'groups_separator = "\\n"\n', "identity.1.groups_separator"),
    "a glob that no id matches": (GOOD.replace('["*"]', '["Session *"]'), "grants.0.recordings"),
    "a password of spaces": (GOOD.replace("planted-password", "   "), "valt.accounts.reviewer.password"),
    "a client's key that is none": (GOOD + BY_KEY + 'private_key = "planted"\n', "identity.1.private_key"),
    "a parameter of Redis that occurs twice": (
        GOOD + STATE.replace("127.0.0.1", "127.0.0.1?socket_timeout=1&socket_timeout=2"),
        "state.url",
    ),
    "a user of Redis without a password": (GOOD + STATE.replace(":planted", ""), "state.url"),
    "a CA of Redis below no directory": (
        GOOD + STATE.replace("redis://valt:planted@127.0.0.1", "rediss://127.0.0.1?ssl_ca_certs=ca.pem"),
        "state.url",
    ),
}
WARNINGS = {
    "a log line each millisecond": (GOOD + '[audit]\nchain_head_log = "1ms"\n', "audit.chain_head_log"),
    "recordings of the last millisecond": (grant('created_within = "1ms"'), "grants.0.created_within"),
    "a margin as long as links are valid": (GOOD + '[links]\nmargin = "30m"\n', "links.margin"),
    "a life longer than links are valid": (GOOD + '[links]\nmin_life = "1d"\n', "links.min_life"),
    "the gateway as VALT": (GOOD.replace("valt.example.edu", "recordings.example.edu"), "valt.base_url"),
    "a socket for nobody": (server('listen = "unix:x.sock"\nsocket_mode = "0444"'), "server.socket_mode"),
    "a trusted socket for everybody": (
        server('listen = "unix:x.sock"\nsocket_mode = "0666"') + HEADER.replace("10.0.0.5/32", "unix"),
        "server.socket_mode",
    ),
    "plain http and a certificate": (
        server('tls_cert_file = "c.pem"\ntls_key_file = "k.pem"').replace(
            "https://recordings.example.edu", "http://localhost:8080"
        ),
        "server.public_url",
    ),
    "two sources of signing keys": (
        identity('jwks_url = "https://a.example/k"\ndiscovery_url = "https://a.example/d"'),
        "identity.0.discovery_url",
    ),
    "a client without authentication and with a secret": (
        GOOD + OIDC + 'client_auth = "none"\n' + STATE_DIR,
        "identity.1.client_secret",
    ),
    "a prefix of Redis without Redis": (GOOD + STATE_DIR + 'prefix = "x:"\n', "state.prefix"),
    "a secret of replicas without Redis": (GOOD + STATE_DIR + f'secret = "{LONG}"\n', "state.secret"),
    "a rule whose list of networks is empty": (grant("networks = []"), "grants.0.networks"),
    "an audience with a space": (GOOD.replace('"valt-gateway"', '" valt-gateway"'), "identity.0.audience"),
    "a user name with a line end": (
        GOOD.replace('"svc-reviewer"', '"svc\\nreviewer"'),
        "valt.accounts.reviewer.username",
    ),
    "a person without a name": (grant("author_is_me = true") + '[valt.people]\n"" = "asmith"\n', "valt.people."),
    "a claim's path with two dots": (identity('groups_claim = "realm..roles"'), "identity.0.groups_claim"),
    "a title of nothing": (GOOD + '[branding]\nname = ""\n', "branding.name"),
    "a home directory": (GOOD + '[state]\ndir = "~/state"\n', "state.dir"),
    "a variable in a socket's path": (server('listen = "unix:$RUNTIME/x.sock"'), "server.listen"),
    "a file named stdout": (GOOD + '[audit]\nfile = "stdout"\n', "audit.file"),
    "a session secret of one letter": (GOOD + f'[session]\nsecret = "{"a" * 40}"\n', "session.secret"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_mean_what_is_written_is_a_fault_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = FAULTS[name]
    loaded = load_text(tmp_path, text)
    assert [fault.key for fault in loaded.faults] == [key]
    assert all(fault.line and fault.reason and fault.remedy for fault in loaded.faults)
    assert "planted" not in repr(loaded)


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_hardly_meant_or_has_no_effect_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]


@pytest.mark.parametrize("content", ["one\ntwo\n", "one \n", "# the old one, until June\n", "a\x07b\n"])
def test_a_password_file_with_more_than_the_password_is_a_warning(tmp_path: Path, content: str) -> None:
    private(tmp_path / "password", content)
    loaded = load_text(tmp_path, GOOD.replace('password = "planted-password"', 'password_file = "password"'))
    assert loaded.faults == ()
    assert [(one.key, one.line) for one in loaded.warnings] == [("valt.accounts.reviewer.password", 9)]


def test_several_lines_of_one_session_secret_are_a_warning(tmp_path: Path) -> None:
    private(tmp_path / "secret", f"{LONG}\n{LONG}new\n")
    one = load_text(tmp_path, GOOD + '[session]\nsecret_file = "secret"\n')
    assert [warning.key for warning in one.warnings] == ["session.secret"]
    assert load_text(tmp_path, GOOD + '[session]\nsecrets_file = "secret"\n').warnings == ()


def test_a_device_as_a_secret_is_a_fault_and_is_not_read(tmp_path: Path) -> None:
    for device in ("/dev/zero", "/dev/full"):
        text = GOOD.replace('password = "planted-password"', f'password_file = "{device}"')
        (fault,) = load_text(tmp_path, text).faults
        assert (fault.key, fault.line) == ("valt.accounts.reviewer.password_file", 9)
    private(tmp_path / "large", "x" * 70_000)
    (fault,) = load_text(tmp_path, GOOD + '[session]\nsecret_file = "large"\n').faults
    assert fault.key == "session.secret_file"


@pytest.mark.parametrize("value", ["\udcff" * 40, "   "])
@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('[session]\nsecret_env = "SECRET"\n', "session.secret_env"),
        ('[admin]\ntoken_env = "SECRET"\n', "admin.token_env"),
        (HEADER + 'secret_header = "X-Lock"\nsecret_env = "SECRET"\n', "identity.1.secret_env"),
    ],
)
def test_a_variable_that_holds_no_secret_is_a_fault(tmp_path: Path, table: str, key: str, value: str) -> None:
    assert [fault.key for fault in load_text(tmp_path, GOOD + table, {"SECRET": value}).faults] == [key]


@pytest.mark.parametrize("value", [{"anna": "b\0"}, {"\ud800": "b"}, {"a": "\ud800"}])
def test_a_variable_with_a_character_that_is_none_is_a_fault(tmp_path: Path, value: dict[str, str]) -> None:
    faults = load_text(tmp_path, GOOD, {"VALT_GATEWAY_VALT__PEOPLE": json.dumps(value)}).faults
    assert [fault.key.partition(".")[0] for fault in faults] == ["VALT_GATEWAY_VALT__PEOPLE"]


def test_two_variables_of_one_key_are_a_fault(tmp_path: Path) -> None:
    variables = {"VALT_GATEWAY_LOG__LEVEL": "info", "VALT_GATEWAY_LOG__level": "debug"}
    assert [fault.key for fault in load_text(tmp_path, GOOD, variables).faults] == ["VALT_GATEWAY_LOG__level"]


def test_a_variable_that_is_nearly_that_of_a_key_is_a_warning(tmp_path: Path) -> None:
    of_kubernetes = {"VALT_GATEWAY_SERVICE_HOST": "10.0.0.1", "VALT_GATEWAY_PORT_8080_TCP_PORT": "8080"}
    assert load_text(tmp_path, GOOD, of_kubernetes).warnings == ()
    names = ["VALT_GATEWAY_SERVER_LISTEN", "VALT_GATEWAY_VALT_BASE_URL", "valt_gateway_log__level"]
    warnings = load_text(tmp_path, GOOD, dict.fromkeys(names, "debug")).warnings
    assert [warning.key for warning in warnings] == names
    assert warnings[0].remedy == "did you mean VALT_GATEWAY_SERVER__LISTEN?"


def test_a_client_signs_with_a_private_key_that_it_supports(tmp_path: Path) -> None:
    good, bad = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())
    text = GOOD + BY_KEY + 'private_key_file = "key.pem"\n' + STATE_DIR
    private(tmp_path / "key.pem", private_pem(good))
    assert load_text(tmp_path, text).faults == ()
    private(tmp_path / "key.pem", private_pem(bad))
    assert [fault.reason for fault in load_text(tmp_path, text).faults] == ["is of an unsupported kind"]


@pytest.mark.parametrize("field", ['"use": "enc"', '"key_ops": ["encrypt"]'])
def test_a_portals_key_that_is_not_for_signatures_is_a_fault(tmp_path: Path, field: str) -> None:
    jwk = f'{{{field}, "kty": "OKP", "crv": "Ed25519", "x": "{"A" * 43}"}}'
    private(tmp_path / "portal.jwk", jwk)
    (fault,) = load_text(tmp_path, GOOD + TICKET.replace(PUBLIC_KEY, 'public_key_file = "portal.jwk"\n')).faults
    assert fault.key == "identity.1.public_key"


def test_a_key_of_the_audits_chain_that_others_may_read_is_a_warning(tmp_path: Path) -> None:
    private(tmp_path / "chain", LONG)
    private(tmp_path / "gateway.toml", GOOD + '[audit]\nchain_key_file = "chain"\n')
    assert load(tmp_path / "gateway.toml", {}, check_files=True).warnings == ()
    (tmp_path / "chain").chmod(0o600 | stat.S_IROTH)
    (warning,) = load(tmp_path / "gateway.toml", {}, check_files=True).warnings
    assert (warning.key, warning.line) == ("audit.chain_key_file", 23)


def test_an_audit_file_that_ends_in_a_slash_is_a_fault(tmp_path: Path) -> None:
    private(tmp_path / "gateway.toml", GOOD + '[audit]\nfile = "log/"\n')
    (fault,) = load(tmp_path / "gateway.toml", {}, check_files=True).faults
    assert (fault.key, fault.reason) == ("audit.file", "ends in a slash, as a directory does")


def test_a_line_is_that_of_the_file_whatever_stands_in_texts(tmp_path: Path) -> None:
    text = GOOD.replace("[valt]", "[branding]\nnotice = 'a\u2028b\u0085c'\n['valt']")
    loaded = load_text(tmp_path, text.replace("https://valt.example.edu", "valt"))
    assert [(fault.key, fault.line) for fault in loaded.faults] == [("valt.base_url", 7)]


def test_a_new_content_of_valts_authority_is_noticed_by_a_reload(tmp_path: Path) -> None:
    private(tmp_path / "ca.pem", "one")
    settings = load_text(tmp_path, valt('ca_file = "ca.pem"')).settings
    assert settings is not None
    before = backend_origin(settings)
    assert backend_origin(settings) == before
    private(tmp_path / "ca.pem", "two")
    assert backend_origin(settings) != before


def test_texts_of_every_kind_that_are_meant_have_no_warning(tmp_path: Path) -> None:
    portal = GOOD + SESSION + HEADER + 'groups_separator = ", "\n' + STATE_DIR
    assert load_text(tmp_path, portal).warnings == ()
    private(tmp_path / "portal.pub", PORTAL_KEY)
    files = TICKET.replace(PUBLIC_KEY, 'public_key_files = ["portal.pub"]\n')
    assert load_text(tmp_path, GOOD + files + STATE_DIR).warnings == ()
    assert load_text(tmp_path, valt("version = '6.2.1'")).warnings == ()
