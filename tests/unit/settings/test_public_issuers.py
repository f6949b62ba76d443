"""Rules for everybody, and for people by names that they choose, at issuers at which anybody may have an account."""

from pathlib import Path

import pytest

from tests.unit.settings.broken import HEADER, OIDC, SCOPES, SERVICE_KEY, identity
from tests.unit.settings.configurations import load_text

pytestmark = pytest.mark.promise("security-S16")

GOOGLE, GITLAB, OWN = "https://accounts.google.com", "https://gitlab.com", "https://sso.example.edu"
MICROSOFT = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"
PUBLIC = (
    *(GOOGLE, MICROSOFT, "https://auth.globus.org", "https://slack.com", "https://api.login.yahoo.com"),
    *("https://discord.com", "https://id.twitch.tv/oauth2", "https://secure.login.gov", "https://cilogon.org"),
)
SOME = ("https://x.okta.com", "https://x.eu.auth0.com/", "https://x.slack.com", "https://gitlab.example.edu")
ADDRESS, UNVERIFIED = '["a@example.edu"]', "require_verified_email = false\n"
MINE, SHARED = "author_is_me = true", "shared_with_me = true"


def rule(line: str, claim: str, more: str = "", *, issuer: str = GOOGLE, subjects: str = '["*"]') -> str:
    """A rule with *line* for *subjects*, at an issuer with the subject *claim* and *more*."""
    text = identity(f'subject_claim = "{claim}"\n{more}').replace(OWN, issuer)
    text = text.replace('groups = ["supervisors"]', f"subjects = {subjects}")
    listen = "[::]:8080" if "::" in line else "0.0.0.0:8080"
    return text.replace("[[grants]]\n", f"[[grants]]\n{line}\n").replace(
        "[server]\n", f'[server]\nlisten = "{listen}"\n'
    )


def sign_in(line: str, claim: str) -> str:
    login = OIDC.replace("https://login.example.edu", GOOGLE) + SCOPES
    return f'{rule(line, "sub", issuer=OWN)}{login}subject_claim = "{claim}"\n[state]\ndir = "state"\n'


def groups(claim: str, name: str, more: str = "", *, issuer: str = GITLAB) -> str:
    """A rule for the group *name*, at an issuer with the claim of groups *claim*, and *more*."""
    text = rule("", "sub", f'groups_claim = "{claim}"\n', issuer=issuer, subjects='["4711"]') + more
    return text.replace("[[grants]]\n", f'[[grants]]\ngroups = ["{name}"]\n', 1)


def jobs(claim: str, subject: str, issuer: str) -> str:
    """A rule for a job whose *claim* is *subject*."""
    return rule("", claim, issuer=issuer, subjects=f'["{subject}"]')


GITHUB, GLOBUS = "https://token.actions.githubusercontent.com", "https://auth.globus.org"
GROUPS = {
    **{
        f"a group of the front by {claim} at GitLab": groups(claim, "supervisors", HEADER)
        for claim in ("groups", "groups_direct", "https://gitlab.org/claims/groups/owner")
    },
    "a key's group at GitLab": groups("groups", "archive", SERVICE_KEY.format("a") + 'groups = ["archive"]\n'),
    **{
        f"jobs by {claim} at {issuer}": groups(claim, "main", issuer=issuer)
        for issuer in (GITHUB, f"{GITHUB}/", GITLAB)
        for claim in ("environment", "ref", "ref_type")
    },
}
WARNINGS = {
    **{
        f"jobs of the {claim} {name} at {issuer}": jobs(claim, name, issuer)
        for issuer in (GITHUB, GITLAB)
        for claim, name in (("ref", "refs/heads/main"), ("environment", "campus#production"))
    },
    **{
        f"everybody at {one}{end}": rule("", "sub", issuer=f"{one}{end}")
        for one in PUBLIC
        for end in ("", "/")
        if end == "" or one != MICROSOFT
    },
    "everybody at Google without a scheme": rule(
        "", "sub", f'jwks_url = "{GOOGLE}/keys"', issuer="accounts.google.com"
    ),
    **{
        f"authors by the {claim} of {issuer}": rule(MINE, claim, issuer=issuer)
        for issuer in (GOOGLE, MICROSOFT, GITLAB)
        for claim in ("preferred_username", "nickname", "upn", "mail")
    },
    "authors by an address that is not verified": rule(MINE, "email", UNVERIFIED),
    "authors at a sign-in by a nickname": sign_in(MINE, "nickname"),
    "shares by a nickname": rule(SHARED, "nickname") + "[valt.people]\nanna = 7\n",
    **{
        f"everybody from {networks}": rule(f"networks = {networks}", "sub")
        for networks in ('["0.0.0.0/0"]', '["0.0.0.0/1", "128.0.0.0/1"]', '["::/0"]', '["10.0.0.0/8", "0.0.0.0/0"]')
    },
    "authors by a nickname from everywhere": rule(f'{MINE}\nnetworks = ["0.0.0.0/0"]', "nickname"),
    "a service key's name that the public may have": rule("", "preferred_username", issuer=GITLAB, subjects='["a"]')
    + SERVICE_KEY.format("a"),
    "people of addresses that are not verified": rule("", "email", UNVERIFIED, subjects=ADDRESS),
    **{
        f"people of two providers by a name that the public chooses at {issuer}": rule(
            "", "nickname", issuer=issuer, subjects='["anna"]'
        )
        + HEADER
        for issuer in (GITLAB, GOOGLE)
    },
    "people of one provider by such addresses": rule("", "email", UNVERIFIED, subjects='["campus#a@example.edu"]'),
}
SECOND_RULE = '[[grants]]\nname = "archive"\nsubjects = ["service_key#a"]\nrecordings = ["*"]\naccount = "reviewer"\n'
SAFE = {
    **{
        f"a group {name} of the front beside GitLab": groups("groups", name, HEADER)
        for name in ("/supervisors", "Video supervisors", "site/staff", "Prüfer")
    },
    "a group of GitLab alone": groups("groups", "site"),
    "a group of GitLab, and a key without it": groups(
        "groups", "site", SERVICE_KEY.format("a") + 'groups = ["archive"]\n' + SECOND_RULE
    ),
    "a group of the front beside GitLab without groups": groups("none", "supervisors", HEADER),
    "a group of another GitLab": groups("groups", "supervisors", HEADER, issuer="https://gitlab.example.edu"),
    "a refusal of a group": groups("groups", "supervisors", HEADER).replace(
        "[[grants]]\n", "[[grants]]\nallow = false\n"
    ),
    **{
        f"jobs by {claim}": groups(claim, "site", issuer=GITHUB)
        for claim in ("repository_owner", "repository", "job_workflow_ref")
    },
    "jobs by the namespace at GitLab": groups("namespace_path", "site"),
    "jobs by ref at the own provider": groups("ref", "main", issuer=OWN),
    "jobs of a repository beside people": jobs("repository", "anna", GITHUB) + HEADER,
    "jobs of a repository": jobs("repository", "site/code", GITHUB),
    "authors by their names at Globus": rule(MINE, "preferred_username", issuer=GLOBUS),
    "people by their names at Globus beside others": jobs("preferred_username", "anna@site.example", GLOBUS) + HEADER,
    "a domain at Google": groups("hd", "example.edu", issuer=GOOGLE),
    **{f"authors by {claim} at Google": rule(MINE, claim) for claim in ("sub", "email", "oid", "eppn")},
    "authors at a sign-in by a verified address": sign_in(MINE, "email"),
    "shares by a verified address": rule(SHARED, "email") + '[valt.people]\n"a@example.edu" = 7\n',
    **{
        f"everybody from {networks}": rule(f"networks = {networks}", "nickname")
        for networks in ('["10.0.0.0/8"]', '["192.0.2.0/24", "10.0.0.0/8"]', '["2001:db8::/32"]')
    },
    "authors by their names at the own provider": rule(MINE, "preferred_username", issuer=OWN),
    "authors by an address of the own provider": rule(MINE, "email", UNVERIFIED, issuer=OWN),
    **{f"everybody at {issuer}": rule("", "sub", issuer=issuer) for issuer in SOME},
    "people by their names at GitLab": rule("", "nickname", issuer=GITLAB, subjects='["anna"]'),
    "people of two providers by their full names": rule(
        "", "nickname", issuer=GITLAB, subjects='["campus#anna", "front#anna"]'
    )
    + HEADER,
    "people by verified addresses": rule("", "email", subjects=ADDRESS),
    "people by addresses from one network": rule('networks = ["10.0.0.0/8"]', "email", UNVERIFIED, subjects=ADDRESS),
    "a refusal of addresses that are not verified": rule("allow = false", "email", UNVERIFIED, subjects=ADDRESS),
    "people of another provider, and a key": rule("", "email", UNVERIFIED, subjects='["front#b", "service_key#a"]')
    + HEADER
    + SERVICE_KEY.format("a"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_the_public_may_see_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    loaded = load_text(tmp_path, WARNINGS[name])
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == ["grants.0.subjects"]


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_into_which_the_public_comes_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    loaded = load_text(tmp_path, GROUPS[name])
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == ["grants.0.groups"]


def test_what_is_shared_with_such_a_group_is_a_warning_with_its_line(tmp_path: Path) -> None:
    text = rule(SHARED, "sub", issuer=GITLAB) + "[valt.groups]\nsupervisors = 7\n"
    assert load_text(tmp_path, text).warnings == ()
    assert [(one.key, one.line) for one in load_text(tmp_path, text + HEADER).warnings] == [
        ("grants.0.shared_with_me", text[: text.index(SHARED)].count("\n") + 1)
    ]


@pytest.mark.parametrize("name", SAFE)
def test_what_the_public_may_not_see_is_no_warning(tmp_path: Path, name: str) -> None:
    loaded = load_text(tmp_path, SAFE[name])
    assert (loaded.faults, loaded.warnings) == ((), ())
