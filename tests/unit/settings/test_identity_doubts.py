"""Providers, claims, names, secrets and frames that cannot do what is written, each with a neighbour that can."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.settings.loading import load
from tests.unit.settings.broken import (
    HEADER,
    JWT,
    KERBEROS,
    OIDC,
    PUBLIC_KEY,
    SCOPES,
    SERVICE_KEY,
    SESSION,
    TICKET,
    grant,
    identity,
)
from tests.unit.settings.configurations import GOOD, PORTAL_KEY, load_text, private, write_keytab
from tests.unit.settings.test_identity_checks import private as private_pem

pytestmark = pytest.mark.promise("security-S16")

SECRET = "planted-Zx81kQ-secret-of-more-than-32-bytes"
STATE_DIR = '\n[state]\ndir = "state"\n'
ENTRA, TENANT = "https://login.microsoftonline.com", "72f988bf-86f1-41af-91ab-2d7cd011db47"
WITHOUT_GROUPS = 'groups_claim = "none"'
GOOGLE, GITLAB = "https://accounts.google.com", "https://gitlab.com"
LISTEN = '[server]\nlisten = "0.0.0.0:8080"\n'
BY_SECRET = TICKET.partition("public_key")[0]
HS256 = f'{BY_SECRET}algorithms = ["HS256"]\n'
WITHOUT_SECRET = OIDC.replace('client_secret = "planted-client-secret"\n', "")
SECOND = OIDC[OIDC.index("\n[[identity]]") :].replace('"login"', '"other"')
RULE = 'networks = ["192.168.0.0/16"]'
FRAME = '[branding]\nframe_ancestors = ["{}"]\n'
OTHER_SITE = "https://portal.example.org"


def front(*lines: str) -> str:
    return GOOD.replace("[server]\n", LISTEN) + HEADER + "\n".join(lines) + "\n"


def fronts(one: str, other: str, more: str = "") -> str:
    """Two header providers, with their own peers and with *more* in the second."""
    peers = HEADER.replace('"10.0.0.5/32"', one) + more.partition("|")[0]
    second = HEADER.replace('"front"', '"second"').replace('"10.0.0.5/32"', other) + more.partition("|")[2]
    return GOOD.replace("[server]\n", LISTEN) + peers + second


def only_front(rule: str, proxies: str = "[]") -> str:
    text = grant(rule).replace(JWT, "") + HEADER
    return text.replace("[server]\n", f"{LISTEN}trusted_proxies = {proxies}\n")


def sign_in(*lines: str, table: str = OIDC) -> str:
    return GOOD + table + "\n".join(lines) + STATE_DIR


def ticket(*lines: str, table: str = TICKET) -> str:
    return GOOD + table + "\n".join(lines) + STATE_DIR


def kerberos(subject: str, *lines: str, more: str = "", jwt: bool = False) -> str:
    """A Kerberos provider with *lines*, alone or with one of tokens, and a rule for the person *subject*."""
    text = GOOD.replace('groups = ["supervisors"]', f"subjects = [{json.dumps(subject)}]")
    return (
        (text if jwt else text.replace(JWT, ""))
        + SESSION
        + STATE_DIR
        + KERBEROS
        + "".join(f"{line}\n" for line in lines)
        + more
    )


def subjects(name: str) -> str:
    return GOOD.replace('groups = ["supervisors"]', f'subjects = ["{name}"]')


def exported(algorithm: object) -> str:
    """A portal's key as WebCrypto exports it, with *algorithm* as ``alg``."""
    row = {"key_ops": ["verify"], "ext": True, "alg": algorithm, "crv": "Ed25519", "x": "A" * 43, "kty": "OKP"}
    return ticket(f"public_key = '{json.dumps(row)}'", table=BY_SECRET)


FAULTS = {
    **{
        f"{claim} as the person of {kind}": (text, f"identity.{number}.subject_claim")
        for claim, kind, text, number in (
            ("iss", "tokens", identity('subject_claim = "iss"'), 0),
            ("aud", "tokens", identity('subject_claim = "aud"'), 0),
            ("jti", "tickets", ticket('subject_claim = "jti"'), 1),
            ("sid", "a sign-in", sign_in('subject_claim = "sid"'), 1),
            ("groups", "tokens", identity('subject_claim = "groups"'), 0),
        )
    },
    "a time as the groups": (identity('groups_claim = "exp"'), "identity.0.groups_claim"),
    "the groups' default header as the person's": (
        front('subject_header = "X-Forwarded-Groups"'),
        "identity.1.subject_header",
    ),
    "a secret of a portal without its algorithm": (
        ticket(f'secret = "{SECRET}"', table=BY_SECRET),
        "identity.1.algorithms",
    ),
    "a public key as a shared secret": (ticket(f"secret = {json.dumps(PORTAL_KEY)}", table=HS256), "identity.1.secret"),
    "an SSH key as a shared secret": (
        ticket(f'secret = "ssh-ed25519 {"A" * 68} planted"', table=HS256),
        "identity.1.secret",
    ),
    "a JWK of a short secret": (
        ticket("""secret = '{"kty": "oct", "k": "cGxhbnRlZA", "use": "sig"}'""", table=HS256),
        "identity.1.secret",
    ),
    "a JWK without its secret": (
        ticket("""secret = '{"kty": "oct", "kid": "planted"}'""", table=HS256),
        "identity.1.secret",
    ),
    "a JWK of no secret": (
        ticket("""secret = '{"kty": "oct", "alg": "none", "k": "cGxhbnRlZA"}'""", table=HS256),
        "identity.1.secret",
    ),
    "a JWK of a secret with two algorithms": (
        ticket(f"""secret = '{{"kty": "oct", "alg": ["HS256"], "k": "{"A" * 43}"}}'""", table=HS256),
        "identity.1.secret",
    ),
    **{
        f"a portal's key for {algorithm}": (exported(algorithm), "identity.1.public_key")
        for algorithm in ("none", "HS256", "planted", "Ed448", ["EdDSA"], {"planted": 1}, 7)
    },
    **{
        f"{realm} as a realm": (kerberos("anna").replace('"EXAMPLE.EDU"', f"'{realm}'"), "identity.0.realms.0")
        for realm in ("@EXAMPLE.EDU", "anna@EXAMPLE.EDU", "EXAMPLE\\")
    },
}
WARNINGS = {
    "a front in the network of another": (fronts('"10.0.0.0/24"', '"10.0.0.5"'), "identity.2.type"),
    "a front that another lists too": (fronts('"10.0.0.5", "10.0.0.6"', '"10.0.0.6"'), "identity.2.type"),
    "a secret that two fronts send in two headers": (
        fronts(
            '"10.0.0.5"',
            '"10.0.0.6"',
            f'secret_header = "X-One"\nsecret = "{SECRET}"\n|secret_header = "X-Two"\nsecret = "{SECRET}"\n',
        ),
        "identity.2.secret",
    ),
    "a client's secret that is that of another issuer's": (
        sign_in(table=OIDC + SECOND.replace("login.example", "other.example")),
        "identity.2.client_secret",
    ),
    "clients behind a front that may not name them": (only_front(RULE), "grants.0.networks"),
    "a refusal of clients behind a front": (only_front(f"allow = false\n{RULE}"), "grants.0.networks"),
    "clients behind a front that is not the trusted proxy": (only_front(RULE, '["10.0.0.6"]'), "grants.0.networks"),
    **{
        f"{header} as a person": (front(f'subject_header = "{header}"'), "identity.1.subject_header")
        for header in ("Cf-Access-Jwt-Assertion", "X-Amzn-Oidc-Data", "X-Forwarded-Access-Token")
    },
    "a header of tokens as groups": (front('groups_header = "X-Jwt"'), "identity.1.groups_header"),
    **{
        f"{header} as a token": (identity(f'header = "{header}"'), "identity.0.header")
        for header in ("X-Forwarded-User", "Remote-Groups", "Bearer", "Proxy-Authorization")
    },
    **{
        f"{separator} between groups": (front(f'groups_separator = "{separator}"'), "identity.1.groups_separator")
        for separator in (",;", "|,", "[;]", "','")
    },
    "a path to a person": (identity('subject_claim = "user.email"'), "identity.0.subject_claim"),
    **{
        f"{path} as a path to groups": (identity(f'groups_claim = "{path}"'), "identity.0.groups_claim")
        for path in (
            *("$.groups", "groups[*].name", "/roles", "realm_access/roles", "groups,roles", "groups roles", "group*"),
            *("resource_access", "resource_access.roles", "resource_access.valt.example.edu", "realm_access.role"),
            *("resource_access.*.roles", "resource_access.${client_id}.roles"),
        )
    },
    **{
        f"{claim} as groups at {issuer}": (
            identity(f'groups_claim = "{claim}"').replace("https://sso.example.edu", issuer),
            "identity.0.groups_claim",
        )
        for claim, issuer in (
            *(("scope", f"https://{host}") for host in ("sso.example.edu/realms/x", "x.eu.auth0.com/")),
            *(("scp", issuer) for issuer in (f"{ENTRA}/{TENANT}/v2.0", "https://adfs.example.edu/adfs")),
        )
    },
    **{
        f"{key} with {text}": (changed, key)
        for text in ("${NAME}", "{{ name }}", "$(name)")
        for key, changed in (
            ("identity.0.audience", GOOD.replace("valt-gateway", text.replace(" ", ""))),
            ("identity.1.client_id", sign_in().replace('client_id = "valt-gateway"', f'client_id = "{text}"')),
            ("valt.accounts.reviewer.username", GOOD.replace("svc-reviewer", text)),
            ("grants.0.groups", GOOD.replace('["supervisors"]', f'["{text}"]')),
        )
    },
    "two audiences with a comma": (GOOD.replace("valt-gateway", "valt-gateway,account"), "identity.0.audience"),
    "a list of audiences": (GOOD.replace('"valt-gateway"', """'["valt-gateway"]'"""), "identity.0.audience"),
    "issuer and audience of tokens the other way round": (
        identity('jwks_url = "https://sso.example.edu/keys"')
        .replace('"valt-gateway"', '"valt"')
        .replace('issuer = "https://sso.example.edu"', 'issuer = "valt-gateway"')
        .replace('audience = "valt"', 'audience = "https://sso.example.edu"'),
        "identity.0.audience",
    ),
    "issuer and audience of tickets the other way round": (
        ticket('audience = "https://portal.example.edu"').replace(
            'issuer = "https://portal', 'issuer = "https://recordings'
        ),
        "identity.1.issuer",
    ),
    "the portal as the audience of its tickets": (
        ticket('audience = "https://portal.example.edu/"'),
        "identity.1.audience",
    ),
    "clocks that differ by more than a token lives": (
        identity('max_lifetime = "1m"\nleeway = "5m"'),
        "identity.0.leeway",
    ),
    "the discovery document as the keys": (
        identity('jwks_url = "https://sso.example.edu/.well-known/openid-configuration"'),
        "identity.0.jwks_url",
    ),
    "the issuer as the keys": (identity('jwks_url = "https://sso.example.edu/"'), "identity.0.jwks_url"),
    "the issuer as the discovery document": (
        sign_in('discovery_url = "https://login.example.edu"'),
        "identity.1.discovery_url",
    ),
    **{
        f"{end} as the discovery document": (
            sign_in(f'discovery_url = "https://login.example.edu/{end}"'),
            "identity.1.discovery_url",
        )
        for end in (".well-known/jwks.json", "protocol/openid-connect/certs", "oauth2/authorize")
    },
    **{
        f"{host} as a proxy to the provider": (
            sign_in(f'proxy_url = "https://{host}.example.edu"'),
            "identity.1.proxy_url",
        )
        for host in ("login", "recordings")
    },
    **{
        f"the scope groups at {issuer}{line}": (
            sign_in(line, WITHOUT_GROUPS).replace("https://login.example.edu", issuer),
            "identity.1.scopes",
        )
        for issuer in (f"{ENTRA}/{TENANT}/v2.0", "https://x.ciamlogin.com/x/v2.0", GOOGLE, f"{GOOGLE}/", GITLAB)
        for line in ("", 'scopes = ["openid", "groups"]')
    },
    **{
        f"scopes in one text {text}": (sign_in(f'scopes = ["openid", "{text}"]'), "identity.1.scopes")
        for text in ("profile,email", "profile+email", "email%20phone", "roles;profile", "openid|groups")
    },
    "a portal in another domain": (sign_in(FRAME.format(OTHER_SITE)), "branding.frame_ancestors.0"),
    "a portal of tickets in another domain": (ticket(FRAME.format(OTHER_SITE)), "branding.frame_ancestors.0"),
    "a portal on this machine": (sign_in(FRAME.format("http://localhost:3000")), "branding.frame_ancestors.0"),
    "two realms in one text": (
        kerberos("anna").replace('"EXAMPLE.EDU"', '"EXAMPLE.EDU, OTHER.EDU"'),
        "identity.0.realms",
    ),
    "a person with a realm that is stripped": (kerberos("anna@EXAMPLE.EDU"), "grants.0.subjects"),
    "a refused person with a realm that is stripped": (
        kerberos("anna@EXAMPLE.EDU").replace("[[grants]]\n", "[[grants]]\nallow = false\n"),
        "grants.0.subjects",
    ),
    "a person of the domain with a realm that is stripped": (
        kerberos("domain#anna@EXAMPLE.EDU", jwt=True),
        "grants.0.subjects",
    ),
    "a person without the realm": (kerberos("anna", "strip_realm = false"), "grants.0.subjects"),
    "a person of the domain without the realm": (
        kerberos("domain#anna", "strip_realm = false", jwt=True),
        "grants.0.subjects",
    ),
    "a person with the realm in other letters": (
        kerberos("anna@example.edu", "strip_realm = false"),
        "grants.0.subjects",
    ),
    **{
        f"{path} as the issuer": (
            sign_in().replace("login.example.edu", f"login.example.edu/{path}"),
            "identity.1.issuer",
        )
        for path in (
            *("oauth2/authorize", "realms/x/protocol/openid-connect", "7/oauth2/v2.0/token", "jwks.json"),
            *("oauth2/v1/token", "oauth2/v1/keys", "oauth2/default/v1/keys", "o/oauth2/v2/auth", "connect/token"),
            *("openid-configuration", "oauth2/introspect"),
        )
    },
    "all tenants as the issuer": (
        GOOD.replace("sso.example.edu", "login.microsoftonline.com/common/v2.0"),
        "identity.0.issuer",
    ),
    "the placeholder of a tenant in the issuer": (
        sign_in(f'{SCOPES}discovery_url = "{ENTRA}/common/v2.0/.well-known/openid-configuration"').replace(
            "https://login.example.edu", f"{ENTRA}/{{tenantid}}/v2.0"
        ),
        "identity.1.issuer",
    ),
    "a person with the domain in front": (kerberos("EXAMPLE\\anna"), "grants.0.subjects"),
    "VALT's name of a person with a realm": (
        kerberos("anna", more='[valt.people]\n"anna@EXAMPLE.EDU" = "asmith"\n').replace(
            "[[grants]]\n", "[[grants]]\nauthor_is_me = true\n"
        ),
        "valt.people",
    ),
    "an example of a person with a realm": (
        kerberos("anna", more='[[examples]]\nsubject = "anna@EXAMPLE.EDU"\nrecording = "1"\nallowed = false\n'),
        "examples.0.subject",
    ),
    "VALT's groups of nobody": (
        kerberos("anna", more="[valt.groups]\nstaff = 7\n").replace(
            "[[grants]]\n", "[[grants]]\nshared_with_me = true\n"
        ),
        "valt.groups",
    ),
    "a provider's type in front of a person": (subjects("jwt#anna"), "grants.0.subjects"),
    "a session in front of a person": (subjects("session#anna"), "grants.0.subjects"),
    "a provider in front of a group": (
        GOOD.replace('["supervisors"]', '["campus#supervisors"]'),
        "grants.0.groups",
    ),
    **{
        f"{text.split(chr(10))[0]} as a secret": (GOOD + f"[session]\nsecret = {json.dumps(text)}\n", "session.secret")
        for text in (
            PORTAL_KEY,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----",
            f"ssh-ed25519 {'Aa1' * 20} planted",
            "/run/secrets/planted-secret-of-the-session",
            "file:///run/secrets/planted-secret-of-the-session",
            "vault:secret/data/planted-gateway#session",
            "ENC[AES256_GCM,data:planted+abc=,iv:xyz=,type:str]",
            "<put a long planted random text in here>",
            "$PLANTED_SECRET_OF_THE_GATEWAYS_SESSIONS",
            "${PLANTED_SECRET_OF_THE_GATEWAYS_SESSIONS}",
            "{{ planted.secret_of_the_gateways_sessions }}",
            '{"secret": "planted-0a1b2c3d4e5f6g7h8i9j0k"}',
            "secret: planted-0a1b2c3d4e5f6g7h8i9j0k-planted",
            "planted-CHANGE-ME-to-a-long-random-text",
            "replace_with a planted text of 32 bytes",
            "your-secret-key-which-is-planted-0a1b2c",
        )
    },
    "a path as a password": (
        GOOD.replace("planted-password", "/run/secrets/planted"),
        "valt.accounts.reviewer.password",
    ),
}
RIGHT = {
    "a front in a wider network than another's": fronts('"10.0.0.5"', '"10.0.0.0/24"'),
    "fronts of two headers": fronts('"10.0.0.5"', '"10.0.0.5"', '|subject_header = "X-Other-User"\n'),
    "one front's secret for two providers": fronts(
        '"10.0.0.5"',
        '"10.0.0.5"',
        f'secret_header = "X-Lock"\nsecret = "{SECRET}"\n'
        f'|subject_header = "X-Other-User"\nsecret_header = "x-lock"\nsecret = "{SECRET}"\n',
    ),
    "one client's secret for two providers": sign_in(table=OIDC + SECOND),
    "clients behind a trusted front": only_front(RULE, '["10.0.0.5"]'),
    "clients of a front and others": only_front(RULE) + SERVICE_KEY.format("a") + 'groups = ["supervisors"]\n',
    "names that a balancer sends": front('subject_header = "X-Amzn-Oidc-Identity"\ngroups_header = "X-Team"'),
    "tokens that oauth2-proxy sends": identity('header = "X-Forwarded-Access-Token"'),
    "two colons between groups": front('groups_separator = "::"'),
    **{
        f"the claim {claim}": identity(f'subject_claim = "{claim}"')
        for claim in ("https://example.edu/login", "urn:oid:0.9.2342.19200300.100.1.1", "client_id", "upn")
    },
    **{
        f"groups in {claim}": identity(f'groups_claim = "{claim}"')
        for claim in (
            *(
                "https://example.edu/groups",
                "example.edu/groups",
                "cognito:groups",
                "urn:zitadel:iam:roles",
                "Group Membership",
            ),
            *("resource_access.valt-gateway.roles", "realm_access.roles", "resource_access.valt.example.edu.roles"),
        )
    },
    **{
        f"{claim} as groups at {issuer}": identity(f'groups_claim = "{claim}"').replace(
            "https://sso.example.edu", issuer
        )
        for claim, issuer in (
            *(("scp", "https://x.okta.com"), ("scope", "https://uaa.example.edu/oauth/token")),
            *(("scope", "https://sso.example.edu"), ("roles", f"{ENTRA}/{TENANT}/v2.0")),
        )
    },
    "scopes as groups of tickets": ticket('groups_claim = "scope"'),
    "an audience of two words": GOOD.replace('"valt-gateway"', '"VALT Gateway"'),
    "an audience with a comma": GOOD.replace('"valt-gateway"', '"CN=valt,O=Example"'),
    "claims that a proxy took from a token": front(
        'subject_header = "X-Jwt-Claim-Sub"\ngroups_header = "X-Jwt-Claim-Groups"'
    ),
    "a token of a name of its own": identity('header = "X-Identity"'),
    "an audience of Entra": GOOD.replace('"valt-gateway"', '"api://6ecfe37c-a2e9-4f2d-b56e-847a4e730ed0"'),
    "an audience that a portal chose": ticket('audience = "urn:recordings"'),
    "a portal at the gateway's address": ticket().replace("https://portal", "https://recordings"),
    "keys at a well-known address": identity('jwks_url = "https://sso.example.edu/.well-known/jwks.json"'),
    "keys of one application": identity('jwks_url = "https://sso.example.edu/keys?appid=1"'),
    "a discovery document of one application": sign_in(
        'discovery_url = "https://login.example.edu/.well-known/openid-configuration?appid=1"'
    ),
    "a discovery document of another host": sign_in(
        'discovery_url = "https://login.internal/.well-known/openid-configuration"'
    ),
    "an outbound proxy": sign_in('proxy_url = "http://proxy.example.edu:3128"'),
    "a public client": sign_in('client_auth = "none"', table=WITHOUT_SECRET),
    **{
        f"scopes at {issuer}": sign_in(SCOPES, WITHOUT_GROUPS).replace("https://login.example.edu", issuer)
        for issuer in (f"{ENTRA}/{TENANT}/v2.0", GOOGLE, GITLAB)
    },
    **{
        f"the scope groups at {issuer}": sign_in().replace("https://login.example.edu", issuer)
        for issuer in ("https://sso.example.edu/realms/x", "https://x.okta.com", "https://gitlab.example.edu")
    },
    **{
        f"the scope {scope}": sign_in(f'scopes = ["openid", "{scope}"]')
        for scope in ("https://graph.microsoft.com/User.Read", "urn:a,b", "a+b", "https://x.example/email+profile")
    },
    "a portal in the same domain": sign_in(FRAME.format("https://portal.example.edu")),
    "a portal in another domain with cookies": sign_in(FRAME.format(OTHER_SITE)).replace(
        "[server]\n", f'[server]\ncors_origins = ["{OTHER_SITE}"]\n'
    ),
    "a portal in another domain without cookies": GOOD + FRAME.format(OTHER_SITE),
    "frames of a front that knows everybody": (sign_in(FRAME.format(OTHER_SITE)) + HEADER).replace(
        "[server]\n", LISTEN
    ),
    "a trusted realm": kerberos("anna").replace('"EXAMPLE.EDU"', '"OTHER.EDU"'),
    "a person with the realm": kerberos("anna@EXAMPLE.EDU", "strip_realm = false"),
    "a refused person with the realm in other letters": kerberos("anna@example.edu", "strip_realm = false").replace(
        "[[grants]]\n", "[[grants]]\nallow = false\n"
    ),
    **{
        f"the issuer {issuer}": GOOD.replace("sso.example.edu", issuer)
        for issuer in (
            "x.okta.com/oauth2/default",
            "login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
            "sso.example.edu/auth",
            "uaa.example.edu/oauth/token",
            "api.asgardeo.io/t/example/oauth2/token",
            "sso.example.edu/connect",
            "sso.example.edu/oauth2",
        )
    },
    "everybody with the realm": kerberos("*", "strip_realm = false"),
    "a person of tokens that looks like Kerberos'": kerberos("anna@EXAMPLE.EDU", jwt=True),
    "a key beside Kerberos": kerberos("archive", "strip_realm = false", more=SERVICE_KEY.format("archive")),
    "a service in other letters": kerberos("anna").replace("HTTP@", "http@"),
    "a guest of Entra": subjects("anna_example.org#EXT#@example.com"),
    "a group with a number sign": GOOD.replace('["supervisors"]', '["urn:geant:example.edu:group#staff"]'),
    "a secret that begins with a brace": ticket(f'secret = "{{{SECRET}"', table=HS256),
    "a JWK of a secret": ticket(
        """secret = '{"kty": "oct", "k": "cGxhbnRlZC0wYTFiMmMzZDRlNWY2ZzdoOGk5ajBrLXBsYW50ZWQ"}'""", table=HS256
    ),
    **{f"a portal's key for {algorithm}": exported(algorithm) for algorithm in ("EdDSA", "Ed25519", "", None)},
    "a notice with braces": GOOD + '[branding]\nnotice = "Rooms {A, B}: $5 (each)"\n',
    **{
        f"the password {password}": GOOD.replace("planted-password", password)
        for password in ("{planted!", "$planted1", "/planted/Ab3+x==", "planted: correct horse", "/planted")
    },
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_proves_nobody_is_a_fault_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = FAULTS[name]
    loaded = load_text(tmp_path, text)
    assert [fault.key for fault in loaded.faults] == [key]
    assert all(fault.line and fault.reason and fault.remedy for fault in loaded.faults)
    assert "planted" not in repr(loaded.faults)


@pytest.mark.parametrize("name", WARNINGS)
def test_what_hardly_proves_anybody_is_a_warning_with_its_line(tmp_path: Path, name: str) -> None:
    text, key = WARNINGS[name]
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == [key]
    assert "planted" not in repr(loaded.warnings)


@pytest.mark.parametrize("name", RIGHT)
def test_what_proves_somebody_is_neither_fault_nor_warning(tmp_path: Path, name: str) -> None:
    write_keytab(tmp_path, "HTTP/recordings.example.edu@EXAMPLE.EDU")
    private(tmp_path / "gateway.toml", RIGHT[name])
    loaded = load(tmp_path / "gateway.toml", {}, check_files=True)
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize(("realm", "meant"), [("EXAMPLE", True), ("example.edu.", True), ("OTHER", False)])
def test_a_realm_in_another_notation_than_the_keytabs_is_a_warning(tmp_path: Path, realm: str, meant: bool) -> None:
    write_keytab(tmp_path, "HTTP/recordings.example.edu@EXAMPLE.EDU")
    private(tmp_path / "gateway.toml", kerberos("anna").replace('"EXAMPLE.EDU"', f'"{realm}"'))
    loaded = load(tmp_path / "gateway.toml", {}, check_files=True)
    assert [one.key for one in (*loaded.faults, *loaded.warnings)] == ["identity.0.realms"] * meant


@pytest.mark.parametrize(
    "content", ['{"username": "svc", "password": "planted"}\n', "password: planted-1\n", PORTAL_KEY]
)
def test_a_password_file_of_another_format_is_a_warning(tmp_path: Path, content: str) -> None:
    private(tmp_path / "password", content)
    loaded = load_text(tmp_path, GOOD.replace('password = "planted-password"', 'password_file = "password"'))
    assert loaded.faults == ()
    assert [(one.key, one.line) for one in loaded.warnings] == [("valt.accounts.reviewer.password", 9)]


def test_one_key_in_two_files_of_a_portal_is_a_warning(tmp_path: Path) -> None:
    files = TICKET.replace(PUBLIC_KEY, 'public_key_files = ["old.pub", "new.pub"]\n') + STATE_DIR
    other = f'{{"kty": "OKP", "crv": "Ed25519", "x": "{"A" * 43}"}}'
    private(tmp_path / "old.pub", PORTAL_KEY)
    for new, keys in ((PORTAL_KEY, ["identity.1.public_key_files"]), (other, [])):
        private(tmp_path / "new.pub", new)
        assert [one.key for one in load_text(tmp_path, GOOD + files).warnings] == keys


def test_a_clients_key_without_its_way_to_authenticate_is_a_fault_of_that_way(tmp_path: Path) -> None:
    private(tmp_path / "key.pem", private_pem(Ed25519PrivateKey.generate()))
    (fault,) = load_text(tmp_path, sign_in('private_key_file = "key.pem"', table=WITHOUT_SECRET)).faults
    assert (fault.key, fault.remedy) == ("identity.1.client_auth", 'write "private_key_jwt"')


def test_a_clients_key_in_the_place_of_its_secret_is_a_warning(tmp_path: Path) -> None:
    private(tmp_path / "key.pem", private_pem(Ed25519PrivateKey.generate()))
    loaded = load_text(tmp_path, sign_in('client_secret_file = "key.pem"', table=WITHOUT_SECRET))
    assert (loaded.faults, [one.key for one in loaded.warnings]) == ((), ["identity.1.client_secret"])
    session = GOOD + '[session]\nsecret_file = "key.pem"\n'
    assert load_text(tmp_path, session).warnings == ()


@pytest.mark.parametrize(
    ("key", "variable"), [("secret_file", "SECRET"), ("secrets_file", "SECRET"), ("secret", "SECRET_FILE")]
)
def test_a_secret_that_a_variable_gives_too_is_a_fault_of_the_variable(tmp_path: Path, key: str, variable: str) -> None:
    private(tmp_path / "file", SECRET)
    value = SECRET if key == "secret" else "file"
    name = f"VALT_GATEWAY_SESSION__{variable}"
    environ = {name: SECRET if variable == "SECRET" else "file"}
    (fault,) = load_text(tmp_path, f'{GOOD}[session]\n{key} = "{value}"\n', environ).faults
    assert (fault.key, fault.reason) == (name, f"is given as well as {key}")
