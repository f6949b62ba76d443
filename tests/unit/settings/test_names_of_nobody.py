"""Names in rules that nobody has by the providers that there are, each with the nearest names that somebody has."""

from pathlib import Path

import pytest

from tests.unit.settings.broken import HEADER, JWT, KERBEROS, OIDC, SCOPES, SERVICE_KEY, TICKET, identity
from tests.unit.settings.configurations import GOOD, load_text, write_keytab

pytestmark = pytest.mark.promise("security-S16")

STATE = '[state]\ndir = "state"\n'
SESSION = '[session]\nsecret = "planted-0a1b2c3d4e5f6g7h8i9j0k-planted"\n'
LISTEN = '[server]\nlisten = "0.0.0.0:8080"\n'
TRUSTED = 'trusted_proxies = ["10.0.0.6"]\n'
CLIENTS = 'subjects = ["*"]\nnetworks = ["10.1.0.0/16"]'
KEY = SERVICE_KEY.format("archive")
RULE = '[[grants]]\nname = "{}"\nrecordings = ["*"]\naccount = "reviewer"\n{}\n'


def rules(*bodies: str, providers: str = JWT) -> str:
    tables = "".join(RULE.format(f"rule{number}", body) for number, body in enumerate(bodies))
    return GOOD[: GOOD.index("[[identity]]")] + providers + tables


def refusal(who: str, *later: str, providers: str = JWT) -> str:
    return rules(f"allow = false\n{who}", *(later or ('subjects = ["*"]',)), providers=providers)


def kerberos(*lines: str) -> str:
    return KERBEROS + "\n".join(lines) + "\n" + SESSION + STATE


ADDRESSES = JWT.replace('audience = "', 'subject_claim = "email"\naudience = "')
TWO_CLAIMS = JWT + OIDC.replace("https://login.example.edu", "https://sso.example.edu")
TWO_NAMES = f'{TWO_CLAIMS}subject_claim = "preferred_username"\n{STATE}'
GOOGLE = OIDC.replace("https://login.example.edu", "https://accounts.google.com") + SCOPES
BOTH = JWT + GOOGLE + STATE
GUESTS = JWT.replace('"campus"', '"guests"')
KEY_GROUP = 'groups = ["archive"]\n'
PEOPLE = '[valt.people]\n"anna@example.edu" = "asmith"\n'
PERSONAL = 'subjects = ["*"]\nauthor_is_me = true'
AUTHOR = 'subjects = ["*"]\nauthors = ["anna@example.edu"]'
EXAMPLE = '[[examples]]\nsubject = "ben"\nrecording = "1"\nallowed = false\nauthor = "anna@example.edu"\n'
EXAMPLE_OF = '[[examples]]\nsubject = "{}"\nrecording = "1"\nallowed = {}\n'
WARNINGS = {
    "a person of a provider that is not there": (refusal('subjects = ["moodle#anna"]'), "grants.0.subjects"),
    "a provider behind the name": (refusal('subjects = ["anna#campus"]'), "grants.0.subjects"),
    **{
        f"a provider in {name}": (refusal(f"subjects = ['{name}']") + KEY, "grants.0.subjects")
        for name in (
            *("campus:anna", "campus/anna"),
            *("service_key:archive", "service_key/archive"),
        )
    },
    **{
        f"all service keys as {name}": (refusal(f'subjects = ["{name}"]') + KEY, "grants.0.subjects")
        for name in ("service_key", "service_keys", "Service_Key")
    },
    "a refusal of a group among the people": (
        refusal('subjects = ["interns"]', 'groups = ["Interns", "staff"]'),
        "grants.0.subjects",
    ),
    "a refusal of a person among the groups": (
        refusal('groups = ["anna"]', 'subjects = ["campus#anna", "ben"]'),
        "grants.0.groups",
    ),
    "a refusal of a key's group among the people": (
        refusal('subjects = ["robots"]') + KEY + 'groups = ["robots"]\n',
        "grants.0.subjects",
    ),
    "a refusal of a key among the groups": (
        refusal('groups = ["archive"]', 'groups = ["robots"]') + KEY + 'groups = ["robots"]\n',
        "grants.0.groups",
    ),
    "an author by the name of the provider": (rules(AUTHOR, PERSONAL) + PEOPLE, "grants.0.authors"),
    "an author in an example by the name of the provider": (
        rules('subjects = ["*"]\nauthors = ["asmith"]', PERSONAL) + PEOPLE + EXAMPLE,
        "examples.0.author",
    ),
    "a space before the name": (rules('subjects = ["campus# anna"]'), "grants.0.subjects"),
    "a provider in place of people": (refusal('subjects = ["guests"]', providers=GUESTS), "grants.0.subjects"),
    "a name where people have addresses": (refusal('subjects = ["anna"]', providers=ADDRESSES), "grants.0.subjects"),
    "a provider's name where people have addresses": (
        refusal('subjects = ["campus#anna"]', providers=ADDRESSES),
        "grants.0.subjects",
    ),
    "a key that is not there": (refusal('subjects = ["service_key#other"]') + KEY, "grants.0.subjects"),
    **{
        f"an example of {name}, which is no key, with allowed = {allowed[:5]}": (
            rules('groups = ["archive"]') + KEY + KEY_GROUP + EXAMPLE_OF.format(name, allowed),
            "examples.0.subject",
        )
        for name in ("service_key#other", "service_key#Archive", "service_keys")
        for allowed in ("false", "true\ngroups = ['archive']")
    },
    "a rule for a proxy's own address": (
        rules('subjects = ["anna"]\nnetworks = ["10.0.0.6"]').replace("[server]\n", LISTEN + TRUSTED),
        "grants.0.networks",
    ),
    "clients of a proxy that nobody lists": (
        refusal(CLIENTS, 'subjects = ["anna"]', providers=OIDC + STATE).replace("[server]\n", LISTEN),
        "grants.0.networks",
    ),
    "a refusal of a proxy's clients by its own address": (
        refusal('subjects = ["*"]\nnetworks = ["10.0.0.6"]', 'subjects = ["anna"]').replace(
            "[server]\n", '[server]\nlisten = "0.0.0.0:8080"\ntrusted_proxies = ["10.0.0.6", "10.0.0.7"]\n'
        ),
        "grants.0.networks",
    ),
    **{
        f"{claim} as the person": (identity(f'subject_claim = "{claim}"'), "identity.0.subject_claim")
        for claim in ("preferred_username,email", "upn || email", "upn email")
    },
    "a field of a template with an asterisk": (
        rules("groups = [\"a\"]\ntemplate = { 'course*' = 'PSY' }"),
        "grants.0.template",
    ),
    "groups where there are keys alone": (
        rules('groups = ["staff"]', 'groups = ["archive"]', providers="") + KEY + 'groups = ["archive"]\n',
        "grants.0.groups",
    ),
    "people where there are keys alone": (
        rules('subjects = ["anna"]', 'groups = ["archive"]', providers="") + KEY + 'groups = ["archive"]\n',
        "grants.0.subjects",
    ),
    "groups of people by Kerberos beside a key's": (
        rules('groups = ["staff"]', 'groups = ["archive"]', providers=kerberos()) + KEY + 'groups = ["archive"]\n',
        "grants.0.groups",
    ),
    "a refusal of groups where people come without": (
        refusal('groups = ["externals"]', 'subjects = ["anna"]', providers=BOTH),
        "grants.0.groups",
    ),
    "a key among the people in VALT": (
        rules('subjects = ["*"]\nauthor_is_me = true') + '[valt.people]\n"service_key#archive" = "asmith"\n',
        "valt.people",
    ),
    "a session's time without a sign-in": (
        f'{rules("groups = []")}{SESSION}idle = "15m"\n'.replace("[]", '["a"]'),
        "session.idle",
    ),
    "a list of audiences of tickets": (
        GOOD + TICKET + 'audience = "https://a.example.edu,https://b.example.edu"\n' + STATE,
        "identity.1.audience",
    ),
    "a placeholder as the audience": (identity("").replace("valt-gateway", "<client-id>"), "identity.0.audience"),
    **{
        f"{issuer} as Entra's issuer": (GOOD.replace("https://sso.example.edu", issuer), "identity.0.issuer")
        for issuer in (
            "https://login.microsoftonline.com/example.onmicrosoft.com/v2.0",
            "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0/",
            "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47",
        )
    },
    "the token endpoint as the keys": (
        identity('jwks_url = "https://sso.example.edu/oauth2/token"'),
        "identity.0.jwks_url",
    ),
}
RIGHT = {
    **{
        f"the person {name}": refusal(f"subjects = ['{name}']")
        for name in (
            r"campus\anna",
            "anna@campus",
            "campus://example.edu/anna",
            "campuses/anna",
            "github:anna",
            "anna/campus",
        )
    },
    "a group and a person of one name": refusal('subjects = ["ann"]', 'groups = ["ann"]', 'subjects = ["ann", "ben"]'),
    "a refusal of a name as a group and a person": refusal(
        'groups = ["ann"]\nsubjects = ["ann"]', 'groups = ["ann", "b"]'
    ),
    "a rule for a person who has a group's name": rules('subjects = ["interns"]', 'groups = ["interns"]'),
    "a refusal of a key's group that has the key's name": refusal('groups = ["archive"]') + KEY + KEY_GROUP,
    "an author by VALT's name": rules(AUTHOR.replace("anna@example.edu", "asmith"), PERSONAL) + PEOPLE,
    "an author with the name of another": rules(AUTHOR, PERSONAL) + PEOPLE + 'ben = "anna@example.edu"\n',
    "an author of whom the id is given": rules(AUTHOR, PERSONAL) + PEOPLE.replace('"asmith"', "7"),
    **{
        f"what is shared by {ids} with {who}": rules(f"{who}\nshared_with_me = true") + ids
        for who, ids in (
            ('subjects = ["campus#anna", "ben"]', "[valt.people]\nanna = 7\n"),
            ('subjects = ["ben"]\ngroups = ["staff"]', "[valt.people]\nanna = 7\n"),
            ('subjects = ["*"]', "[valt.people]\nanna = 7\n"),
            ('subjects = ["ben"]', "[valt.groups]\nstaff = 7\n"),
            (
                'allow = false\nsubjects = ["Anna"]',
                "[valt.people]\nanna = 7\n" + RULE.format("all", 'subjects = ["*"]'),
            ),
        )
    },
    "a guest of Entra": rules('subjects = ["anna_example.com#EXT#@example.onmicrosoft.com"]'),
    "a key of a provider's name": rules('subjects = ["campus"]') + SERVICE_KEY.format("campus"),
    "a key that is called service_key": refusal('subjects = ["service_key"]') + KEY.replace("archive", "service_key"),
    "examples of keys": refusal('subjects = ["service_key#Archive"]')
    + KEY
    + SERVICE_KEY.format("service_key").replace("0" * 64, "1" * 64)
    + EXAMPLE_OF.format("service_key#archive", "false")
    + EXAMPLE_OF.format("archive", "true")
    + EXAMPLE_OF.format("service_key", "true"),
    "a key refused in another spelling": refusal('subjects = ["service_key#Archive"]') + KEY,
    "addresses of people, and a key": rules(
        'subjects = ["anna@example.edu", "archive", "service_key#archive"]', providers=ADDRESSES
    )
    + KEY,
    "names at a provider beside one of addresses": rules('subjects = ["anna"]', providers=ADDRESSES + HEADER).replace(
        "[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n'
    ),
    "both names of a person": refusal('subjects = ["campus#4711", "login#anna"]', providers=TWO_NAMES),
    "a refused key beside two names of people": refusal('subjects = ["service_key#archive"]', providers=TWO_NAMES)
    + KEY,
    "a refused key in another spelling": refusal('subjects = ["service_key#Archive"]', providers="") + KEY,
    "a guest of Microsoft's accounts": rules('subjects = ["live.com#anna@outlook.com"]'),
    "clients of a listener with TLS": refusal(CLIENTS, 'subjects = ["anna"]', providers=OIDC + STATE).replace(
        "[server]\n", f'{LISTEN}tls_cert_file = "cert.pem"\ntls_key_file = "key.pem"\n'
    ),
    "programs that connect themselves": refusal(CLIENTS, 'subjects = ["anna"]').replace("[server]\n", LISTEN),
    "clients and a proxy of a trusted address": rules(
        'subjects = ["anna"]\nnetworks = ["10.0.0.6", "10.1.0.0/16"]'
    ).replace("[server]\n", LISTEN + TRUSTED),
    "programs of this machine beside a proxy of it": refusal(
        'subjects = ["*"]\nnetworks = ["127.0.0.1"]', 'subjects = ["anna"]'
    ).replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n'),
    "a refusal of groups, and a key later": refusal(
        'groups = ["externals"]', 'subjects = ["service_key#archive"]', 'groups = ["staff"]', providers=BOTH
    )
    + KEY,
    "a refusal of groups, and people of another provider later": refusal(
        'groups = ["externals"]', 'subjects = ["campus#anna"]', 'groups = ["staff"]', providers=BOTH
    ),
    "a refusal of groups and of people": refusal(
        'groups = ["externals"]\nsubjects = ["login#4711"]', 'subjects = ["anna"]', providers=BOTH
    ),
    "a refusal of groups that keys have": refusal(
        'groups = ["old"]', 'subjects = ["anna"]', 'groups = ["archive"]', providers=kerberos()
    )
    + KEY
    + 'groups = ["old", "archive"]\n',
    "a key beside people with a realm": rules(
        'subjects = ["service_key#archive", "anna@EXAMPLE.EDU"]', providers=kerberos("strip_realm = false")
    )
    + KEY,
    "a session's secret for tokens of keys": GOOD + SESSION,
    "keys alone": rules('groups = ["archive"]', 'subjects = ["archive"]', providers="")
    + KEY
    + 'groups = ["archive"]\n',
    "a tenant of Entra": GOOD.replace("sso.example.edu", "sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_a_name_that_nobody_has_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    write_keytab(tmp_path, "HTTP/recordings.example.edu@EXAMPLE.EDU")
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]


@pytest.mark.parametrize("name", RIGHT)
def test_a_name_that_somebody_has_is_no_warning(tmp_path: Path, name: str) -> None:
    write_keytab(tmp_path, "HTTP/recordings.example.edu@EXAMPLE.EDU")
    loaded = load_text(tmp_path, RIGHT[name])
    assert (loaded.faults, loaded.warnings) == ((), ())


def test_one_secret_twice_in_the_file_of_a_session_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("planted-0a1b2c3d4e5f6g7h8i9j0k-planted\n" * 2)
    (tmp_path / "secrets").chmod(0o600)
    loaded = load_text(tmp_path, GOOD + '[session]\nsecrets_file = "secrets"\n')
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == ["session.secrets"]
