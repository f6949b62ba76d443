"""Warnings about rules where an identity provider signs in the public: for everybody, for people by names that the
public chooses, and for groups into which the public comes by itself."""

import re
from collections.abc import Iterator

from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.identity import IdentitySettings, JwtSettings, OidcSettings
from gateway.settings.model import Settings
from gateway.settings.networks import contains_everybody
from gateway.settings.warnings.groups_of_nobody import names_groups
from gateway.validity import SERVICE_KEY_PROVIDER

_GITLAB, _GITHUB = "https://gitlab.com", "https://token.actions.githubusercontent.com"
_PUBLIC_ISSUERS = frozenset(
    {
        *("https://accounts.google.com", "https://appleid.apple.com", _GITLAB, "https://orcid.org"),
        *("https://cilogon.org", "https://www.facebook.com", "https://www.linkedin.com/oauth"),
        *(_GITHUB, "https://www.linkedin.com", "https://auth.globus.org"),
        *("https://slack.com", "https://api.login.yahoo.com", "https://discord.com", "https://id.twitch.tv/oauth2"),
        *("https://www.paypal.com", "https://www.dropbox.com", "https://access.line.me", "https://secure.login.gov"),
        *("https://sandbox.orcid.org", "accounts.google.com"),
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    }
)
"""Issuers at which anybody may have an account; the last one is that of Microsoft's accounts of persons. Google's may
have no scheme."""
_ASSIGNED = frozenset({"sub", "oid", "eppn"})
"""Claims of which the issuer decides what they say, and not the person."""
_ASSIGNED_AT = {
    "https://auth.globus.org": frozenset({"preferred_username"}),
    _GITHUB: frozenset({"repository", "repository_id", "repository_owner_id", "workflow_ref", "job_workflow_ref"}),
    _GITLAB: frozenset({"project_path", "project_id", "namespace_id", "user_id"}),
}
"""Further ones of single issuers. The username of Globus has the domain of who assigned it; a path of a repository has
a slash, which no person's name has. An owner may be a person of any name."""
_OF_ANY_JOB = frozenset(
    {
        *("environment", "environment_protected", "deployment_tier", "ref", "ref_path", "ref_type", "ref_protected"),
        *("base_ref", "head_ref", "event_name", "workflow", "pipeline_source", "runner_environment"),
        *("repository_visibility", "project_visibility"),
    }
)
"""Claims of tokens of jobs at GitHub and GitLab of which whoever has a repository there decides what they say: a job of
any repository may request any audience."""
_FOUNDED = re.compile(r"groups(_direct)?|https://gitlab\.org/claims/groups/(owner|maintainer|developer)")
"""Claims of GitLab with the paths of a person's groups, which anybody may found."""
_PATH = re.compile(r"\w[\w.-]*", re.ASCII)
"""The path of a group of GitLab that is in no other group."""


_Provider = JwtSettings | OidcSettings


def public_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule that allows everybody who is signed in, where a provider signs in the public; and
    for each that depends on who they are, or on their groups, where the public may choose that."""
    public = [
        one for one in settings.identity if isinstance(one, _Provider) and one.issuer.rstrip("/") in _PUBLIC_ISSUERS
    ]
    chosen = [one for one in public if not _is_assigned(one) and not _is_verified_email(one)]
    for number, grant in enumerate(settings.grants):
        if not grant.allow or (grant.networks and not contains_everybody(grant.networks)):
            continue
        yield from _groups_of_the_public(f"grants.{number}", grant, public, settings)
        key, is_personal = f"grants.{number}.subjects", grant.author_is_me or grant.shared_with_me
        if "*" not in grant.subjects:
            one = next((one for one in chosen if _may_claim(one, grant, settings)), None)
            if one is not None and _is_of_any_job(one, one.subject_claim):
                yield Fault(key, None, *_any_job(one, one.subject_claim, "subject_claim"))
            elif one is not None:
                reason = f"lists people, and anybody at the issuer of {one.name} may choose another person's name"
                remedy = f'write them as "PROVIDER#SUBJECT", and for those of {one.name} a verified email, or sub'
                yield Fault(key, None, reason, remedy)
        elif public and not is_personal:
            reason = f'has "*", and anybody may have an account at the issuer of {public[0].name}'
            remedy = "list people or groups, unless the issuer signs in those of one organization alone"
            yield Fault(key, None, reason, remedy)
        elif chosen:
            claim = chosen[0].subject_claim
            reason = f'has "*", and anybody at the issuer of {chosen[0].name} may choose another person\'s {claim}'
            remedy = 'write subject_claim = "sub" there, or "email" with require_verified_email = true'
            yield Fault(key, None, reason, remedy)


def _groups_of_the_public(
    entry: str, grant: GrantSettings, public: list[_Provider], settings: Settings
) -> Iterator[Fault]:
    """Yields a warning if *grant*, whose dotted key is *entry*, is for groups into which the public comes by itself. A
    group of GitLab may be the site's own; one that somebody else names too may not."""
    of_keys = {group for one in settings.service_keys for group in one.groups}
    groups = grant.groups if "*" not in grant.subjects else ()
    shared = settings.valt.groups if "*" in grant.subjects and grant.shared_with_me else ()
    for one in public:
        if groups and _is_of_any_job(one, one.groups_claim):
            yield Fault(f"{entry}.groups", None, *_any_job(one, one.groups_claim, "groups_claim"))
        if one.issuer.rstrip("/") != _GITLAB or not _FOUNDED.fullmatch(one.groups_claim):
            continue
        has_others = any(_names_other_groups(other, one) for other in settings.identity)
        for key, what, names in (("groups", "has", groups), ("shared_with_me", "asks VALT about", shared)):
            name = next((name for name in names if _PATH.fullmatch(name) and (has_others or name in of_keys)), None)
            if name is not None:
                reason = f"{what} {name[:64]!r}, which at the issuer of {one.name} is a group that anybody may found"
                remedy = f'write groups_claim = "none" for {one.name}, or its groups by their paths, as "site/staff"'
                yield Fault(f"{entry}.{key}", None, reason, remedy)


def _names_other_groups(provider: IdentitySettings, public: _Provider) -> bool:
    """Whether *provider* names groups, and has another issuer than *public*."""
    return names_groups(provider) and getattr(provider, "issuer", "").rstrip("/") != public.issuer.rstrip("/")


def _is_of_any_job(provider: _Provider, claim: str) -> bool:
    return provider.issuer.rstrip("/") in (_GITHUB, _GITLAB) and claim in _OF_ANY_JOB


def _any_job(provider: _Provider, claim: str, key: str) -> tuple[str, str]:
    """Returns reason and remedy where *claim*, which is the value of *key*, is that of a job of any repository."""
    reason = f"is for jobs of any repository at the issuer of {provider.name}: who has one chooses its {claim}"
    path = "repository" if provider.issuer.rstrip("/") == _GITHUB else "project_path"
    return reason, f'write {key} = "{path}" there, and list the paths of your own'


def _is_assigned(provider: _Provider) -> bool:
    """Whether the issuer decides what the subject of *provider* says."""
    return provider.subject_claim in _ASSIGNED | _ASSIGNED_AT.get(provider.issuer.rstrip("/"), frozenset())


def _is_verified_email(provider: _Provider) -> bool:
    return provider.subject_claim == "email" and provider.require_verified_email


def _may_claim(provider: _Provider, grant: GrantSettings, settings: Settings) -> bool:
    """Whether somebody at *provider* may choose the name of one of the people of *grant*: an e-mail address, or a name
    that somebody at another provider has, or what a job of any repository says. Other names belong to one account."""
    others = {one.name for one in settings.identity} - {provider.name} | {SERVICE_KEY_PROVIDER}
    people = [name for name in grant.subjects if name.partition("#")[0] not in others]
    keys = {key.name for key in settings.service_keys}
    is_of_any = any("#" not in name and (len(settings.identity) > 1 or name in keys) for name in people)
    is_free = provider.subject_claim == "email" or _is_of_any_job(provider, provider.subject_claim)
    return bool(people) and (is_free or is_of_any)
