"""What the README states, and the list of promises."""

import importlib.util
import re

import click
import pytest

from gateway.cli.main import main
from tests.support import documents, promises, tables
from tests.support.measures import ROOT, modules

README = tables.README.read_text(encoding="utf-8")


def test_every_promise_has_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in modules("tests") if path.name.startswith("test_"))
    markers = re.findall(r"pytest\.mark\.promise\(([^)]*)\)", tests)
    tested = {promise for marker in markers for promise in re.findall(r'"([^"]+)"', marker)}
    assert set(promises.catalogue()) - tested == set()


def test_every_kind_of_fault_that_was_observed_is_a_promise() -> None:
    numbered = {"security-S": 18, "media-M": 17, "operation-O": 15}
    rows = {f"{section}{number}" for section, count in numbered.items() for number in range(1, count + 1)}
    assert rows - set(promises.catalogue()) == set()


def test_the_tables_of_the_readme_match_the_code() -> None:
    assert tables.filled(README) == README, "run: .venv/bin/python -m tests.support.tables"


@pytest.mark.promise("operation-guides")
@pytest.mark.parametrize("document", documents.DOCUMENTS)
def test_each_link_of_a_document_leads_to_a_file_and_a_heading(document: str) -> None:
    wrong = []
    for link in documents.links(document):
        path, _, anchor = link.partition("#")
        target = ((ROOT / document).parent / path).resolve() if path else ROOT / document
        if not target.exists() or (anchor and anchor not in documents.anchors(str(target.relative_to(ROOT.resolve())))):
            wrong.append(link)
    assert wrong == []


def test_the_readme_links_every_document() -> None:
    linked = {link.partition("#")[0] for link in documents.links("README.md")}
    assert {name for name in documents.DOCUMENTS if name not in linked} == {"README.md"}


def targets_of_make() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.promise("operation-guides")
@pytest.mark.parametrize("document", documents.DOCUMENTS)
def test_each_target_of_make_that_a_document_names_exists(document: str) -> None:
    named = {word for line in documents.commands(document, "make") for word in line.split()[:1]}
    assert named - targets_of_make() == set()


@pytest.mark.promise("operation-guides")
@pytest.mark.parametrize("document", documents.DOCUMENTS)
def test_the_paths_that_documents_name_exist(document: str) -> None:
    """Paths below the folders of the repository in inline code, and each path of a module in blocks."""
    named = {re.sub(r"[:#].*", "", code) for code in documents.inline_code(document)}
    paths = {path for path in named if re.fullmatch(r"(?:gateway|tests|docs|config|deploy|locks)/[\w./-]+", path)}
    in_blocks = "\n".join(block.text for block in documents.blocks(document))
    paths |= set(re.findall(r"(?<![\w/])(?:\w+/)+\w+\.(?:py|rb|mjs|php|java)\b", in_blocks))
    assert {path for path in paths if not (ROOT / path).exists() and not (ROOT / "gateway" / path).exists()} == set()


@pytest.mark.promise("operation-guides")
@pytest.mark.parametrize("document", documents.DOCUMENTS)
def test_the_modules_that_documents_run_exist(document: str) -> None:
    modules_run = {line.split()[1] for line in documents.commands(document, "python") if line.startswith("-m ")}
    assert {name for name in modules_run if importlib.util.find_spec(name) is None} == set()


@pytest.mark.promise("operation-guides")
@pytest.mark.parametrize("document", documents.DOCUMENTS)
def test_each_command_of_the_gateway_in_a_document_has_its_options(document: str) -> None:
    wrong = []
    for line in documents.commands(document, "valt-gateway"):
        command: click.Command = main
        words = line.split(" | ")[0].replace("`", " ").split()
        context = click.Context(command, **command.context_settings)
        while words and isinstance(command, click.Group) and re.fullmatch(r"[a-z-]+", words[0]):
            inner = command.get_command(context, words.pop(0))
            if inner is None:
                wrong.append(line)
                break
            # With its parent: click keeps the help option of the first context, and its names are the parent's.
            command, context = inner, click.Context(inner, parent=context)
        options = {name for parameter in command.get_params(context) for name in parameter.opts}
        wrong += [line for word in words if re.match("--[a-z]", word) and word.partition("=")[0] not in options]
    assert wrong == []


@pytest.mark.promise("sign-in-18")
@pytest.mark.parametrize("provider", ["Keycloak", "Entra ID", "AD FS", "Shibboleth", "oauth2-proxy"])
def test_the_readme_has_a_recipe_for_each_provider(provider: str) -> None:
    assert provider in README


@pytest.mark.promise("streams-20")
def test_the_readme_states_that_a_redirect_cannot_be_recalled() -> None:
    limits = " ".join(README.split()).partition("## What it cannot do")[2].partition("## ")[0]
    assert "**Redirect delivery hands out VALT's link.**" in limits
    assert "cannot be recalled" in limits


@pytest.mark.promise("rules-13")
def test_the_readme_lists_which_rights_of_valt_are_mirrored() -> None:
    _, _, table = README.partition("| of VALT's rights |")
    rows = [row.split(" | ") for row in table.partition("\n\n")[0].splitlines()[2:]]
    mirrored = {right.removeprefix("| "): here.startswith("`") for right, _, here in rows}
    assert mirrored == {
        "one's own recordings": True,
        "a recording shared with a user": True,
        "a recording shared with a user group": True,
        "video access: whose recordings a user or group may see": False,
        "room access": False,
        "rights such as download, edit, share, generate a link": False,
        "a public sharing link": False,
    }
