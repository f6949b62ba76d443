"""Rules as other products have them, which would match other people or recordings here than their writer means."""

import socket
from pathlib import Path

import pytest

from gateway.settings.loading import load
from tests.unit.settings.broken import HEADER, changed, grant
from tests.unit.settings.configurations import GOOD, load_text, private

pytestmark = pytest.mark.promise("security-S16")

PROXIES = '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
FRONT = GOOD.partition("[[identity]]")[0] + HEADER.replace("10.0.0.5/32", "127.0.0.1") + "{}\n"
RULE = '[[grants]]\nname = "{}"\nrecordings = ["*"]\naccount = "reviewer"\n{}\n'
STAFF = 'groups = ["staff"]'
EVERYBODY = 'subjects = ["*"]'
DN = "CN=Supervisors,OU=Groups,DC=example,DC=edu"
KEYCLOAK, PASSWORD = "identity.0.groups_claim", "valt.accounts.reviewer.password"
UUID = "6ecfe37c-a2e9-4f2d-b56e-847a4e730ed0"
EXAMPLE = '[[examples]]\nsubject = "anna"\nrecording = "{}"\nallowed = false\n'
OIDC = """[state]
dir = "state"

[session]
secret = "planted-0a1b2c3d4e5f6g7h8i9j0k-of-the-session"

[[identity]]
type = "oidc"
name = "login"
issuer = "https://login.example.edu"
client_id = "{}"
client_secret = "{}"
"""
GOOGLE = changed("sso.example.edu", "accounts.google.com")


def rules(*bodies: str) -> str:
    tables = (
        (RULE.replace('recordings = ["*"]\n', "") if "recordings = " in body else RULE).format(f"rule{number}", body)
        for number, body in enumerate(bodies)
    )
    return GOOD.partition("[[grants]]")[0] + "".join(tables)


def refusal(line: str) -> str:
    return rules(f"{EVERYBODY}\nallow = false\n{line}", EVERYBODY)


def front(group: str, more: str = "") -> str:
    return FRONT.format(more) + RULE.format("front", f'groups = ["{group}"]')


def people(line: str, subject: str) -> str:
    return rules(f'subjects = ["{subject}"]\nauthor_is_me = true') + f"[valt.people]\n{line}\n"


def subject_claim(name: str) -> str:
    return changed('"valt-gateway"\n', f'"valt-gateway"\nsubject_claim = "{name}"\n')


def networks(text: str) -> str:
    return grant(f"networks = {text}").replace("[server]\n", PROXIES)


WARNINGS = {
    "a refusal of some at the end": (rules(STAFF, 'groups = ["guests"]\nallow = false'), "grants.1.allow"),
    "a refusal of rooms at the end": (rules(STAFF, f'{EVERYBODY}\nrooms = ["A"]\nallow = false'), "grants.1.allow"),
    **{
        f"{name} as a person": (rules(f'subjects = ["{name}"]'), "grants.0.subjects")
        for name in ("all", "Everyone", "allAuthenticatedUsers", "user:anna", "group:staff", "@example.edu", "%staff")
    },
    "a refusal of everybody in words": (
        rules('subjects = ["everyone"]\nallow = false', EVERYBODY),
        "grants.0.subjects",
    ),
    "all recordings in words": (changed('["*"]', '["all"]'), "grants.0.recordings"),
    "recordings in capitals": (changed('["*"]', '["6ECFE37C-*"]'), "grants.0.recordings"),
    **{
        f"{key} with an exclamation mark": (rules(f'{STAFF}\n{key} = ["!Board*"]'), f"grants.0.{key}")
        for key in ("rooms", "authors", "names")
    },
    "a field with an exclamation mark": (rules(f'{STAFF}\ntemplate = {{ a = "!b" }}'), "grants.0.template.a"),
    **{
        f"a refusal of {globs} in one text": (refusal(f'names = ["{globs}"]'), "grants.0.names")
        for globs in (
            *("*private*|*intern*", "*private*, *intern*", "*private*;*intern*;*board*", "* [A-C]*| *intern*"),
            *("Room 3*, Room 4*", "Room 3*|Room 4*;Room 5*"),
        )
    },
    "a refusal of two globs of rooms in one text": (refusal('rooms = ["*Board*|*Lab*"]'), "grants.0.rooms"),
    "a refusal of two globs of a field in one text": (
        refusal('template = { course = "PSY 1*, PSY 2*" }'),
        "grants.0.template.course",
    ),
    **{
        f"the authors {globs} in one text": (rules(f'{STAFF}\nauthors = ["{globs}"]'), "grants.0.authors")
        for globs in ("asmith*,bjones*", "*smith*|*jones*")
    },
    "a refusal of all other groups": (rules('groups = ["!staff"]\nallow = false', EVERYBODY), "grants.0.groups"),
    "people in one text": (rules('subjects = ["a@example.edu; b@example.edu"]'), "grants.0.subjects"),
    **{
        f"the people {names} in one text": (
            rules(f'subjects = ["{names}"]\nallow = false', EVERYBODY),
            "grants.0.subjects",
        )
        for names in (
            *(
                "campus#anna, campus#ben",
                "campus#anna;service_key#ben",
                "campus#anna campus#ben",
                "campus#anna|campus#ben",
            ),
            *("campus#anna, ben@example.edu", "campus#anna,ben", "campus#s1234; s1235;s1236"),
        )
    },
    "groups in one text": (rules('groups = ["staff|guests"]'), "grants.0.groups"),
    "groups of a front in one text": (front("staff;guests", 'groups_separator = ";"'), "grants.0.groups"),
    "a distinguished name between commas": (front(DN), "grants.0.groups"),
    "a refusal of Google's groups": (
        GOOGLE.replace("[[grants]]\n", "[[grants]]\nallow = false\n") + RULE.format("all", 'subjects = ["anna"]'),
        "grants.0.groups",
    ),
    "a group of Google's": (GOOGLE, "grants.0.groups"),
    "a condition among the fields": (
        grant('template = { created_within = "90d" }'),
        "grants.0.template.created_within",
    ),
    **{
        f"the expression {name} as a group": (rules(f'groups = ["{name}"]'), "grants.0.groups")
        for name in ("^staff$", "psy51?", "staff.+")
    },
    **{
        f"the expression {glob} as a room": (rules(f'{STAFF}\nrooms = ["{glob}"]'), "grants.0.rooms")
        for glob in ("Room (A|B)", "/Room 3/")
    },
    **{
        f"the group {name} with its quotes": (rules(f"groups = ['{name}']"), "grants.0.groups")
        for name in ('"staff"', "\u201cstaff\u201d", "\u201estaff\u201c")
    },
    "a refusal of a person with quotes": (
        rules("""subjects = ["'anna'"]\nallow = false""", EVERYBODY),
        "grants.0.subjects",
    ),
    "a placeholder of a group": (rules('groups = ["<your group>"]'), "grants.0.groups"),
    "a refusal of people by a glob": (rules('subjects = ["s1234??"]\nallow = false', EVERYBODY), "grants.0.subjects"),
    **{
        f"groups in {claim}": (changed('"valt-gateway"\n', f'"valt-gateway"\ngroups_claim = "{claim}"\n'), KEYCLOAK)
        for claim in ("realm_access", "resource_access.valt-gateway")
    },
    "a tenant without a version": (changed("sso.example.edu", "login.microsoftonline.com/7"), "identity.0.issuer"),
    "VALT as a provider": (changed("sso.example.edu", "valt.example.edu"), "identity.0.issuer"),
    **{
        f"the user {name}": (changed("svc-reviewer", name), "valt.accounts.reviewer.username")
        for name in ("<VALT user>", "/run/secrets/valt-user", "$VALT_USER")
    },
    "a client's placeholder": (GOOD + OIDC.format("<client id>", "planted"), "identity.1.client_id"),
    "a client's name as its secret": (GOOD + OIDC.format("valt-gateway", "valt-gateway"), "identity.1.client_secret"),
    "a client's unchanged secret": (GOOD + OIDC.format("valt-gateway", "CHANGE_ME"), "identity.1.client_secret"),
    "a user's name as their password": (changed("planted-password", "svc-reviewer"), PASSWORD),
    "a user's unchanged password": (changed("planted-password", "changeme"), PASSWORD),
    "people by VALT's names": (people('asmith = "anna"', "anna"), "valt.people.asmith"),
    "people by the names on their doors": (subject_claim("name"), "identity.0.subject_claim"),
    **{
        f"an embargo of {length}": (grant(f'allow = false\ncreated_within = "{length}"'), "grants.0.created_within")
        for length in ("3m", "12m", "720s")
    },
    **{
        f"the recordings {text}, which no id is": (refusal(f'recordings = ["{text}"]'), "grants.0.recordings")
        for text in (
            *("confidential", "*confidential*", "Confidential*", "PSY-512*", "Session?", "psy512", "*[Cc]onfidential*"),
            *(UUID[:-1], f"{UUID[:-1]}*-*", UUID.replace("-", ""), "6ecfe37-*", "1-*", "17-", "-", "abc"),
        )
    },
    "a recording's name in an example": (GOOD + EXAMPLE.format("confidential"), "examples.0.recording"),
    "a range of ids": (changed('["*"]', '["100-200"]'), "grants.0.recordings"),
    "every address of IPv4": (networks('["0.0.0.0/0"]'), "grants.0.networks"),
    "every address of IPv6": (networks('["::/0", "10.0.0.0/8"]'), "grants.0.networks"),
}
RIGHT = {
    "a refusal of everybody at the end": rules(STAFF, f"{EVERYBODY}\nallow = false"),
    "a refusal before a rule": rules(f'{EVERYBODY}\nrooms = ["A"]\nallow = false', STAFF),
    **{
        f"the person {name}": rules(f'subjects = ["{name}"]')
        for name in (
            *("user:default/anna", "@anna:example.org", "auth0|62f", "Smith, Anna", "everyone@example.edu"),
            *("campus#Smith, Anna", "campus#Smith,Anna", "campus#uid=anna,ou=staff", "campus#auth0|62f"),
            *("campus#anna smith", "campus#auth0|anna@example.edu"),
        )
    },
    **{
        f"the group {name}": rules(f'groups = ["{name}"]')
        for name in (
            "Everyone",
            "group:staff",
            "system:authenticated",
            "@staff",
            DN,
            "Day staff | guests of both",
        )
    },
    **{
        f"the recordings {glob}": changed('["*"]', f'["{glob}"]')
        for glob in ("6ecfe37c-*", "*-4f2d-*", "*-?[0-9a-f]2d-*0", "12*", "*4*", "?", "[A-F]*")
    },
    **{f"the recording {text}": changed('["*"]', f'["{text}"]') + EXAMPLE.format(text) for text in ("0", "614", UUID)},
    **{
        f"a refusal of the name {glob}": refusal(f'names = ["{glob}"]')
        for glob in (
            *("Smith*, Anna*", "PSY* | Room 3* | *", "*|*private*|*", "*, *", "*private*", "*A,B*", "*[,;|]*"),
            *("*private* *intern*", "Building A*, Room 3*", "Room 3, Room 4*", "Smith A*, Smith B*"),
        )
    },
    "two globs in one text of a rule that allows": rules(f'{STAFF}\nnames = ["*private*|*intern*"]'),
    "a name that begins with an exclamation mark and ends": rules(f'{STAFF}\nnames = ["!", "Session!*"]'),
    "a distinguished name by another separator": front(DN, 'groups_separator = ";"'),
    "a group with a semicolon that mod_shib escapes": front("day staff; night staff", 'groups_separator = ";"'),
    "a client whose name is an address": GOOD + OIDC.format("https://recordings.example.edu/client", "planted"),
    "names with quotes": rules(f"""{STAFF}\nnames = ["'Hamlet'"]\nrooms = ["'t Hof", "The 'old' room"]"""),
    "rooms with signs": rules(f'{STAFF}\nrooms = ["Lab (A)", "A|B", "*/B/*", "/3", "<*>"]'),
    "a computer's name, and a question": rules('subjects = ["PC01$", "https://idp.example.edu/?anna"]'),
    "a tenant of version 1": changed("sso.example.edu", "sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/"),
    "a provider below VALT's host": changed("sso.example.edu", "valt.example.edu/realms/campus"),
    "Keycloak's roles": changed('"valt-gateway"\n', '"valt-gateway"\ngroups_claim = "resource_access.a.roles"\n'),
    "the domain of Google's people": GOOGLE.replace('"valt-gateway"\n', '"valt-gateway"\ngroups_claim = "hd"\n'),
    "people by their names": people('anna = "asmith"', "anna"),
    "people of whom no rule speaks": people('anna = "asmith"', "*"),
    "people who have each other's names": people('anna = "asmith"\nben = "anna"', "anna"),
    "a name at one provider and another at the other": people('anna = "asmith"', "asmith")
    + HEADER.replace("10.0.0.5/32", "127.0.0.1"),
    "GitLab's user names": subject_claim("nickname"),
    **{
        f"recordings of {length}": grant(f'created_within = "{length}"') for length in ("30m", "90d", "15m", "1h", "3m")
    },
    "every address": networks('["0.0.0.0/0", "::/0"]'),
    "every address of a listener of IPv4": grant('networks = ["0.0.0.0/0"]').replace(
        "[server]\n", '[server]\nlisten = "0.0.0.0:8080"\n'
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_a_rule_in_anothers_notation_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]


@pytest.mark.parametrize("name", RIGHT)
def test_a_rule_that_looks_like_anothers_notation_is_no_warning(tmp_path: Path, name: str) -> None:
    loaded = load_text(tmp_path, RIGHT[name])
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp"])
@pytest.mark.parametrize(("table", "key"), [("audit", "file"), ("state", "dir")])
def test_a_directory_that_is_cleared_is_a_warning(tmp_path: Path, folder: str, table: str, key: str) -> None:
    def keys(path: str) -> list[str]:
        private(tmp_path / "gateway.toml", f'{GOOD}[{table}]\n{key} = "{path}"\n')
        loaded = load(tmp_path / "gateway.toml", {}, check_files=True)
        assert loaded.faults == ()
        return [warning.key for warning in loaded.warnings]

    assert keys(f"{folder}/of-valt-gateway-that-is-not-there") == [f"{table}.{key}"]
    assert keys(str(tmp_path / "elsewhere")) == []


def test_an_audit_at_the_path_of_a_socket_is_a_fault(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "log"))
        private(tmp_path / "gateway.toml", f'{GOOD}[audit]\nfile = "log"\n')
        (fault,) = load(tmp_path / "gateway.toml", {}, check_files=True).faults
    assert (fault.key, fault.line) == ("audit.file", 23)
    assert fault.reason.endswith("it is a socket")


@pytest.mark.parametrize(("table", "name"), [("groups", '"Staff"'), ("people", "true")])
def test_an_invalid_id_of_valt_is_one_fault_where_a_rule_needs_it(tmp_path: Path, table: str, name: str) -> None:
    text = f"{grant('shared_with_me = true')}[valt.{table}]\nstaff = {name}\n"
    assert [fault.key for fault in load_text(tmp_path, text).faults] == [f"valt.{table}.staff"]
