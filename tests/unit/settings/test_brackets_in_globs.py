"""Globs in whose brackets a text stands, which are a class of characters, and globs with classes."""

import json
from pathlib import Path

import pytest

from gateway.rules import any_glob
from tests.unit.settings.broken import grant
from tests.unit.settings.configurations import load_text

pytestmark = pytest.mark.promise("security-S16")

TEXTS = (
    *("[CONFIDENTIAL]*", "*[Draft]", "[[CONFIDENTIAL]]*", r"\[CONFIDENTIAL\]*", "Board [Entwurf] *", "[Prüfung]*"),
    *("[do not show]*", "[no tv]", "[follow-up]*", "[in-progress]*", "[X-ray]*", "[pre-op] *", "[ALL]*"),
    *("Room [1-12]", "Room [10-19]", "Room [10,11]", "[2026]*", "[!CONFIDENTIAL]*", "[!1-12]", "[A-Z][Draft]"),
    *(r"[[]CONFIDENTIAL\]*", "[MTWTF]*", "[CIVIL]*"),
    *(r"\[VIP\]*", "[[VIP]]*", r"\[A1\]*", r"*\[!\]*", "Board [[AB]]", r"\[!AB\]*", r"C:\Films\[AB\]*"),
    *("[V]*", "Room [A]", "*[X]", "Room [3]*"),
    *("[a-Z]*", "Room [1-0]", "Room [9-1]*", "[a-Z0-9]*", "[!9-1]*", "Team [a_-.]*"),
    *("Room [1 - 9]", "Room [1- 9]*", "Room [1 -9]", "Room [A - F]*", "Room [1\u20139]", "[1\u22129]", "[a\u2010f]*"),
    *("Room [1-9", "Room [A-F", "Room [!1-9 b", "Room 1-9]", "Room 1-9] *", "Room [1-9}", "Room [1-9)*", "*(1-9]"),
    *("[Test]*", "[Demo] *", "[Copy]", "[Gast]*", "*[Film]*", "[Neu]*", "[Öko]*", "[!Test]*", "[Gast 1]*", "[Neu!]*"),
    *(r"\**", r"\*\*\**", r"* (\?)", r"*\**", r"\(private\)*", r"*\(private\)*", r"Anna \*", r"\?*", r"\(private)*"),
    *(r"*\*confidential\**", r"*\*do not show\**", r"*\?unclear\?*"),
    *("[[:alpha:]]*", "Room [0-9]+", "[A-Za-z]+ *", "[0-9]{4}*"),
)
CLASSES = (
    *("Room [1-3]", "[ABC]*", "[ABDE]*", "[!x]*", "[!A-F]*", "[a-z0-9]*", "[[]", "[[]CONFIDENTIAL]*", "[0-9A-F]*"),
    *("[[]CONFIDENTIAL[]]*", "[aeiou]*", "[A-Za-z]*", "[A-z]*", "[a-fk-zA-Z]", "[1-35-7]", "[1234567890]", "[89ab]*"),
    *(
        "[abcdefABCDEF0123456789]",
        "[AaBb]",
        "[Cc][Oo][Nn][Ff][Ii][Dd]",
        "[äöüßÄÖÜ]*",
        "[aäoöuü]*",
        "[\u03b1-\u03c9\u0391-\u03a9]*",
    ),
    *("[ _-]*", "[1,2,3]", "Wing [NSEW]", "[CONFIDENTIAL", "CONFIDENTIAL]", "[]", "[]-]*", "[!]", "[*?]", "[.,;:]"),
    *("Room [13-5]", "[12-4]*", "[MTWRF]*", "[mtwrf]*", "[LMXJV]*", "Part [IVXLC]*", r"C:\Films\[0-9]*", r"[/\]*"),
    *("[VIP]*", "[[]VIP]*", "[[]VIP[]]*", "[[]]*", "[[AB]*", "[[(]*", r"\[AB]*", r"[AB\]*", "[]]]", "[![A]]*"),
    *(
        "[_-]*",
        "[0-9 -]*",
        "[A-Z -]*",
        "[0-9\u2013]*",
        "[a-z\u2013A-Z]*",
        "[ -\u2013]*",
        "[1-35-7 ]*",
        "[.-]*",
        "[+--]*",
    ),
    *(
        "[!a]*",
        "[_]",
        "[.]*",
        "[-]*",
        "*1-9]*",
        "?1-9]*",
        "[1-9*",
        "Board [1-3 *",
        "[[]1-3]*",
        "A-B test]",
        "[A-b",
        "[x-ray",
    ),
    *("[Aaä]*", "[Eeé]*", "[Ssß]*", "[Nsew]*", "[Mtwrf]*", "[Ab]*", "[A-Zäöü]*", "[A-ZÄÖÜäöü]*", "[Xx-z]*"),
    *(r"CAMPUS\*", r"*\*", r"*\?*", r"C:\Films\*", r"\\server\Films\*", r"\\?\C:\*", r"C:\My Films\*", r"*\(old)*"),
    *("[*]*", "(private)*", r"[\*]", r"[ab]\*", "Session (?)", r"CAMPUS\[a-f]*", r"Films\(old)*"),
    *(r"\\server\*Films\*", r"*\*Films\*", r"C:\*Films\*.mp4", r"*\*\Films\*", r"*\?anna\*", r"CAMPUS\*-a\*"),
    *("Grade [AB]+", "[[]A-Z]+ *", "[0-9]*+"),
)


def in_names(glob: str) -> str:
    return grant(f"names = [{json.dumps(glob, ensure_ascii=False)}]")


@pytest.mark.parametrize("glob", TEXTS)
def test_a_text_in_brackets_is_a_warning_with_its_line(tmp_path: Path, glob: str) -> None:
    loaded = load_text(tmp_path, in_names(glob))
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings if warning.line is not None] == ["grants.0.names"]


@pytest.mark.parametrize("glob", CLASSES)
def test_a_class_of_characters_is_no_warning(tmp_path: Path, glob: str) -> None:
    loaded = load_text(tmp_path, in_names(glob))
    assert (loaded.faults, loaded.warnings) == ((), ())


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('rooms = ["[STAFF] *"]', "rooms"),
        ('authors = ["[staff]*"]', "authors"),
        ('template = { course = "[PSY 512]" }', "template.course"),
        ('allow = false\nnames = ["[CONFIDENTIAL]*"]', "names"),
    ],
)
def test_a_text_in_brackets_is_a_warning_in_each_key_with_globs(tmp_path: Path, line: str, key: str) -> None:
    text = grant(line) + '[[grants]]\nname = "all"\nsubjects = ["*"]\nrecordings = ["*"]\naccount = "reviewer"\n'
    loaded = load_text(tmp_path, text)
    assert loaded.faults == ()
    assert [warning.key for warning in loaded.warnings] == [f"grants.0.{key}"]


def test_a_word_in_brackets_is_a_warning_among_the_ids_of_recordings(tmp_path: Path) -> None:
    text = grant("").replace('recordings = ["*"]', 'recordings = ["[0-9]*", "[draft]*", "[89ab]*"]')
    assert [warning.key for warning in load_text(tmp_path, text).warnings] == ["grants.0.recordings"]


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        ("[CONFIDENTIAL]*", "[CONFIDENTIAL] Anna"),
        ("[Draft]*", "[Draft]"),
        (r"\[CONFIDENTIAL\]*", "[CONFIDENTIAL] Anna"),
        ("[[CONFIDENTIAL]]*", "[CONFIDENTIAL] Anna"),
        (r"\[do not show\]*", "[do not show]"),
        (r"\[VIP\]*", "[VIP] Anna"),
        ("[[A1]]*", "[A1] Anna"),
        (r"\[!\]*", "[!] Anna"),
        (r"\[\]*", "[] Anna"),
        ("[V]*", "[V] Anna"),
    ],
)
def test_the_remedy_for_a_text_in_brackets_matches_it(tmp_path: Path, glob: str, name: str) -> None:
    (warning,) = load_text(tmp_path, in_names(glob)).warnings
    literal = warning.remedy.split('"')[-2]
    assert any_glob((literal,), name)
    assert not any_glob((literal,), "CONFIDENTIAL")
    assert not any_glob((glob,), name)
    assert load_text(tmp_path, in_names(literal)).warnings == ()


@pytest.mark.parametrize(
    ("glob", "room"),
    [("Room [1 - 9]", "3"), ("Room [1\u20139]", "3"), ("Room [1-9", "3"), ("Room 1-9]", "3"), ("Room [A-F}", "B")],
)
def test_the_remedy_for_a_range_that_is_none_matches_what_is_meant(tmp_path: Path, glob: str, room: str) -> None:
    (warning,) = load_text(tmp_path, in_names(glob)).warnings
    assert any_glob((warning.remedy.split('"')[-2],), room)
    assert not any_glob((glob,), f"Room {room}")


@pytest.mark.parametrize(("allow", "remedy"), [("true", "refuse those by a rule"), ("false", "allow those by a rule")])
@pytest.mark.parametrize("line", ['names = ["[!CONFIDENTIAL]*"]', 'names = ["!Board*"]', 'template = { a = "!b" }'])
def test_the_remedy_for_a_negation_spares_whom_the_rule_is_to_spare(
    tmp_path: Path, line: str, allow: str, remedy: str
) -> None:
    text = grant(f"{line}\nallow = {allow}") + '[[grants]]\nname = "all"\nsubjects = ["*"]\nrecordings = ["*"]\n'
    (warning,) = load_text(tmp_path, f'{text}account = "reviewer"\n').warnings
    assert warning.remedy.startswith(remedy)
