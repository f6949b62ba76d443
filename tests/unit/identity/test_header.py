"""Identities in headers of a fronting proxy, accepted from listed socket peers only."""

import pytest

from gateway.errors import InvalidCredentialsError
from gateway.identity.header import HeaderAuthenticator
from gateway.identity.ignored_groups import IgnoredGroups
from gateway.model import Credentials, Secret
from tests.support.clock import ManualClock
from tests.support.header_groups import JOINED, MOD_SHIB
from tests.support.recorder import Recorder

PROXY = "10.0.0.5"


def shibboleth(*networks: str, secret: str | None = None, separator: str = ",") -> HeaderAuthenticator:
    return HeaderAuthenticator(
        "shibboleth",
        "X-Forwarded-User",
        "X-Forwarded-Groups",
        separator,
        networks or ("10.0.0.5/32", "fd00::/8"),
        "X-Proxy-Secret" if secret else "",
        Secret(secret) if secret else None,
        ignored_groups=IgnoredGroups("shibboleth", ManualClock(), Recorder()),
    )


def credentials(
    subject: str = "anna", groups: str | None = None, peer: str | None = PROXY, **others: str
) -> Credentials:
    headers = {"x-forwarded-user": subject, **others}
    if groups is not None:
        headers["x-forwarded-groups"] = groups
    return Credentials(headers=headers, peer=peer)


async def test_a_listed_peer_states_the_subject_and_groups() -> None:
    identity = await shibboleth().authenticate(credentials(groups="staff, supervisors,,"))
    assert identity is not None
    assert (identity.subject, identity.issuer, identity.provider) == ("anna", "shibboleth", "shibboleth")
    assert (identity.kind, identity.groups) == ("header", frozenset({"staff", "supervisors"}))


@pytest.mark.parametrize("peer", ["10.0.0.6", "127.0.0.1", "::1", "10.0.0.5.example.edu", "", "fe80::1%eth0", None])
async def test_from_other_peers_the_headers_are_ignored(peer: str | None) -> None:
    assert await shibboleth().authenticate(credentials(peer=peer)) is None
    assert await shibboleth(secret="lock").authenticate(credentials(peer=peer)) is None


@pytest.mark.parametrize("peer", ["10.0.0.5", "::ffff:10.0.0.5", "fd00::7"])
async def test_a_peer_is_recognised_in_every_notation_of_its_address(peer: str) -> None:
    assert await shibboleth().authenticate(credentials(peer=peer)) is not None


async def test_a_unix_socket_must_be_listed_as_unix() -> None:
    assert await shibboleth("unix").authenticate(credentials(peer=None)) is not None
    assert await shibboleth("unix").authenticate(credentials(peer="127.0.0.1")) is None
    assert await shibboleth("0.0.0.0/0", "::/0").authenticate(credentials(peer=None)) is None


async def test_without_a_subject_header_there_is_no_identity() -> None:
    assert await shibboleth().authenticate(Credentials(peer=PROXY)) is None
    assert await shibboleth().authenticate(Credentials(headers={"x-forwarded-groups": "staff"}, peer=PROXY)) is None


@pytest.mark.parametrize("name", ["x_forwarded_user", "X_Forwarded-User", "x-forwarded_user", "x-forwarded-user "])
async def test_an_alias_of_the_header_is_never_read(name: str) -> None:
    assert await shibboleth().authenticate(Credentials(headers={name: "mallory"}, peer=PROXY)) is None


INVALID_NAMES = [
    " anna",
    "anna ",
    "a\nb",
    "a\rb",
    "a\x00b",
    "a\tb",
    "a\x7fb",
    "a\u2028b",
    "\udcff",
    "\ud800",
    "x" * 256,
]


@pytest.mark.parametrize("subject", INVALID_NAMES, ids=ascii)
async def test_a_subject_that_is_not_a_valid_name_is_refused(subject: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        await shibboleth().authenticate(credentials(subject))


@pytest.mark.promise("identity-I2")
@pytest.mark.parametrize("subject", ["", " ", "\t", "(null)", " (null) "])
async def test_a_blank_subject_or_apaches_null_is_no_identity(subject: str) -> None:
    assert await shibboleth().authenticate(credentials(subject, groups="supervisors")) is None
    assert await shibboleth(secret="lock").authenticate(credentials(subject)) is None


@pytest.mark.promise("identity-I10")
@pytest.mark.parametrize("odd", ["a\x00b", "a\nb", "\udcff", "x" * 256, "\u00a0", "a\u00a0b"], ids=ascii)
async def test_a_group_that_is_not_a_valid_name_is_ignored_and_the_others_count(odd: str) -> None:
    identity = await shibboleth().authenticate(credentials(groups=f"staff,{odd},clinic"))
    assert identity is not None
    assert {group for group in identity.groups if group == group.strip()} == {"staff", "clinic"}


@pytest.mark.promise("identity-I15")
@pytest.mark.parametrize(
    ("text", "groups"),
    [
        (r"x\;supervisors", {"x;supervisors"}),
        (r"p\\;q", {r"p\;q"}),
        (r"a\b;c", {r"a\b", "c"}),
        (r"a;b\;c\;d;e", {"a", "b;c;d", "e"}),
        (r"\;", {";"}),
        ("a;;b; ;c;", {"a", "b", "c"}),
        ("(null)", set()),
    ],
)
async def test_a_separator_after_a_backslash_belongs_to_the_name(text: str, groups: set[str]) -> None:
    identity = await shibboleth(separator=";").authenticate(credentials(groups=text))
    assert identity is not None
    assert identity.groups == groups


@pytest.mark.promise("identity-I15")
@pytest.mark.parametrize(("sent", "text", "groups"), [*MOD_SHIB, *JOINED])
async def test_groups_are_read_as_apaches_modules_write_them(sent: list[str], text: str, groups: set[str]) -> None:
    identity = await shibboleth(separator=";").authenticate(credentials(groups=text))
    assert identity is not None
    assert identity.groups == groups
    assert len(groups) <= len(sent)


async def test_names_in_any_language_are_accepted() -> None:
    identity = await shibboleth().authenticate(credentials("Zoë Müller-Łukasz 李", groups="Lehrkräfte"))
    assert identity is not None
    assert identity.subject == "Zoë Müller-Łukasz 李"


async def test_groups_are_split_at_the_configured_separator() -> None:
    identity = await shibboleth(separator=";").authenticate(credentials(groups="cn=staff,dc=edu;cn=clinic,dc=edu"))
    assert identity is not None
    assert identity.groups == {"cn=staff,dc=edu", "cn=clinic,dc=edu"}


async def test_with_a_secret_header_only_the_right_secret_is_accepted() -> None:
    locked = shibboleth(secret="lock")
    assert await locked.authenticate(credentials(**{"x-proxy-secret": "lock"})) is not None
    for wrong in ("", "Lock", "lock ", "lockk", "löck", "\udcff"):
        with pytest.raises(InvalidCredentialsError):
            await locked.authenticate(credentials(**{"x-proxy-secret": wrong}))
    with pytest.raises(InvalidCredentialsError):
        await locked.authenticate(credentials())
