"""Each block of the documents is run by the test that documents.toml names, or listed there with a reason."""

import re
import tomllib
from pathlib import Path

import pytest

from gateway.settings.loading import load
from gateway.sim.demo_configuration import make_portal_key
from tests.support import documents

pytestmark = pytest.mark.promise("operation-guides")

LISTED: dict[str, dict[str, str]] = tomllib.loads(documents.read("tests/documents.toml"))
PROGRAMS = (
    "apt-get|curl|date|helm|journalctl|kadmin|kinit|klist|kubectl|logrotate|openssl|pip|podman|redis-cli|setspn"
    "|sha256sum|sqlite3|sysctl|systemctl|ulimit|zgrep"
)
CONFIGURATIONS = [
    ("README.md", "[[grants]]"),
    ("docs/operations.md", "[tracing]"),
    ("docs/scale.md", "[state]"),
    ("docs/scale.md", "[server]"),
]
"""By document and first line. Those of docs/portal.md have a test of their own."""


def listed_as(block: documents.Block) -> str | None:
    """Returns what documents.toml has for *block*: by its first line, or by its language where it has no title."""
    entries = LISTED.get(block.document, {})
    return entries.get(block.first) or (entries.get(block.language) if not block.title else None)


@pytest.mark.parametrize("document", documents.DOCUMENTS)
def test_each_block_of_a_document_is_run_or_listed_with_a_reason(document: str) -> None:
    assert [block.first for block in documents.blocks(document) if listed_as(block) is None] == []


def test_no_block_is_listed_that_no_document_has() -> None:
    names = {
        (block.document, name)
        for document in documents.DOCUMENTS
        for block in documents.blocks(document)
        for name in (block.first, block.language)
    }
    listed = {(document, name) for document, entries in LISTED.items() for name in entries if document != "inline"}
    assert listed - names == set()


def test_each_command_between_backticks_is_run_or_listed_with_a_reason() -> None:
    codes = {code for document in documents.DOCUMENTS for code in documents.inline_code(document)}
    commands = {code for code in codes if re.match(rf"(?:{PROGRAMS}) \S", code)}
    assert {code for code in commands if not code.startswith(tuple(LISTED["inline"]))} == set()
    assert {name for name in LISTED["inline"] if not any(code.startswith(name) for code in commands)} == set()


@pytest.mark.parametrize("entry", sorted({entry for entries in LISTED.values() for entry in entries.values()}))
def test_an_entry_names_a_test_that_exists_or_gives_a_reason(entry: str) -> None:
    if entry.startswith("not run: "):
        assert len(entry) > 40
    else:
        path, _, name = entry.partition("::")
        assert re.search(rf"^(?:async )?def {re.escape(name)}\(", documents.read(path), re.MULTILINE)


def test_a_block_that_nobody_lists_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new.md").write_text(
        "Text\n\n```sh\nrm new\n```\n\n    indented new\n    more\n\n- a list\n    goes on\n"
    )
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    new = documents.blocks("new.md")
    assert [block.text for block in new] == ["rm new\n", "indented new\nmore\n"]
    assert list(map(listed_as, new)) == [None, None]


@pytest.mark.parametrize(("document", "first"), CONFIGURATIONS)
def test_each_configuration_of_the_documents_is_accepted_without_a_warning(
    tmp_path: Path, document: str, first: str
) -> None:
    (text,) = (block.text for block in documents.blocks(document) if block.first == first)
    example = documents.read("config/portal-tickets.toml")
    make_portal_key(tmp_path)
    if first == "[server]":
        example = example.replace("[server]\n", text)
    elif first == "[[grants]]":
        example = example.partition("[[grants]]")[0] + text
    elif first == "[state]":
        example = example.partition("[session]")[0] + text + "\n[[grants]]" + example.partition("[[grants]]")[2]
    else:
        example += text
    (tmp_path / "gateway.toml").write_text(example)
    (tmp_path / "gateway.toml").chmod(0o600)
    loaded = load(tmp_path / "gateway.toml", {}, needed_secrets=())
    assert (loaded.faults, loaded.warnings) == ((), ())
