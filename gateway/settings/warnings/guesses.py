"""What makes a secret one that others have or try first: it is printed in documentation, is a word, or is regular.

How it works: examples are compared by their SHA-256, of the bytes of a secret and of a key's public half (DER,
SubjectPublicKeyInfo), so that they are found in every layout and nothing here is a secret itself.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator

from gateway.settings.keys import essence

_PUBLISHED = {
    "c8ecc9361a05e285f04c26f9572131a6deab07e9e2b865053c6f75a4d8bd2b32": "RFC 7515, A.1",
    "6fd13c2435a361e7c588cd17f55f5ad3df0177a66c1727a6a200845f4d7ab88c": "RFC 7515, A.2",
    "2bd1bb0c44a897c30a7aa0991cde38d8062fe441de50da0f46825344f602e827": "RFC 7515, A.3",
    "51b944cdfa544d4c3273aa6bf350625a7dd53bbb6a71723274f538b19a207760": "RFC 7517, A.2",
    "ad32320cf6c596d884b05381ba573aba8ddd5749b4de8f4a23a79f9a89ddaeb2": "RFC 7517, A.2",
    "7df6f598d8f385bd68522c724bc9ed483b731af4f65fea03b70da07b16925093": "RFC 7517, A.3",
    "627771f25da426d1f9ae315e42106d700b1529850eee1592acf39603959d795d": "RFC 7520, 3.4",
    "73ec74458059c70cae3f0ade8663fe0da1dc4b114ed8cdac75364140b4458a4c": "RFC 7520, 3.5",
    "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9": "RFC 8037, A.1",
    "a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f": "RFC 8410, 10",
    "72859cbaf21a0b398b1f25712bbed148b1d85a0c6b824176eb306405caa6f0b2": "RFC 9421, B.1.2",
    "55f96361b78cbb84f1fc604b0718e82bd91abb46d8fc25ae871b35fbbf8b7974": "RFC 9421, B.1.3",
    "34571606cb7a0d71be377e671ddcccae2a169ed7733598214129231cd30c4a3c": "RFC 9421, B.1.4",
    "57ca14d520f889be5bc6d9313b442f62a4a71d63fceac507c914683a8944b4a0": "RFC 9421, B.1.5",
    "f56c8b01227f62ddbc16eb29a6ac0b310e276760a5e06302fa881a35146f6bc7": "the debugger of jwt.io, RS256",
    "37c2309b6c001277c1b3f534d48489b0d5ff9b1d82f1447b66b6d3a0a59d88b0": "the debugger of jwt.io, PS256",
    "a40f0f2e2974dc76a82df6ffe08ed0d79955c79e7ad0c20d97ae8f9246ade1c1": "the debugger of jwt.io, ES256",
    "3646d43d192884282ca5859836bd98ad5738ef86fb8bade3a9db715ac240ce5d": "the generator of jsjws, RS256",
    "88c1b21e4e62f7bc2e3527d016c81df8611aff408b3d3776fcd6ce80f2f2be4b": "the documentation of PyJWT, RS256",
    "49c206e4acc33a73a8634abda6ae09f32078fb5a3a8a9a6a9ebccf8669b12bc8": "the documentation of PyJWT, PS256",
    "ddf44bc810c7797dee26e55368cb280e0d04bea070a0bfaf1d64637de076fe5c": "the documentation of PyJWT, ES256",
    "d7ebb5567eba7379e871d982896f4f1927290b29aa4fab92aa262ea6cc9be673": "the documentation of PyJWT, EdDSA",
    "13b17cfde7fd0d8a067cadd99698170034fa9f0c1a290f3f1f2065886c17adb8": "the documentation of oauth2-proxy",
    "094b805ed9dc68193ab6820819d551fa62339182ccdc8d5b879797ee0fba6aa2": "the documentation of Tornado",
    "4d0f8dec4515d07a611c502f22adb95c854d943d6122fb8f96c9503b42356bac": "the documentation of FastAPI",
    "a5aa976fe0932dfa4e28efad79b2bdf0ab22a79a346ed3fe9e0aeda30ab3fd1d": "the documentation of Flask",
    "df6bef5e44c7d6b92a051d9f11e02bdf1b60db2ee2311815aca967cada878916": "the default settings of Grafana",
}
_WORDS = frozenset(
    {
        *("password", "passwd", "passphrase", "pass", "secret", "key", "token", "apikey", "api-key"),
        *("changeme", "changeit", "change-me", "default", "admin", "administrator", "root", "user", "guest"),
        *("test", "testing", "tester", "demo", "example", "sample", "dummy", "foo", "foobar", "bar", "hello"),
        *("letmein", "welcome", "qwerty", "abc123", "iloveyou", "monkey", "dragon", "master", "access", "none", "null"),
        *("valt", "gateway", "redis", "foobared", "supersecret", "topsecret", "mysecret", "p@ssw0rd", "passw0rd"),
        *("0", "1", "12", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789"),
        *("1234567890", "0000", "000000", "111111", "hunter2"),
    }
)
"""Passwords that everybody tries, and the defaults of programs."""
_KINDS = ("key", "secret", "token", "password")
_OF_SECRETS = rb"(session|cookie|signing|client|shared|jwt)?[-_ ]?(secret|key|token|password|passphrase)"
_EXAMPLE = re.compile(
    rb"(change|replace)[-_ ]?(me|this|it|with)(?![a-z])|placeholder"
    rb"|your[-_ ]([0-9]+[-_ ]bit[-_ ])?(secret|token|password|key)"
    rb"|secret[-_ a-z]{0,40}[-_ ]at[-_ ]least[-_ ][0-9]+[-_ ](bit|byte|char)"
    rb"|(?<![a-z0-9.])((?<=[-_])example|example(?=[-_])|(an|is|this|only) example|insecure|super[-_ ]?secret"
    rb"|(dev|development|test|tests|testing|demo)[-_ ](only|purposes)|(in|not[-_ ]for)[-_ ]prod(uction)?"
    rb"|do[-_ ]?not[-_ ](use|deploy)|please[-_ ]change|generate[-_ ]your[-_ ]own"
    rb"|(example|sample|dummy|fake|default)[-_ ]?" + _OF_SECRETS + rb")(?![a-z0-9.])"
    rb"|correct[-_ ]?horse[-_ ]?battery[-_ ]?staple",
    re.IGNORECASE,
)
"""What documentation and other products' files have where a secret belongs. The words stand alone: a random text has
letters beside them, and the name of a host has dots."""
_GUESSABLE_BYTES = 16
_FEW_CHARACTERS = 5
_NEXT = (b"9a", b"9A", b"90")


def publication_of(text: str) -> str | None:
    """Returns where *text*, a secret, or a key in PEM or as JWK, is printed together with what is secret about it, None
    if that is not certain."""
    forms = [essence(text.strip())]
    for decode in (_from_base64, bytes.fromhex):
        try:
            forms.append(decode(text.strip()))
        except ValueError:  # *text* is not written in this form
            continue
    sources = (_PUBLISHED.get(hashlib.sha256(form).hexdigest()) for form in forms)
    return next((source for source in sources if source is not None), None)


def _from_base64(text: str) -> bytes:
    """Returns the bytes of *text* in either alphabet, with padding or without. Raises ValueError if it is another."""
    plain = text.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def is_example(secret: bytes) -> bool:
    """Whether all of *secret* is a text such as "changeme"."""
    return _EXAMPLE.fullmatch(secret) is not None


def guessable(secret: bytes) -> str | None:
    """Returns why *secret* can be guessed, None if it is long enough, nobody's example, and does not repeat itself."""
    if len(secret) < _GUESSABLE_BYTES:
        return f"is shorter than {_GUESSABLE_BYTES} bytes"
    if len(set(secret)) < _FEW_CHARACTERS:
        return "repeats a few characters"
    pairs = [secret[place : place + 2] for place in range(len(secret) - 1)]
    if sum(abs(pair[0] - pair[1]) > 1 and pair not in _NEXT for pair in pairs) < _FEW_CHARACTERS:
        return "counts up or down"
    if _EXAMPLE.search(secret) is not None:
        return "is the text of an example"
    # A text that consists of repetitions is found in its own double before its end.
    period = (secret + secret).find(secret, 1)
    return "repeats a few characters" if period < min(len(secret), _GUESSABLE_BYTES) else None


def first_guesses(names: Iterable[str]) -> set[str]:
    """Returns what is tried first as a secret, whatever it is for, and of what has one of *names*."""
    bases = {base for name in names for base in (name, re.sub("[-_. ]", "", name))}
    bases |= {f"{base}{joint}{end}" for base in bases for joint in ("", "-", "_") for end in _KINDS}
    bases |= _WORDS
    cases = {form for base in bases for form in (base, base.lower(), base.upper(), base.capitalize())}
    return {f"{form}{end}" for form in cases for end in ("", "1", "123", "!")}


def hashes_of(text: str) -> Iterator[str]:
    """Yields the SHA-256 of *text* in hex: as it is and as a service key, with the ends that a line of a file has."""
    for prefix in ("", "vgk_"):
        for end in ("", "\n", "\r\n"):
            yield hashlib.sha256(f"{prefix}{text}{end}".encode()).hexdigest()
