"""Broken files, each made from a good one by one change. expected_faults.txt has the faults that each must report."""

import hashlib
import json

from tests.unit.settings.configurations import GOOD, PORTAL_KEY

PUBLIC_KEY = f"public_key = {json.dumps(PORTAL_KEY)}\n"
TICKET = f"""
[session]
secret = "planted-session-secret-of-more-than-32-bytes"

[[identity]]
type = "ticket"
name = "portal"
issuer = "https://portal.example.edu"
{PUBLIC_KEY}"""
OIDC = """
[session]
secret = "planted-session-secret-of-more-than-32-bytes"

[[identity]]
type = "oidc"
name = "login"
issuer = "https://login.example.edu"
client_id = "valt-gateway"
client_secret = "planted-client-secret"
"""
SCOPES = 'scopes = ["openid", "profile", "email"]\n'
HEADER = """
[[identity]]
type = "header"
name = "front"
from = ["10.0.0.5/32"]
"""
GRANT = """
[[grants]]
name = "more"
groups = ["trainees"]
recordings = ["*"]
account = "reviewer"
"""
STATE = """
[state]
url = "redis://valt:planted@127.0.0.1"
secret = "planted secret of more than thirty-two bytes"
"""
SERVICE_KEY = f'\n[[service_keys]]\nname = "{{}}"\nsecret_sha256 = "{"0" * 64}"\n'
SESSION = TICKET.partition("[[")[0]
KERBEROS = """
[[identity]]
type = "negotiate"
name = "domain"
keytab_file = "http.keytab"
service = "HTTP@recordings.example.edu"
realms = ["EXAMPLE.EDU"]
"""
JWT = GOOD[GOOD.index("[[identity]]") : GOOD.index("[[grants]]")]


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def server(line: str) -> str:
    return changed("[server]\n", f"[server]\n{line}\n")


def valt(line: str) -> str:
    return changed("[valt]\n", f"[valt]\n{line}\n")


def identity(line: str) -> str:
    return changed('type = "jwt"\n', f'type = "jwt"\n{line}\n')


def grant(line: str) -> str:
    return changed("[[grants]]\n", f"[[grants]]\n{line}\n")


BROKEN: dict[str, str] = {
    "not TOML": changed("[valt]", "[valt"),
    "an unterminated string": GOOD + 'planted = "secret\n',
    "a truncated file": GOOD + 'subjects = ["anna", ',
    "a table that occurs twice": GOOD + "[server]\n",
    "a misspelt key": server("trusted_proxys = []"),
    "a misspelt table": GOOD + "[limit]\nstreams = 5\n",
    "a misspelt key of an array's table": grant('subject = ["anna"]'),
    "a key that resembles no other": server('colour = "blue"'),
    "a misspelt key of a secret's file": GOOD + SESSION.replace("secret =", "secret_fiel ="),
    "no public_url": changed('public_url = "https://recordings.example.edu"\n', ""),
    "no [valt]": "[server]\n"
    + GOOD.partition("[server]\n")[2].partition("[valt]")[0]
    + "[[identity]]"
    + GOOD.partition("[[identity]]")[2].partition("[[grants]]")[0],
    "a duration that is a number": valt("read_timeout = 30"),
    "a duration without a unit": valt('read_timeout = "30"'),
    "a duration that overflows": GOOD + SESSION + 'lifetime = "99999999999d"\n',
    "durations of zero": GOOD.replace(
        "[valt]\n", '[valt]\nconnect_timeout = "0s"\nread_timeout = "0ms"\ntoken_ttl = "0h"\n'
    )
    + '[streams]\nupstream_idle = "0s"\nviewer_idle = "0s"\n[limits]\nrequest_timeout = "0s"\n',
    "durations without bound": valt('connect_timeout = "6m"\nread_timeout = "2h"\ntoken_ttl = "31d"')
    + '[streams]\nupstream_idle = "2d"\nviewer_idle = "8d"\n[limits]\nrequest_timeout = "11m"\n'
    + '[links]\nmargin = "2h"\nmin_life = "2d"\nnegative_ttl = "2h"\n[recordings]\nttl = "2h"\n',
    "a drain without bound": server('drain_timeout = "2d"\nshutdown_delay = "2d"'),
    "a rule for recordings of no age": grant('created_within = "0s"'),
    "a count below its minimum": GOOD + "[limits]\nstreams = 0\n",
    "text instead of a number": GOOD + '[limits]\nstreams = "many"\n',
    "text instead of a list": changed('recordings = ["*"]', 'recordings = "*"'),
    "public_url over http": changed("https://recordings", "http://recordings"),
    "public_url with a path": changed("https://recordings.example.edu", "https://recordings.example.edu/videos"),
    "an issuer over http": changed("https://sso", "http://sso"),
    "base_url that is not a URL": changed("https://valt.example.edu", "valt.example.edu"),
    "base_url with a password": changed("https://valt.example.edu", "https://svc:planted@valt.example.edu"),
    "a media host without its port": valt('media_hosts = ["media.example.edu"]'),
    "a media host with a wildcard": valt('media_hosts = ["*:443", "*.example.edu:8000"]'),
    "a media host that is not a host": valt('media_hosts = ["media example.edu:8000", "https://media.example.edu:1"]'),
    "base_url with VALT's API path": changed("https://valt.example.edu", "https://valt.example.edu/api/v3"),
    "base_url with a path below VALT's API": changed(
        "https://valt.example.edu", "https://valt.example.edu/API/v3/login"
    ),
    "listen with a port only": server('listen = "8080"'),
    "listen with a socket that systemd cannot name": server('listen = "systemd:a:b"'),
    "admin on the public listener": server('listen = "127.0.0.1:9464"'),
    "admin on the public listener's port": server('listen = "0.0.0.0:9464"'),
    "a unix socket with a long path": server(f'listen = "unix:/{"x" * 107}"'),
    "an admin host with a wildcard": GOOD + '[admin]\nhosts = ["*.example.edu", "gateway.example.edu:9464"]\n',
    "workers that are no number": server('workers = "many"'),
    "a certificate without its key": server('tls_cert_file = "cert.pem"'),
    "an embedding portal without https": changed("https://recordings.example.edu", "http://localhost:8080").replace(
        "[server]\n", '[server]\ncors_origins = ["https://portal.example.org"]\n'
    ),
    "every address as a trusted proxy": server('trusted_proxies = ["0.0.0.0/0"]'),
    "every address as trusted proxies in two halves": server('trusted_proxies = ["0.0.0.0/1", "128.0.0.0/1"]'),
    "an IPv4-mapped network": server('trusted_proxies = ["::ffff:10.0.0.0/104"]'),
    "a network with host bits": server('trusted_proxies = ["10.0.0.5/8"]'),
    "an identity of an unknown type": changed('type = "jwt"', 'type = "saml"'),
    "an identity without a type": changed('type = "jwt"\n', ""),
    "no identity at all": GOOD.partition("[[identity]]")[0] + "[[grants]]" + GOOD.partition("[[grants]]")[2],
    "the algorithm none": identity('algorithms = ["none"]'),
    "no algorithm": identity("algorithms = []"),
    "a shared secret for a provider's tokens": identity('algorithms = ["RS256", "HS256"]'),
    "a header provider without addresses": GOOD + HEADER.replace('from = ["10.0.0.5/32"]\n', ""),
    "a header provider with every address": GOOD + HEADER.replace("10.0.0.5/32", "::/0"),
    "a header provider with every address in two halves": GOOD + HEADER.replace("10.0.0.5/32", '::/1", "8000::/1'),
    "an invalid header name": GOOD + HEADER + 'subject_header = "X User"\n',
    "a reserved header name": GOOD + HEADER + 'subject_header = "Cookie"\n',
    "a header used for two things": GOOD + HEADER + 'groups_header = "x-forwarded-user"\n',
    "a header that clients send": GOOD + HEADER + 'subject_header = "X-Request-ID"\ngroups_header = "Authorization"\n',
    "an invalid name of the secret's header": GOOD + HEADER + 'secret_header = "X Lock"\nsecret = "planted"\n',
    "a secret's header without the secret": GOOD + HEADER + 'secret_header = "X-Lock"\n',
    "a provider with the name of sessions": GOOD + HEADER.replace('"front"', '"session"'),
    "a provider with the name of service keys": GOOD + HEADER.replace('"front"', '"Service_Key"'),
    "a rule for an id in a spelling that no request has": changed(
        'recordings = ["*"]', 'recordings = ["007", "6ECFE37C-a2e9-4f2d-b56e-847a4e730ed0"]'
    ),
    "an example for an id in a spelling that no request has": GOOD
    + '[[examples]]\nsubject = "anna"\nrecording = "007"\nallowed = false\n',
    "a service key whose secret is empty": GOOD
    + SERVICE_KEY.format("archive").replace("0" * 64, hashlib.sha256(b"\n").hexdigest()),
    "NUL characters": GOOD + '[state]\ndir = "a\\u0000b"\n[branding]\nframe_ancestors = ["https://a.example\\u0000"]\n',
    "a directory that is not text": GOOD + "[state]\ndir = 7\n",
    "a leeway over 5m": identity('leeway = "1d"'),
    "a leeway of browser sign-in over 5m": GOOD + OIDC + 'leeway = "301s"\n',
    "a max_lifetime of zero": identity('max_lifetime = "0s"'),
    "a ticket max_age over 10m": GOOD + TICKET + 'max_age = "30d"\n',
    "a ticket max_age of zero": GOOD + TICKET + 'max_age = "0s"\n',
    "a ticket without a session": GOOD + "[[" + TICKET.partition("[[")[2],
    "browser sign-in without a session": GOOD + "[[" + OIDC.partition("[[")[2],
    "tickets by secret and by key at once": GOOD + TICKET + 'algorithms = ["HS256", "EdDSA"]\n',
    "a ticket secret that is short": GOOD + TICKET.replace(PUBLIC_KEY, 'secret = "planted"\nalgorithms = ["HS256"]\n'),
    "a ticket without a key": GOOD + TICKET.replace(PUBLIC_KEY, ""),
    "an invalid ticket key": GOOD + TICKET.replace(PUBLIC_KEY, 'public_key = "garbage"\n'),
    "a ticket key of another algorithm": GOOD + TICKET + 'algorithms = ["ES256"]\n',
    "a client without its secret": GOOD + OIDC.replace('client_secret = "planted-client-secret"\n', ""),
    "scopes without openid": GOOD + OIDC + 'scopes = ["email"]\n',
    "a frame ancestor with a further directive": GOOD + '[branding]\nframe_ancestors = ["https://a; script-src *"]\n',
    "a frame ancestor with a wildcard": GOOD + '[branding]\nframe_ancestors = ["*", "https://*.example.edu"]\n',
    "a frame ancestor that is a keyword": GOOD + """[branding]\nframe_ancestors = ["'self'", "data:", "https:"]\n""",
    "a help_url with a script": GOOD + '[branding]\nhelp_url = "javascript:alert(1)"\n',
    "a help_url with a hidden line break": GOOD + '[branding]\nhelp_url = "java\\nscript:alert(1)"\n',
    "a help_url over http": GOOD + '[branding]\nhelp_url = "http://help.example.edu"\n',
    "a help_url with markup": GOOD + """[branding]\nhelp_url = 'https://help.example.edu/"><script>'\n""",
    "an embedding portal with a wildcard": server('cors_origins = ["https://*.example.edu"]'),
    "an issuer with a script": changed("https://sso.example.edu", "javascript:alert(1)"),
    "a jwks_url with a line break": identity('jwks_url = "https://sso.example.edu/\\nkeys"'),
    "a jwks_url with a fragment": identity('jwks_url = "https://sso.example.edu/keys#first"'),
    "a jwks_url with a fragment after its query": identity('jwks_url = "https://sso.example.edu/keys?a=1#first"'),
    "a discovery_url with a space in its query": identity('discovery_url = "https://sso.example.edu/config?a= 1"'),
    "a discovery_url that is a query": identity('discovery_url = "?appid=1"'),
    "a discovery_url over http with a query": identity('discovery_url = "http://sso.example.edu/config?a=1"'),
    "a logo that does not exist": GOOD + '[branding]\nlogo_file = "nowhere.svg"\n',
    "a logo that is not an image": GOOD + '[branding]\nlogo_file = "/etc/hostname"\n',
    "a session secret that is short": GOOD + '[session]\nsecret = "planted"\n',
    "a session without a secret": GOOD + '[session]\nidle = "1h"\n',
    "a session whose idle is above its lifetime": GOOD + SESSION + 'lifetime = "1h"\nidle = "2h"\n',
    "a session without a lifetime": GOOD + SESSION + 'lifetime = "0s"\n',
    "a secret given twice": changed(
        'password = "planted-password"', 'password = "planted-password"\npassword_file = "nowhere"'
    ),
    "a secret's file that does not exist": changed('password = "planted-password"', 'password_file = "nowhere"'),
    "a secret's variable that is not set": changed('password = "planted-password"', 'password_env = "NOWHERE"'),
    "a password that is empty": changed("planted-password", ""),
    "a password that is a number": changed('"planted-password"', "123456"),
    "an account without a password": changed('password = "planted-password"\n', ""),
    "an account with an invalid name": GOOD + '[valt.accounts."on leave"]\nusername = "svc"\npassword = "planted"\n',
    "an unknown account": changed('account = "reviewer"', 'account = "reviever"'),
    "a rule for nobody": changed('groups = ["supervisors"]\n', ""),
    "a rule for no recording": changed('recordings = ["*"]', "recordings = []"),
    "a rule for an invalid recording id": changed('recordings = ["*"]', 'recordings = ["614", "Session 1451"]'),
    "a rule on sharing without any VALT id": grant("shared_with_me = true") + '[valt.people]\nanna = "asmith"\n',
    "a rule on sharing with people of whom no id is given": GOOD.replace(
        'groups = ["supervisors"]', 'subjects = ["campus#Anna", "ben"]\nshared_with_me = true'
    )
    + '[valt.people]\nanna = 7\nben = "bsmith"\n',
    "a rule for nobody after one for everybody": GOOD.replace('groups = ["supervisors"]', 'subjects = ["*"]')
    + GRANT.replace('groups = ["trainees"]\n', ""),
    "a rule that an earlier one shadows": GOOD + GRANT.replace("trainees", "supervisors"),
    "a rule that one for everybody shadows": GOOD
    + GRANT.replace('groups = ["trainees"]', 'subjects = ["*"]')
    + GRANT.replace("more", "most"),
    "two rules with one name": GOOD + GRANT.replace("more", "supervisors"),
    "a rule until a number": grant("valid_until = 20270630"),
    "a rule until a time": grant("valid_until = 2027-06-30T12:00:00Z"),
    "a rule until no day": grant('valid_until = "June"'),
    "a rule from before all days": grant("valid_from = 0001-01-01"),
    "an unknown delivery": grant('delivery = "redirekt"'),
    "a service key in clear text": GOOD + '[[service_keys]]\nname = "archive"\nsecret_sha256 = "vgk_planted"\n',
    "two service keys with one hash": GOOD + SERVICE_KEY.format("one") + SERVICE_KEY.format("two"),
    "an example with an invalid address": GOOD
    + '[[examples]]\nsubject = "a"\nrecording = "1"\nallowed = true\nclient = "x"\n',
    "an example without an outcome": GOOD + '[[examples]]\nsubject = "anna"\nrecording = "1"\n',
    "a person mapped to a list": GOOD + "[valt.people]\nanna = [1]\n",
    "an audit without a file": GOOD + '[audit]\nfile = ""\n',
    "a fault after a list of lists": GOOD.replace('["supervisors"]', '[\n  ["supervisors"],\n]'),
    "a state in two places": GOOD + STATE.replace("[state]", '[state]\ndir = "state"'),
    "a shared state without a secret": GOOD + STATE.partition("secret =")[0],
    "a short secret of the state": GOOD + STATE.replace(" of more than thirty-two bytes", ""),
    "a state at another URL": GOOD + STATE.replace("redis:", "http:"),
    "Sentinels without a service": GOOD + STATE.replace("redis:", "redis+sentinel:"),
    "two servers without Sentinels": GOOD + STATE.replace("@127.0.0.1", "@one,two"),
    "an unknown parameter of Redis": GOOD + STATE.replace("127.0.0.1", "127.0.0.1?ssl_cert_reqs=none"),
    "traces to no URL": GOOD + '[tracing]\notlp_endpoint = "127.0.0.1:4318"\n',
    "a share of more than one": GOOD + "[tracing]\nsample_ratio = 1.5\n",
    "a share that is no number": GOOD + "[tracing]\nsample_ratio = nan\n",
    "an unknown log level": GOOD + '[log]\nlevel = "verbose"\n',
}
