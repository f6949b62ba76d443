"""What the README states, and the list of promises."""

import re

import pytest

from tests.support import promises, tables
from tests.support.measures import ROOT, modules

README = tables.README.read_text(encoding="utf-8")


def test_every_promise_has_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in modules("tests") if path.name.startswith("test_"))
    markers = re.findall(r"pytest\.mark\.promise\(([^)]*)\)", tests)
    tested = {promise for marker in markers for promise in re.findall(r'"([^"]+)"', marker)}
    assert set(promises.catalogue()) - tested == set()


def test_the_tables_of_the_readme_match_the_code() -> None:
    assert tables.filled(README) == README, "run: .venv/bin/python -m tests.support.tables"


def test_the_readme_links_only_files_that_exist() -> None:
    linked = re.findall(r"\]\(((?!https?://|#)[^)]+)\)", README)
    assert linked
    assert [path for path in linked if not (ROOT / path).exists()] == []


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
