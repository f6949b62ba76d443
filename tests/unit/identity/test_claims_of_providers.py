"""Claims as providers send them, each row with the title of its document; and generated claims and headers by a plain
model."""

import random
from collections.abc import Iterable
from typing import Any

import pytest

from gateway.errors import GroupsElsewhereError, InvalidCredentialsError
from gateway.identity.claim_values import parse_groups
from gateway.identity.claims import TokenRequirements, parse_subject, read_groups
from gateway.identity.header import HeaderAuthenticator
from gateway.identity.ignored_groups import IgnoredGroups
from gateway.model import Credentials, Identity, IdentityKind
from gateway.rules import Rule, applies_to
from tests.support.clock import ManualClock
from tests.support.generated import sequences
from tests.support.plain_claims import groups_of_claim, groups_of_header
from tests.support.recorder import Recorder

GUID = "0760b6cf-170e-4a14-91b3-4b78e0739963"

ROWS: list[tuple[str, dict[str, Any], str, str, str, set[str]]] = [
    (
        "Keycloak, Server Administration Guide, server_admin/#_protocol-mappers: realm roles of an access token",
        {"sub": "f:1", "preferred_username": "anna", "realm_access": {"roles": ["offline_access", "supervisors"]}},
        "preferred_username",
        "realm_access.roles",
        "anna",
        {"offline_access", "supervisors"},
    ),
    (
        "Keycloak, Server Administration Guide, server_admin/#_protocol-mappers: roles of a client whose id has dots",
        {"preferred_username": "anna", "resource_access": {"recordings.example.edu": {"roles": ["viewer"]}}},
        "preferred_username",
        "resource_access.recordings.example.edu.roles",
        "anna",
        {"viewer"},
    ),
    (
        "Keycloak, class GroupMembershipMapper: the full path is the default, and the claim a list even of one",
        {"preferred_username": "anna", "groups": ["/clinic/supervisors"]},
        "preferred_username",
        "groups",
        "anna",
        {"/clinic/supervisors"},
    ),
    (
        "Keycloak, class GroupMembershipMapper: without the full path",
        {"preferred_username": "anna", "groups": ["supervisors", "staff"]},
        "preferred_username",
        "groups",
        "anna",
        {"supervisors", "staff"},
    ),
    (
        "Microsoft, Configure group claims for applications by using Microsoft Entra ID: NetbiosDomain\\sAMAccountName",
        {"preferred_username": "anna@example.edu", "groups": ["EXAMPLE\\Supervisors", "EXAMPLE\\Domain Users"]},
        "preferred_username",
        "groups",
        "anna@example.edu",
        {"EXAMPLE\\Supervisors", "EXAMPLE\\Domain Users"},
    ),
    (
        "Microsoft, Configure optional claims: groups with emit_as_roles are in roles",
        {"preferred_username": "anna@example.edu", "roles": ["example.edu\\Supervisors"]},
        "preferred_username",
        "roles",
        "anna@example.edu",
        {"example.edu\\Supervisors"},
    ),
    (
        "Microsoft, Configure group claims for applications by using Microsoft Entra ID: object ids",
        {"oid": "1", "preferred_username": "anna@example.edu", "groups": [GUID]},
        "preferred_username",
        "groups",
        "anna@example.edu",
        {GUID},
    ),
    (
        "Microsoft, Configuring group claims and app roles in tokens: the claim roles, beside overage of the groups",
        {"preferred_username": "anna@example.edu", "roles": ["Viewer"], "_claim_names": {"groups": "src1"}},
        "preferred_username",
        "roles",
        "anna@example.edu",
        {"Viewer"},
    ),
    (
        "Microsoft, Customize claims to be emitted in id_token with AD FS 2016: one group is a text, not a list",
        {"upn": "anna@example.edu", "group": "Domain Users"},
        "upn",
        "group",
        "anna@example.edu",
        {"Domain Users"},
    ),
    (
        "Microsoft, Customize claims to be emitted in id_token with AD FS 2016: several groups are a list",
        {"upn": "anna@example.edu", "group": ["Domain Users", "Supervisors"]},
        "upn",
        "group",
        "anna@example.edu",
        {"Domain Users", "Supervisors"},
    ),
    (
        "Okta, Customize tokens returned from Okta with a groups claim",
        {"sub": "00u1", "preferred_username": "anna@example.edu", "groups": ["Everyone", "Supervisors"]},
        "preferred_username",
        "groups",
        "anna@example.edu",
        {"Everyone", "Supervisors"},
    ),
    (
        "Auth0, Create Custom Claims: groups and roles are restricted, so the name is a URL, which has dots",
        {"sub": "auth0|1", "email": "anna@example.edu", "email_verified": True, "https://example.edu/roles": ["a"]},
        "email",
        "https://example.edu/roles",
        "anna@example.edu",
        {"a"},
    ),
    (
        "Auth0, Use Rules with the Authorization Extension: groups below a namespace that ends in a slash",
        {"sub": "auth0|1", "https://example.edu/claims/groups": ["Clinic"], "https://example.edu/claims/roles": []},
        "sub",
        "https://example.edu/claims/groups",
        "auth0|1",
        {"Clinic"},
    ),
    (
        "Google, OpenID Connect API Reference: no groups",
        {"sub": "1107", "email": "anna@example.edu", "email_verified": True, "hd": "example.edu"},
        "email",
        "groups",
        "anna@example.edu",
        set(),
    ),
    (
        "Cloudflare, Application token: a service token has an empty sub and a common_name",
        {"sub": "", "common_name": "e367826f93b8d71185e03fe518aff3b4.access", "type": "app"},
        "common_name",
        "groups",
        "e367826f93b8d71185e03fe518aff3b4.access",
        set(),
    ),
    (
        "Cloudflare, Application token: a person has a sub and no common_name",
        {"sub": "7335d417-61da-459d-899c-0a01c76a2f94", "email": "anna@example.edu", "type": "app", "country": "US"},
        "sub",
        "groups",
        "7335d417-61da-459d-899c-0a01c76a2f94",
        set(),
    ),
    (
        "Pomerium, Continuous Identity Verification at the Application Layer: sub is the id, groups if available",
        {"sub": "1", "email": "anna@example.edu", "name": "Anna", "groups": ["clinic@example.edu"]},
        "sub",
        "groups",
        "1",
        {"clinic@example.edu"},
    ),
    (
        "Microsoft, ID token claims reference: roles are a list of texts, and oid is immutable",
        {"sub": "AAAA", "oid": GUID, "preferred_username": "anna@example.edu", "roles": ["Viewer"], "ver": "2.0"},
        "oid",
        "roles",
        GUID,
        {"Viewer"},
    ),
    (
        "Microsoft, AD FS OpenID Connect/OAuth concepts: with the scope allatclaims, an issuance rule's claims",
        {"sub": "kS1", "upn": "anna@example.edu", "unique_name": "EXAMPLE\\anna", "groups": ["Supervisors", "Staff"]},
        "upn",
        "groups",
        "anna@example.edu",
        {"Supervisors", "Staff"},
    ),
    (
        "OpenID Connect Core 1.0, 5.6.2: sources of other claims do not concern a group of another name",
        {"sub": "anna", "groups": ["src1"], "_claim_sources": {"src1": {"endpoint": "https://sso.example.edu/"}}},
        "sub",
        "groups",
        "anna",
        {"src1"},
    ),
    (
        "Shibboleth, OPAttributeResolution of the OIDC OP plugin: an attribute with one value is a text",
        {"sub": "anna", "eduPersonScopedAffiliation": "staff@example.edu"},
        "sub",
        "eduPersonScopedAffiliation",
        "anna",
        {"staff@example.edu"},
    ),
    (
        "CSCfi, shibboleth-idp-oidc-extension, OIDCByte: several values are one text, unless asArray is on",
        {"sub": "anna", "isMemberOf": "staff supervisors"},
        "sub",
        "isMemberOf",
        "anna",
        {"staff supervisors"},
    ),
]


def requirements(subject: str = "sub", groups: str = "groups", *, verified: bool = True) -> TokenRequirements:
    return TokenRequirements(
        "https://sso.example.edu", "here", ("RS256",), 30.0, subject, groups, require_verified_email=verified
    )


@pytest.mark.promise("identity-I8", "identity-I14")
@pytest.mark.parametrize(("document", "claims", "subject_claim", "groups_claim", "subject", "groups"), ROWS)
def test_claims_as_providers_send_them_name_the_person_and_the_groups(
    document: str, claims: dict[str, Any], subject_claim: str, groups_claim: str, subject: str, groups: set[str]
) -> None:
    expected = requirements(subject_claim, groups_claim)
    assert document
    assert parse_subject(claims, expected) == subject
    assert read_groups(claims, expected) == (frozenset(groups), 0)


NOBODY: list[tuple[str, dict[str, Any], str]] = [
    ("Cloudflare, Application token: a service token has no email", {"sub": "", "common_name": "e36.access"}, "email"),
    ("Cloudflare, Application token: a service token's sub is empty", {"sub": "", "common_name": "e36.access"}, "sub"),
    ("Cloudflare, Application token: a person has no common_name", {"sub": "7335d417"}, "common_name"),
    (
        "Microsoft, Access token claims reference: a token of an application has no preferred_username",
        {"sub": "1", "azp": "1", "roles": ["Viewer"]},
        "preferred_username",
    ),
    ("OpenID Connect Core 1.0, 5.1: a claim is a text, and not a list of one", {"sub": ["anna"]}, "sub"),
    ("OpenID Connect Core 1.0, 5.1: nor a number", {"sub": 7}, "sub"),
    ("OpenID Connect Core 1.0, 5.1: nor null", {"sub": None}, "sub"),
]


@pytest.mark.promise("identity-I14")
@pytest.mark.parametrize(("document", "claims", "subject_claim"), NOBODY)
def test_a_token_without_the_configured_claim_names_nobody(
    document: str, claims: dict[str, Any], subject_claim: str
) -> None:
    assert document
    with pytest.raises(InvalidCredentialsError):
        parse_subject(claims, requirements(subject_claim, verified=False))


@pytest.mark.promise("identity-I14")
@pytest.mark.parametrize(
    ("document", "claims"),
    [
        ("Cloudflare, Application token: of a person", {"sub": "1", "email": "anna@example.edu", "type": "app"}),
        ("Pomerium, Continuous Identity Verification: of a person", {"sub": "1", "email": "anna@example.edu"}),
        ("Microsoft, Optional claims reference: email", {"sub": "1", "email": "anna@example.edu", "oid": "1"}),
    ],
)
def test_an_address_without_email_verified_counts_only_if_configured(document: str, claims: dict[str, Any]) -> None:
    assert document
    with pytest.raises(InvalidCredentialsError, match="email_verified"):
        parse_subject(claims, requirements("email"))
    assert parse_subject(claims, requirements("email", verified=False)) == "anna@example.edu"


@pytest.mark.promise("identity-I9")
@pytest.mark.parametrize(
    "claims",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/"}}},
        {"hasgroups": True},
        {"hasgroups": "true", "groups": None},
        {"hasgroups": "True", "groups": []},
        {"_claim_names": {"groups": "src1"}, "groups": []},
        # Microsoft, ID token claims reference: the row groups:src1
        {"groups": "src1", "_claim_sources": {"src1": {"endpoint": "https://graph.microsoft.com/v1.0/users/1/"}}},
    ],
)
def test_groups_that_are_listed_elsewhere_are_denied_and_explained(claims: dict[str, Any]) -> None:
    with pytest.raises(GroupsElsewhereError, match="configure the provider"):
        read_groups(claims, requirements())


@pytest.mark.promise("identity-I9")
def test_a_distributed_claim_on_a_dotted_path_is_denied_and_explained() -> None:
    claims = {"_claim_names": {"realm_access": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://sso.test/"}}}
    with pytest.raises(GroupsElsewhereError):
        read_groups(claims, requirements(groups="realm_access.roles"))
    assert read_groups(claims, requirements(groups="realm_accesses.roles")) == (frozenset(), 0)


def test_an_email_address_that_is_not_verified_names_nobody() -> None:
    rows: list[Any] = [False, None, "true", 1.5, [], "True"]
    for verified in rows:
        with pytest.raises(InvalidCredentialsError):
            parse_subject({"email": "anna@example.edu", "email_verified": verified}, requirements("email"))
    claims = {"email": "anna@example.edu"}
    assert parse_subject(claims, requirements("email", verified=False)) == "anna@example.edu"


def test_a_claim_with_the_whole_name_comes_before_a_dotted_path() -> None:
    claims = {"a.b": ["whole"], "a": {"b": ["path"]}}
    assert read_groups(claims, requirements(groups="a.b"))[0] == {"whole"}
    for other in ({"a": "text"}, {"a": ["b"]}, {"a": {"c": ["x"]}}, {"a": None}, {}):
        assert read_groups(other, requirements(groups="a.b"))[0] == set()


VALUES: list[Any] = [
    "supervisors",
    "staff",
    " staff",
    "a\u00a0b",
    "x" * 256,
    "x" * 255,
    "",
    None,
    True,
    7,
    0,
    -1,
    2.5,
    float("inf"),
    float("nan"),
    10**254,
    10**255,
    -(10**400),
]
VALUES += [{"name": "admins"}, ["admins"], "\ud800", "a\nb", "Lehrkräfte", "(null)", "*"]


def exact(groups: Iterable[str]) -> set[str]:
    """Returns those of *groups* that a rule can grant by."""
    return {group for group in groups if group == group.strip()}


@pytest.mark.promise("identity-I10")
@pytest.mark.parametrize(
    "odd", [" banned", "banned ", "banned\u00a0", "ban\u200bned", "\ufeffBANNED\n", "\uff42anned\t"]
)
def test_a_group_with_spaces_or_unseen_characters_is_refused_and_grants_nothing(odd: str) -> None:
    groups, ignored = parse_groups(["staff", odd])
    identity = Identity(subject="anna", issuer="i", provider="p", kind=IdentityKind.JWT, groups=groups)
    refusing = Rule("refusing", "a", groups=frozenset({"banned"}), allow=False)
    allowing = Rule("allowing", "a", groups=frozenset({"banned", odd.strip()}))
    assert (applies_to(refusing, identity), applies_to(allowing, identity), ignored) == (True, False, 1)


@pytest.mark.promise("identity-I10")
@pytest.mark.parametrize(
    ("odd", "name"), [("locked\u2028out", "locked out"), ("locked\nout", "locked out"), ("b" * 255 + " ", "b" * 255)]
)
def test_a_group_with_an_odd_space_within_or_of_the_longest_name_is_refused(odd: str, name: str) -> None:
    groups, _ = parse_groups([odd])
    identity = Identity(subject="anna", issuer="i", provider="p", kind=IdentityKind.JWT, groups=groups)
    assert applies_to(Rule("refusing", "a", groups=frozenset({name}), allow=False), identity)


@pytest.mark.promise("identity-I10")
def test_generated_claims_grant_the_good_groups_and_never_more() -> None:
    chance = random.Random(10)
    for _ in range(sequences(500)):
        value = chance.choices(VALUES, k=chance.randrange(8))
        groups, ignored = parse_groups(value)
        assert exact(groups) == groups_of_claim(value)
        assert (ignored > 0) == any(not groups_of_claim([one]) for one in value)
        single = chance.choice(VALUES)
        assert exact(parse_groups(single)[0]) == groups_of_claim(single)


@pytest.mark.promise("identity-I15")
async def test_generated_headers_grant_the_good_groups_and_never_more() -> None:
    chance = random.Random(15)
    for _ in range(sequences(500)):
        separator = chance.choice([",", ";", "|", ", ", "::"])
        pieces = ["a", "supervisors", "\\", separator, separator, " ", "\t", "\u00a0", "(null)", "ü", "\x00"]
        text = "".join(chance.choices(pieces, k=chance.randrange(12)))
        ignored = IgnoredGroups("front", ManualClock(), Recorder())
        front = HeaderAuthenticator("front", "X-User", "X-Groups", separator, ("10.0.0.5/32",), ignored_groups=ignored)
        identity = await front.authenticate(Credentials(headers={"x-user": "anna", "x-groups": text}, peer="10.0.0.5"))
        assert identity is not None
        assert exact(identity.groups) == groups_of_header(text, separator), (text, separator)
