"""The ways in which a site is broken for the command ``doctor``, each with what it must say."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import trustme

from gateway.sim.catalogue import CAMERA_A, SESSION
from tests.support.doctor_lab import REDIRECT, Lab
from tests.support.provider import signing_key

Break = Callable[[Lab], object]
"""Breaks a site. What it returns is not used."""


@dataclass(frozen=True)
class Site:
    """*check* is the one that must have *result*, with *detail* and *remedy* as parts of its texts. *besides* are the
    other checks that are not good, because the fault shows there too or they could not be tried."""

    name: str
    check: str
    result: str
    detail: str
    remedy: str
    breaks: Break
    besides: frozenset[str] = frozenset()
    days: Mapping[str, float] = field(default_factory=dict)
    """How long the certificates of ``valt`` and ``front`` are valid."""


NO_LINK = frozenset(
    {
        *("media_range", "media_if_range", "media_head", "link_clock"),
        *("link_opens_other_recording", "link_outlives_exp"),
    }
)
NO_VIDEO = NO_LINK | {"valt_link"}
NO_RECORD = NO_VIDEO | {"valt_record"}
NO_SEARCH = NO_RECORD | {"valt_search"}
NO_LOGIN = NO_SEARCH | {"valt_login:reviewer", "valt_login:trainee"}
NO_MEDIA = frozenset({"media_if_range", "media_head", "link_opens_other_recording", "link_outlives_exp"})


def knobs(**values: object) -> Break:
    """Returns what sets knobs of VALT's simulator."""

    def set_knobs(lab: Lab) -> None:
        for name, value in values.items():
            assert hasattr(lab.valt.knobs, name)
            setattr(lab.valt.knobs, name, value)

    return set_knobs


def redirected(**values: object) -> Break:
    """Returns what sets knobs, and lets the rule redirect."""

    def set_both(lab: Lab) -> None:
        knobs(**values)(lab)
        lab.edit(REDIRECT)

    return set_both


def front(**values: object) -> Break:
    """Returns what sets attributes of the front."""

    def set_attributes(lab: Lab) -> None:
        for name, value in values.items():
            assert hasattr(lab.front, name)
            setattr(lab.front, name, value)

    return set_attributes


def edited(old: str, new: str) -> Break:
    """Returns what changes the configuration."""
    return lambda lab: lab.edit((old, new))


def with_url(key: str, url: str) -> Break:
    """Returns what gives *key* of the configuration another URL."""

    def replace(lab: Lab) -> None:
        lines = lab.config.read_text().splitlines(keepends=True)
        (old,) = (line for line in lines if line.startswith(f"{key} = "))
        lab.edit((old, f'{key} = "{url}"\n'))

    return replace


def with_wide_networks(lab: Lab) -> None:
    lab.edit(('from = ["127.0.0.1/32"]\nsecret_header = "X-Front-Secret"\nsecret_file = "front-secret"\n', WIDE))


WIDE = 'from = ["127.0.0.0/8", "10.0.0.0/8"]\n'


def with_one_recording(lab: Lab) -> None:
    del lab.valt.recordings[1:]


def with_unready_videos(lab: Lab) -> None:
    for recording in lab.valt.recordings:
        for film in recording.films:
            film.ready = False


def without_videos(lab: Lab) -> None:
    for recording in lab.valt.recordings:
        recording.films.clear()


def with_unknown_recording(lab: Lab) -> None:
    lab.recording, lab.video = "00000000-0000-4000-8000-000000000000", CAMERA_A


def with_unknown_video(lab: Lab) -> None:
    lab.recording, lab.video = SESSION, "00000000-0000-4000-8000-000000000000"


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


def with_another_password(lab: Lab) -> None:
    (lab.folder / "valt-reviewer").write_text("an-expired-password")


def with_expired_file(lab: Lab) -> None:
    lab.write_certificate(days=-1)


def with_ending_file(lab: Lab) -> None:
    lab.write_certificate(days=5.5)


def with_another_authority(lab: Lab) -> None:
    trustme.CA().cert_pem.write_to_path(str(lab.folder / "other-ca.pem"))
    lab.edit(('ca_file = "ca.pem"', 'ca_file = "other-ca.pem"'))


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
        edited("streams = 50", "streams = 1000000"),
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
    ),
    Site(
        "a keytab that is not there",
        *("provider:domain", "broken", "No such file", "kadmin"),
        with_negotiate,
        frozenset({"config"}),
    ),
]

VALT = [
    Site(
        "a name of VALT that does not resolve",
        *("valt_login:reviewer", "broken", "valt.invalid:443: ", "host name"),
        with_url("base_url", "https://valt.invalid"),
        NO_SEARCH | {"valt_login:trainee", "certificate:valt"},
    ),
    Site(
        "no VALT at the port",
        *("valt_login:reviewer", "broken", "Connect", "start the server"),
        with_url("base_url", "https://127.0.0.1:1"),
        NO_SEARCH | {"valt_login:trainee", "certificate:valt"},
    ),
    Site(
        "a VALT whose authority is not trusted",
        *("valt_login:reviewer", "broken", "certificate verify failed", "valt.ca_file"),
        with_another_authority,
        NO_SEARCH | {"valt_login:trainee", "certificate:valt"},
    ),
    Site(
        "a VALT whose certificate has expired",
        *("certificate:valt", "broken", "certificate has expired", "renew"),
        lambda _lab: None,
        NO_LOGIN,
        days={"valt": -1},
    ),
    Site(
        "a media server whose certificate ends in five days",
        *("certificate:media", "doubtful", "5 more days", "renew"),
        lambda _lab: None,
        frozenset({"certificate:valt"}),
        days={"valt": 5.5},
    ),
    Site(
        "a wrong password of one account",
        *("valt_login:reviewer", "broken", "refused the account 'reviewer'", "valt.accounts.reviewer"),
        with_another_password,
    ),
    Site(
        "a web server that is not VALT",
        *("valt_login:reviewer", "broken", "VALT", "valt.base_url"),
        knobs(rubbish={"login"}),
        NO_SEARCH | {"valt_login:trainee"},
    ),
    Site(
        "a VALT whose service is down behind its proxy",
        *("valt_login:trainee", "broken", "HTTP 502", "look at the server's log"),
        knobs(refuse={"login": 502}),
        NO_SEARCH | {"valt_login:reviewer"},
    ),
    Site(
        "accounts without the API permission",
        *("valt_search", "broken", "HTTP 403", "API permission"),
        knobs(refuse={"search": 403}),
        NO_RECORD,
    ),
    Site(
        "accounts that see no recording",
        *("valt_search", "doubtful", "no recording is visible", "video access"),
        lambda lab: lab.valt.recordings.clear(),
        NO_RECORD,
    ),
    Site(
        "recordings without a video",
        *("valt_record", "doubtful", "has a video", "--recording"),
        without_videos,
        NO_VIDEO,
    ),
    Site(
        "a recording that VALT does not have",
        *("valt_record", "broken", "HTTP 404", "compare the ids"),
        with_unknown_recording,
        NO_VIDEO,
    ),
    Site(
        "a video that VALT does not have",
        *("valt_link", "broken", "HTTP 404", "compare the ids"),
        with_unknown_video,
        NO_LINK,
    ),
    Site(
        "videos that are not ready",
        *("valt_link", "broken", "HTTP 404", "may not be ready"),
        with_unready_videos,
        NO_LINK,
    ),
    Site(
        "a media server that is not listed",
        *("valt_link", "broken", "media.invalid:8000, which valt.media_hosts does not list", "valt.media_hosts"),
        knobs(link_host="media.invalid:8000"),
        NO_LINK,
    ),
]

LINKS = [
    Site(
        "a media server that cannot be reached",
        *("media_range", "broken", "127.0.0.1:1: Connect", "port 8000"),
        knobs(link_host="127.0.0.1:1"),
        NO_MEDIA | {"certificate:media"},
    ),
    Site(
        "a media server that refuses new links",
        *("media_range", "broken", "403 to a new link", "clocks"),
        knobs(refuse_media=[403] * 9),
        NO_MEDIA,
    ),
    Site(
        "a media server that ignores ranges",
        *("media_range", "broken", "ignores ranges", "Range requests"),
        knobs(ignore_range=True),
        frozenset({"media_if_range"}),
    ),
    Site(
        "a media server that sends other bytes",
        *("media_range", "broken", "other bytes than were requested", "proxy or cache"),
        knobs(wrong_content_range=True),
    ),
    Site(
        "a media server without validators",
        *("media_if_range", "doubtful", "no strong ETag", "cannot be resumed"),
        knobs(validators="none"),
    ),
    Site(
        "a media server with weak validators",
        *("media_if_range", "doubtful", "no strong ETag", "length and date are compared"),
        knobs(validators="weak"),
    ),
    Site(
        "a media server that ignores If-Range",
        *("media_if_range", "doubtful", "another version of the file is sent", "proxy or cache"),
        knobs(ignore_if_range=True),
    ),
    Site(
        "a media server that refuses HEAD, with a rule that redirects",
        *("media_head", "doubtful", "HEAD is answered 405", 'delivery = "proxy"'),
        redirected(refuse_head=True, unscoped_links=False),
        frozenset({"config", "link_clock"}),
    ),
    Site(
        "a VALT whose clock is 40 seconds ahead",
        *("link_clock", "doubtful", "ahead of this machine's: more than links.margin", "NTP"),
        knobs(clock_ahead=40.0, link_life=110.0),
    ),
    Site(
        "a VALT whose clock is an hour behind",
        *("link_clock", "broken", "behind this machine's: links are used after their end", "NTP"),
        knobs(clock_ahead=-3600.0),
    ),
    Site(
        "a media server whose clock differs from VALT's",
        *("link_clock", "doubtful", "and the media server's is 30", "NTP"),
        knobs(media_date_ahead=-300.0),
    ),
    Site(
        "links without an end",
        *("link_outlives_exp", "doubtful", "states no end", 'delivery = "proxy"'),
        knobs(link_without_exp=True),
        frozenset({"link_clock"}),
    ),
    Site(
        "links that are good for half an hour",
        *("link_outlives_exp", "doubtful", "ends only in 30 minutes", "as long as no rule redirects"),
        knobs(link_life=1800.0),
    ),
    Site(
        "links that open other recordings, with a rule that redirects",
        *("link_opens_other_recording", "broken", "opens another's file", 'delivery = "proxy"'),
        redirected(),
        frozenset({"config", "link_clock"}),
    ),
    Site(
        "a media server that needs no token",
        *("link_opens_other_recording", "broken", "needs no token", "firewall"),
        knobs(link_not_jwt=True),
        frozenset({"link_clock", "link_outlives_exp"}),
    ),
    Site(
        "one recording alone",
        *("link_opens_other_recording", "doubtful", "no second recording", "second recording"),
        with_one_recording,
    ),
    Site(
        "links that are valid after their end, with a rule that redirects",
        *("link_outlives_exp", "broken", "accepted after its end", 'delivery = "proxy"'),
        redirected(ignore_exp=True, unscoped_links=False),
        frozenset({"config", "link_clock"}),
    ),
]

SITES = [*CONFIGURATION, *FRONT, *PROCESS, *PROVIDERS, *VALT, *LINKS]
