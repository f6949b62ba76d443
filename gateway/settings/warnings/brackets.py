"""Whether the brackets in a glob are hardly meant as what they are, a class: one character of those that they list."""

import re
import unicodedata
from collections.abc import Iterator

_CLASS = re.compile(r"\[(!?+)(\]?+[^\]]*)\]")
"""A class as fnmatch reads it: a bracket that closes is one of its characters if it is the first."""
_RANGE = re.compile(r"(\w)-(\w)")
_RUN = re.compile(r"[1-9]+|[A-Z]+|[a-z]+")
"""Characters that a class lists in their order. A zero stands before or after other digits, and umlauts anywhere."""
_NUMBERS = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
"""All of a class: "1-12" is 1 and 2. "13-5" is 1 and 3 to 5, and "1-35-7" is 1 to 3 and 5 to 7."""
_ANY_RANGE = re.compile(r"(.)-(.)", re.DOTALL)
"""A range as fnmatch reads it."""
_SPACED_RANGE = re.compile(r"([^\W_])(\s*+[-\u2010-\u2015\u2212]\s*+)([^\W_])")
"""A range with spaces around its hyphen, or with another dash, which is none."""
_UNCLOSED = re.compile(r"\[!?+([^\W_])-([^\W_])([)}>]|[^*?\[]*+\Z)")
_UNOPENED = re.compile(r"(?:[^*?\[\]]*|[^\[\]]*[({<])([^\W_])-([^\W_])\]")
"""A range in a bracket that does not close, or open, where another one does, or no wildcard stands for it."""
_ESCAPED = re.compile(r"(?:\A|(?<=[\s({]))\\[*?()]|(?<=\*)\\\*\*|(?<=\*)\\([*?])\w[^*?\\]*+\\\1\*|\\\([^()]*+(?<=\\)\)")
"""A backslash before a wildcard or a parenthesis that ends no domain and no folder, as `CAMPUS\\*` and `*\\*` do, and
`\\\\server\\*Films\\*`; `*\\*confidential\\**` is plainly a text between stars."""
_WORDS = re.compile(r"[^\W\d_]{2}[ -][^\W\d_]{2}")
_WORD = re.compile(r"[^\W\d_]{3,}")
_SHORTEST_WORD = 4
_SERIES = frozenset(
    {
        *("NESW", "NSEW", "MTWRF", "MTWRFS", "MTWRFSU", "UMTWRFS", "LMXJV", "LMXJVS", "LMXJVSD"),
        *("IVXL", "IVXLC", "IVXLCD", "IVXLCDM"),
    }
)
"""Letters in another order than that of the alphabet: points of the compass, days of the week, Roman numerals."""


def instead_of_negation(*, allow: bool) -> str:
    """Returns the remedy for what excludes nothing in a rule that allows, or refuses."""
    return f"{'refuse those by a rule with allow = false' if allow else 'allow those by a rule'} before this one"


def bracket_doubts(glob: str, *, allow: bool) -> Iterator[tuple[str, str]]:
    """Yields reason and remedy if a class in *glob*, of a rule that allows or refuses, is plainly a word, a phrase,
    numbers, or one character, which needs no class; or if a range in it is none. A class such as "[ABDE]", "[aeiou]"
    or "[0-9A-F]" lists its characters in order, and each once."""
    text = unicodedata.normalize("NFC", glob)
    closed = text[: text.rfind("]") + 1]  # else each bracket would seek its end in all the rest
    for match in _CLASS.finditer(closed):
        is_negated, characters = match.groups()
        reason = f"has {match[0][:64]!r}, which stands for one character"
        is_marked = _is_marked(match)
        if not is_marked and _is_range_of_numbers(characters):
            yield f"{reason}, not for a range of numbers", 'list them, as "Room [1-9]", "Room 1[0-2]"'
        elif not is_marked and is_negated and _is_text(characters):
            yield f"{reason} and excludes no text", instead_of_negation(allow=allow)
        elif is_marked or _is_text(characters):
            literal = f"{is_negated}{characters}".lstrip("[").rstrip("\\")[:64]
            yield f"{reason}, not for the text in brackets", f'write "[[]" for the bracket itself, as "[[]{literal}]*"'
        elif not is_negated and len(characters) == 1 and characters.isalnum():
            remedy = f'write {characters} alone, or "[[]" for the bracket itself, as "[[]{characters}]*"'
            yield f"{reason}, not for the text in brackets", remedy
        else:
            yield from _range_doubts(characters)
    slip = _UNCLOSED.search(text, len(closed)) or _UNOPENED.match(text)
    if slip is not None and _is_in_order(slip[1], slip[2]):
        reason = (
            f"has {f'{slip[1]}-{slip[2]}'!r} at a bracket that does not close, or open, which is a part of the text"
        )
        yield reason, f'write it as "[{slip[1]}-{slip[2]}]"'
    if _ESCAPED.search(_CLASS.sub("[]", closed) + text[len(closed) :]):
        reason = "has a backslash before a wildcard or a parenthesis, and it is part of the text"
        yield reason, 'write "[*]" or "[?]" for the character itself; "(" and ")" stand for themselves'
    if "\\]" in _CLASS.sub("", closed):
        yield "has a backslash before a bracket, and it is part of the text", 'leave it out: "]" stands for itself'


def _range_doubts(characters: str) -> Iterator[tuple[str, str]]:
    """Yields reason and remedy for each range among *characters*, those between brackets, that stands for none or is
    not read as a range."""
    spaced = [one for one in _SPACED_RANGE.findall(characters) if one[1] != "-" and _is_in_order(one[0], one[2])]
    for first, sign, last in spaced:
        reason = f"has {f'{first}{sign}{last}'[:64]!r} in brackets, which is no range: it has a space, or another dash"
        yield reason, f'write it as "[{first}-{last}]"'
    for first, last in () if spaced else _ANY_RANGE.findall(characters):
        if first > last:
            reason = f"has {f'{first}-{last}'!r} in brackets, a range in the wrong order, which stands for no character"
            yield reason, 'write it in order, as "[0-9]", "[a-z]" or "[A-Za-z]", and a hyphen itself as the last'


def _is_marked(match: re.Match[str]) -> bool:
    """Whether the brackets of a class are escaped or doubled, as in "\\[A1\\]" or "[[A1]]": a text plainly stands
    in them, however short."""
    start, end = match.span()
    before, after = match.string[max(start - 1, 0) : start], match.string[end : end + 1]
    is_negated, characters = match.groups()
    is_doubled = not is_negated and characters.startswith("[") and len(characters) > 1 and after == "]"
    return is_doubled or (before == "\\" and characters.endswith("\\"))


def _is_range_of_numbers(characters: str) -> bool:
    match = _NUMBERS.fullmatch(characters)
    return match is not None and len(characters) > len("1-9") and int(match[1]) < int(match[2])


def _is_text(characters: str) -> bool:
    """Whether *characters*, those between brackets, are plainly a text: after its ranges something is listed twice, or
    four or more characters in no order, or two words, or a word of three or more letters of which the first alone is a
    capital, as "Test". A class such as "[Aaä]" lists that letter in both cases first."""
    if characters.upper() in _SERIES:
        return False
    rest = _RANGE.sub(_without_range, characters)
    listed = [character for character in rest if character.isalnum()]
    is_in_order = all(list(run) == sorted(run) for run in _RUN.findall(rest))
    is_word = len(listed) >= _SHORTEST_WORD and not is_in_order
    is_name = any(word.istitle() and word[0].lower() != word[1] for word in _WORD.findall(rest))
    return len(set(listed)) < len(listed) or is_word or is_name or _WORDS.search(rest) is not None


def _without_range(match: re.Match[str]) -> str:
    """Returns nothing for a range of letters or of digits, and the text itself for one in a word, as in "X-ray"."""
    is_range = _is_in_order(*match.groups())
    return "" if is_range or match[0] == "A-z" else match[0]


def _is_in_order(first: str, last: str) -> bool:
    """Whether *first* and *last* are the ends of a range of letters or of digits."""
    return first < last and _kind(first) == _kind(last)


def _kind(character: str) -> tuple[bool, bool]:
    return character.isdigit(), character.isupper()
