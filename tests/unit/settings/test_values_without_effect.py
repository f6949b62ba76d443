"""Values that have no effect as the other values are: each is a warning, and the nearest value that has one is none."""

from pathlib import Path

import pytest

from tests.unit.settings.broken import HEADER, OIDC, STATE, TICKET, grant, identity, server, valt
from tests.unit.settings.configurations import GOOD, load_text, write_keytab

pytestmark = pytest.mark.promise("security-S16")

KERBEROS = """type = "negotiate"
name = "domain"
keytab_file = "http.keytab"
service = "HTTP@recordings.example.edu"
realms = ["EXAMPLE.EDU"]
[session]
secret = "planted-0a1b2c3d4e5f6g7h8i9j0k-planted"
[state]
dir = "state"
"""
TICKETS = TICKET + '[state]\ndir = "state"\n'
MINE = grant("author_is_me = true")
TRAINEE = '[valt.accounts.trainee]\nusername = "{}"\npassword = "planted-other"\n'
RULE = 'name = "a"\ngroups = ["trainees"]\nrecordings = ["*"]\naccount = "reviewer"\n'
WARNINGS = {
    **{
        f"{table}.{key} and the default of another": (GOOD + f"[{table}]\n{key} = {value}\n", f"{table}.{key}")
        for table, key, value in (
            ("limits", "streams_per_person", 5000),
            ("limits", "streams_per_address", 5000),
            ("limits", "streams", 30_000),
            ("streams", "viewer_idle", '"10s"'),
        )
    },
    **{
        f"peers in {networks} of {listen}": (
            server(f'listen = "{listen}:8080"\ntrusted_proxies = ["{networks}"]'),
            "server.trusted_proxies",
        )
        for listen, networks in (
            ("127.0.0.1", "10.0.0.5"),
            ("localhost", '10.0.0.5", "fd00::5'),
            ("127.0.0.1", "::1"),
            ("[::1]", "127.0.0.1"),
            ("0.0.0.0", "fd00::5"),
            ("[::]", "10.0.0.5"),
        )
    },
    "a front that cannot connect": (server('listen = "127.0.0.1:80"') + HEADER, "identity.1.from"),
    "clients of IPv6 on a listener of IPv4": (
        grant('networks = ["fd00::/8"]').replace("[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n'),
        "grants.0.networks",
    ),
    "an audit on standard output that is synced": (GOOD + '[audit]\nfsync = "always"\n', "audit.fsync"),
    "a share of no traces": (GOOD + "[tracing]\nsample_ratio = 1\n", "tracing.sample_ratio"),
    "a prefix of no Redis": (GOOD + '[state]\nprefix = "film:"\n', "state.prefix"),
    "verified addresses of another claim": (
        identity('subject_claim = "mail"\nrequire_verified_email = true'),
        "identity.0.require_verified_email",
    ),
    "unverified addresses of another claim": (
        identity("require_verified_email = false"),
        "identity.0.require_verified_email",
    ),
    "a token that renews sessions": (
        GOOD + OIDC + 'scopes = ["openid", "offline_access"]\n[state]\ndir = "state"\n',
        "identity.1.scopes",
    ),
    "people in VALT that no rule compares": (GOOD + '[valt.people]\nanna = "asmith"\n', "valt.people"),
    "a VALT user's name where VALT shares with ids": (
        grant("shared_with_me = true") + '[valt.people]\nanna = "asmith"\n[valt.groups]\nstaff = 8\n',
        "valt.people.anna",
    ),
    "a VALT user's id in quotes": (
        grant("shared_with_me = true") + '[valt.people]\nanna = "7"\nbob = 8\n',
        "valt.people.anna",
    ),
    **{
        f"groups in VALT of people at {issuer}": (
            MINE.replace('groups = ["supervisors"]', 'subjects = ["anna"]\nshared_with_me = true').replace(
                "https://sso.example.edu", issuer
            )
            + "[valt.groups]\nstaff = 7\n",
            "valt.groups",
        )
        for issuer in ("https://accounts.google.com", "https://appleid.apple.com")
    },
    "the API's own host among the media hosts": (valt('media_hosts = ["VALT.example.edu:8000"]'), "valt.media_hosts.0"),
    "a proxy of this machine at an address of the network": (
        server('listen = "192.0.2.2:8080"\ntrusted_proxies = ["127.0.0.1/32"]'),
        "server.trusted_proxies",
    ),
    "groups in VALT that no rule compares": (MINE + "[valt.groups]\nstaff = 7\n", "valt.groups"),
    "groups besides everybody": (grant('subjects = ["*"]'), "grants.0.groups"),
    "a person besides everybody": (
        GOOD.replace('groups = ["supervisors"]', 'subjects = ["*", "anna"]'),
        "grants.0.subjects",
    ),
    "a recording besides all": (GOOD.replace('["*"]', '["*", "614"]'), "grants.0.recordings"),
    "a room besides all": (grant('rooms = ["Room 3", "*"]'), "grants.0.rooms"),
    "the head of a chain that is not logged": (
        GOOD + '[audit]\nchain_head_log = "10m"\n[log]\nlevel = "warning"\n',
        "audit.chain_head_log",
    ),
    "no share of traces and nobody who asks for one": (
        GOOD + '[tracing]\notlp_endpoint = "http://127.0.0.1:4318"\nsample_ratio = 0\n',
        "tracing.sample_ratio",
    ),
    "a frame on another site without its cookies": (
        GOOD + TICKETS + '[branding]\nframe_ancestors = ["https://portal.example.edu", "https://portal.example.org"]\n',
        "branding.frame_ancestors",
    ),
    "two accounts that are one": (GOOD + TRAINEE.format("SVC-Reviewer"), "valt.accounts.trainee.username"),
    "a key of [valt] among the people": (
        MINE + '[valt.people]\nanna = "asmith"\nread_timeout = "10s"\n',
        "valt.people.read_timeout",
    ),
    "a key of a rule in its template": (
        GOOD + '[grants.template]\ncourse = "PSY"\ndelivery = "redirect"\n',
        "grants.0.template.delivery",
    ),
    "a limit of one address for all": (GOOD + "[limits]\nstreams_per_address = 8\n", "limits.streams_per_address"),
    "refusals of one address for all": (
        server('listen = "unix:a.sock"') + "[limits]\nrefusals_per_minute = 10\n",
        "limits.refusals_per_minute",
    ),
    "networks of a front that is not trusted": (
        grant('networks = ["10.0.0.0/8"]').replace("[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n') + HEADER,
        "grants.0.networks",
    ),
    "a refusal by networks that a front's people escape": (
        GOOD.replace("[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n')
        + HEADER
        + f'[[grants]]\n{RULE}allow = false\nnetworks = ["192.168.0.0/16"]\n'
        + f"[[grants]]\n{RULE}".replace('"a"', '"b"'),
        "grants.1.networks",
    ),
    "networks of one front of two that is not trusted": (
        grant('networks = ["10.0.0.0/16"]').replace(
            "[server]\n", '[server]\nlisten = "systemd:public"\ntrusted_proxies = ["10.0.0.6"]\n'
        )
        + HEADER.replace('.5/32"', '.5/32", "10.0.0.6"'),
        "grants.0.networks",
    ),
    "the gateway itself as the issuer": (
        GOOD.replace("sso.example.edu", "recordings.example.edu/"),
        "identity.0.issuer",
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_a_value_that_has_no_effect_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key.removesuffix(".1") for warning in loaded.warnings if warning.line is not None] == [key]


@pytest.mark.parametrize(
    "text",
    [
        GOOD + '[admin]\ntoken_file = ""\n[state]\ndir = ""\nurl = ""\nprefix = "valt-gateway:"\nsecret_file = ""\n',
        GOOD + '[audit]\nfile = "-"\nfsync = "close"\n[tracing]\notlp_endpoint = ""\nsample_ratio = 0.1\n',
        GOOD + '[audit]\nfile = "audit.jsonl"\nfsync = "always"\n',
        GOOD + '[tracing]\notlp_endpoint = "https://traces.example.edu"\nsample_ratio = 1\n',
        identity("require_verified_email = true"),
        identity('subject_claim = "email"\nrequire_verified_email = true'),
        identity('jwks_url = "https://portal.example.edu/keys"').replace("sso.example.edu", "recordings.example.edu"),
        GOOD.replace("sso.example.edu", "recordings.example.edu/realms/campus"),
        server('listen = "127.0.0.1:8080"\ntrusted_proxies = ["127.0.0.1", "10.0.0.5"]'),
        server('listen = "localhost:8080"\ntrusted_proxies = ["::1"]'),
        server('listen = "gateway.example.edu:8080"\ntrusted_proxies = ["fd00::5"]'),
        server('trusted_proxies = ["10.0.0.5"]'),
        server('listen = "0.0.0.0:8080"\ntrusted_proxies = ["127.0.0.1"]'),
        server('listen = "192.0.2.2:8080"\ntrusted_proxies = ["192.0.2.2", "127.0.0.1"]'),
        valt('media_hosts = ["media.valt.example.edu:8000", "192.0.2.8:443"]'),
        MINE.replace("[[grants]]\n", "[[grants]]\nshared_with_me = true\n")
        + '[valt.people]\nanna = "asmith"\nbob = 7\n',
        server('listen = "127.0.0.1:8080"') + HEADER.replace("10.0.0.5", "127.0.0.1"),
        grant('networks = ["fd00::/8", "10.0.0.0/8"]').replace("[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n'),
        GOOD + "[limits]\nstreams_per_person = 0\nstreams_per_address = 2000\nconnections = 2000\n",
        GOOD + "[limits]\nstreams = 50\nconnections = 100\n",
        GOOD + STATE + "[limits]\nstreams_per_person = 5000\nstreams_per_address = 3000\n",
        GOOD + '[streams]\nupstream_idle = "5h"\n[links]\nmargin = "10m"\n',
        GOOD + '[links]\nmargin = "30s"\nmin_life = "0s"\n',
        GOOD + '[links]\nmin_life = "10s"\n',
        GOOD.replace('["supervisors"]', '["Nursing, Year 2"]'),
        GOOD.replace('groups = ["supervisors"]', 'subjects = ["*"]'),
        grant('subjects = ["anna"]'),
        grant('rooms = ["*"]\nnames = ["Session *", "*2"]'),
        GOOD + '[audit]\nchain_head_log = "0s"\n[log]\nlevel = "warning"\n',
        GOOD + '[log]\nlevel = "error"\n',
        server('trusted_proxies = ["127.0.0.1"]')
        + '[tracing]\notlp_endpoint = "http://127.0.0.1:4318"\nsample_ratio = 0\n',
        server('cors_origins = ["https://portal.example.org"]')
        + TICKETS
        + '[branding]\nframe_ancestors = ["https://portal.example.org"]\n',
        GOOD + '[branding]\nframe_ancestors = ["https://portal.example.org"]\n',
        GOOD + TRAINEE.format("svc-trainee"),
        MINE + '[valt.people]\nreader = "asmith"\n[[grants]]\n' + RULE + 'template = { room = "1" }\n',
        grant("shared_with_me = true") + "[valt.people]\nanna = 7\n[valt.groups]\nstaff = 8\n",
        identity('subject_claim = "email"\nrequire_verified_email = false'),
        GOOD + "[limits]\nstreams_per_address = 1500\nrefusals_per_minute = 600\n",
        server('trusted_proxies = ["127.0.0.1"]') + "[limits]\nstreams_per_address = 8\n",
        server('listen = "0.0.0.0:8080"') + "[limits]\nstreams_per_address = 8\n",
        *(
            grant(f'networks = ["{network}"]').replace("[server]\n", f'[server]\nlisten = "0.0.0.0:8080"\n{trusted}')
            + HEADER
            for network, trusted in (
                ("10.0.0.0/8", 'trusted_proxies = ["10.0.0.5"]\n'),
                ("10.0.0.5", ""),
                ("192.168.0.0/16", ""),
            )
        ),
        GOOD.replace('["supervisors"]', '["Department of Psychology, University Hospital"]'),
    ],
)
def test_a_value_that_has_an_effect_and_a_default_are_no_warning(tmp_path: Path, text: str) -> None:
    loaded = load_text(tmp_path, text)
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize("name", ["ADMIN__TOKEN_FILE", "STATE__SECRET_FILE", "STATE__URL", "STATE__URL_FILE"])
def test_an_empty_variable_of_a_secret_is_a_fault(tmp_path: Path, name: str) -> None:
    variable = f"VALT_GATEWAY_{name}"
    assert variable in [fault.key for fault in load_text(tmp_path, GOOD, {variable: ""}).faults]


@pytest.mark.parametrize(
    ("proof", "more", "keys"),
    [
        ("groups", "", ["grants.0.groups"]),
        ("subjects", "", []),
        ("groups", 'subjects = ["anna"]\n', []),
        ("groups", f'[[service_keys]]\nname = "archive"\nsecret_sha256 = "{"a" * 64}"\ngroups = ["supervisors"]\n', []),
    ],
    ids=["groups", "subjects", "both", "service key"],
)
def test_a_rule_by_groups_that_nobody_has_is_a_warning(tmp_path: Path, proof: str, more: str, keys: list[str]) -> None:
    write_keytab(tmp_path, "HTTP/recordings.example.edu@EXAMPLE.EDU")
    jwt = GOOD.partition("[[identity]]\n")[2].partition("[[grants]]")[0]
    loaded = load_text(tmp_path, GOOD.replace(jwt, KERBEROS).replace("groups", proof) + more)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings] == keys
