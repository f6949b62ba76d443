"""Long values at keys of free text: no check takes longer than its text, however brackets and commas repeat in it."""

import json
from pathlib import Path

import pytest

from tests.unit.settings.broken import HEADER
from tests.unit.settings.configurations import GOOD, load_text

pytestmark = pytest.mark.promise("security-S16")

PIECES = (
    *(
        "[",
        "[a",
        "[0-9",
        "]",
        "{",
        "{a,",
        "{,",
        "{{",
        "${",
        "$(",
        "(a|",
        "(|",
        ",",
        ";",
        "|",
        "?",
        "*a",
        "\\d",
        "a-",
        "a.",
    ),
    *("a@", "/a", ":", "#", "%A", "<a ", "a b", "-a", "=", "\n", "[]", "[ab]", "{a}", "(a|b)", "x", "0", " "),
)
ENDS = ("", "\n!]:", "$", "=")
LENGTH = 60_000
"""Characters. A check whose time grows with the square of the length would need minutes for all of these."""


def configuration(text: str) -> str:
    """A configuration with *text* at every key that takes any."""
    value = json.dumps(text)
    rule = "".join(f"{key} = [{value}]\n" for key in ("subjects", "rooms", "authors", "names"))
    text = GOOD.replace('groups = ["supervisors"]', f"groups = [{value}]\n{rule}template = {{ course = {value} }}")
    text = text.replace('"valt-gateway"', f"{value}\nsubject_claim = {value}\ngroups_claim = {value}")
    return f"""{text}{HEADER}groups_separator = {value}
[[examples]]
subject = {value}
groups = [{value}]
recording = "1"
allowed = false
[branding]
name = {value}
notice = {value}
[valt.people]
anna = {value}
[valt.groups]
{value} = 7
"""


@pytest.mark.parametrize("piece", PIECES)
def test_a_long_value_is_checked_in_the_time_of_its_length(tmp_path: Path, piece: str) -> None:
    for end in ENDS:
        text = piece * (LENGTH // len(piece)) + end
        loaded = load_text(tmp_path, configuration(text))
        findings = (*loaded.faults, *loaded.warnings)
        assert findings
        assert all(finding.line for finding in findings)
