"""What is broken around a gateway: its configuration, front, process and providers."""

import shutil

from tests.support.broken_sites import NO_SEARCH, Site, edited, front, redirected, with_url
from tests.support.doctor_lab import Lab
from tests.support.provider import signing_key


def with_wide_networks(lab: Lab) -> None:
    lab.edit(('from = ["127.0.0.1/32"]\nsecret_header = "X-Front-Secret"\nsecret_file = "front-secret"\n', WIDE))


WIDE = 'from = ["127.0.0.0/8", "10.0.0.0/8"]\n'


def with_elliptic_keys(lab: Lab) -> None:
    lab.provider.keys = [signing_key("ES256")]
    lab.edit(('audience = "valt-gateway"\n', 'audience = "valt-gateway"\nalgorithms = ["RS256"]\n'))


def with_state_in_a_file(lab: Lab) -> None:
    (lab.folder / "file").write_text("")
    lab.edit(('dir = "state"', 'dir = "file/state"'))


def with_negotiate(lab: Lab) -> None:
    table = '[[identity]]\ntype = "negotiate"\nname = "domain"\nkeytab_file = "http.keytab"\n'
    table += 'service = "HTTP@localhost"\nrealms = ["EXAMPLE.EDU"]\n\n[session]\n'
    lab.edit(("[session]\n", table))


def with_another_token(lab: Lab) -> None:
    (lab.folder / "admin-token").write_text("another-token-than-the-gateway-has")


def with_expired_file(lab: Lab) -> None:
    lab.write_certificate(days=-1)


def with_ending_file(lab: Lab) -> None:
    lab.write_certificate(days=5.5)


def without_gateway(lab: Lab) -> None:
    line = lab.config.read_text().partition("[admin]\n")[2].partition("\n")[0]
    lab.edit((line, 'listen = "127.0.0.1:1"'))


def without_audit_folder(lab: Lab) -> None:
    shutil.rmtree(lab.folder / "log")


def with_a_draining_gateway(lab: Lab) -> None:
    lab.gateway.readiness.ready = False


CONFIGURATION = [
    Site(
        "an unknown key",
        *("config", "broken", "is an unknown key", "check-config"),
        edited("[limits]\nstreams", "[limits]\nstraems"),
        NO_SEARCH | {"public_url", "admin", "state", "audit", "descriptors"},
    ),
    Site(
        "a rule that redirects",
        *("config", "doubtful", "cannot be recalled", "intended"),
        redirected(unscoped_links=False),
        frozenset({"link_clock"}),
    ),
]

FRONT = [
    Site(
        "a public name that does not resolve",
        *("public_url", "broken", "recordings.invalid:443: ", "host name"),
        with_url("public_url", "https://recordings.invalid"),
        frozenset({"certificate:public_url"}),
    ),
    Site(
        "no front",
        *("public_url", "broken", "Connect", "start the server"),
        with_url("public_url", "https://localhost:1"),
        frozenset({"certificate:public_url"}),
    ),
    Site(
        "a front without its backend",
        *("public_url", "broken", "is 502, which is not the gateway's", "server.listen"),
        front(status=502),
    ),
    Site(
        "a front that asks people to sign in itself",
        *("public_url", "doubtful", "answers 302 to https://sso.example.edu/login itself", "docs/operations.md"),
        front(status=302, location="https://sso.example.edu/login?state=of-the-request"),
    ),
    Site(
        "a front that passes forged headers on with its secret",
        *("public_url", "broken", "X-Forwarded-User and X-Forwarded-Groups of a client", "have the front remove"),
        lambda lab: lab.front.drops.difference_update({"x-forwarded-user", "x-forwarded-groups"}),
    ),
    Site(
        "a front that passes forged headers on without its secret",
        *("public_url", "doubtful", "only the secret of front protects X-Forwarded-User", "have the front remove"),
        front(drops=set(), adds={}),
    ),
    Site(
        "a front that reads underscores as hyphens after it has removed headers",
        *("public_url", "broken", "X_Forwarded_User and X_Forwarded_Groups", "X_Forwarded_User"),
        front(underscores=True),
    ),
    Site(
        "a front that signs everybody in",
        *("public_url", "broken", "without credentials is signed in", "authenticated"),
        lambda lab: lab.front.adds.update({"X-Forwarded-User": "guest"}),
    ),
    Site(
        "a front whose certificate has expired",
        *("certificate:public_url", "broken", "certificate has expired", "renew"),
        lambda _lab: None,
        frozenset({"public_url"}),
        days={"front": -1},
    ),
    Site(
        "a front whose certificate ends in five days",
        *("certificate:public_url", "doubtful", "5 more days", "automatic renewal"),
        lambda _lab: None,
        days={"front": 5.5},
    ),
]

PROCESS = [
    Site(
        "no gateway at the admin address",
        *("admin", "broken", "does not answer", "start the gateway"),
        without_gateway,
    ),
    Site(
        "a gateway that drains",
        *("admin", "broken", "/readyz answers 503", "log"),
        with_a_draining_gateway,
    ),
    Site(
        "another admin token than the running gateway's",
        *("admin", "broken", "does not accept admin.token", "restart the gateway"),
        with_another_token,
    ),
    Site(
        "a certificate of the gateway that has expired",
        *("certificate:server", "broken", "it expired on", "renew it"),
        with_expired_file,
        frozenset({"config"}),
    ),
    Site(
        "a certificate of the gateway that ends in five days",
        *("certificate:server", "doubtful", "5 more days", "SIGHUP"),
        with_ending_file,
    ),
    Site(
        "more streams than the process may have descriptors for",
        *("descriptors", "broken", "files; 1000000 streams", "LimitNOFILE=5000064"),
        edited("streams = 50\nconnections = 200\n", "streams = 1000000\n"),
        frozenset({"config"}),
    ),
    Site(
        "more connections than the process may have descriptors for",
        *("descriptors", "doubtful", "connections are accepted", "LimitNOFILE=2000064"),
        edited("connections = 200", "connections = 1000000"),
    ),
    Site(
        "a state directory below a file",
        *("state", "broken", "not a directory", "may write"),
        with_state_in_a_file,
    ),
    Site(
        "state in memory, for tickets",
        *("state", "doubtful", "a restart forgets", "set state.dir"),
        edited('[state]\ndir = "state"\n', "[state]\n"),
        frozenset({"config"}),
    ),
    Site(
        "no directory for the audit",
        *("audit", "broken", "no such directory", "create the directory"),
        without_audit_folder,
    ),
    Site(
        "an audit that is a directory",
        *("audit", "broken", "it is a directory", "let the service write"),
        edited('file = "log/audit.jsonl"', 'file = "log"'),
    ),
]

PROVIDERS = [
    Site(
        "a provider that does not answer",
        *("provider:campus", "broken", "127.0.0.1:1: Connect", "start the server"),
        edited('audience = "valt-gateway"\n', 'audience = "valt-gateway"\ndiscovery_url = "http://127.0.0.1:1/"\n'),
    ),
    Site(
        "a provider that answers 503",
        *("provider:sign-in", "broken", "status 503", "compare issuer"),
        lambda lab: setattr(lab.provider, "down", True),
        frozenset({"provider:campus"}),
    ),
    Site(
        "a provider that names another issuer",
        *("provider:campus", "broken", "names the issuer 'https://other.example.edu'", "compare issuer"),
        lambda lab: lab.provider.discovery.update(issuer="https://other.example.edu"),
        frozenset({"provider:sign-in"}),
    ),
    Site(
        "a provider without a token endpoint",
        *("provider:sign-in", "broken", "token_endpoint", "compare issuer"),
        lambda lab: lab.provider.discovery.update(token_endpoint=None),
    ),
    Site(
        "a provider whose key set is empty",
        *("provider:campus", "broken", "no signature key", "compare issuer"),
        lambda lab: lab.provider.keys.clear(),
        frozenset({"provider:sign-in"}),
    ),
    Site(
        "a provider whose keys are of another algorithm",
        *("provider:campus", "broken", "none of its 1 keys is for RS256", "algorithms"),
        with_elliptic_keys,
    ),
    Site(
        "a provider whose clock is ten minutes ahead",
        *("provider:campus", "broken", "ahead of this machine's, more than leeway, 30 s", "NTP"),
        lambda lab: setattr(lab.provider, "date_ahead", 600.0),
        frozenset({"provider:sign-in"}),
    ),
    Site(
        "a header provider that accepts many machines and no secret",
        *("provider:front", "doubtful", "each of many machines may name any person", "secret_header"),
        with_wide_networks,
        frozenset({"config"}),
    ),
    Site(
        "a header provider that never sees its front",
        *("provider:front", "broken", "connections of this machine alone", "127.0.0.1/32"),
        edited('from = ["127.0.0.1/32"]', 'from = ["10.0.0.5/32"]'),
        frozenset({"config"}),
    ),
    Site(
        "a keytab that is not there",
        *("provider:domain", "broken", "No such file", "kadmin"),
        with_negotiate,
        frozenset({"config"}),
    ),
]

SURROUNDINGS = [*CONFIGURATION, *FRONT, *PROCESS, *PROVIDERS]
