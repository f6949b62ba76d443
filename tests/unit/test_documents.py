"""What the README states, where other tests cannot hold it."""

from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.promise("sign-in-18")
@pytest.mark.parametrize("provider", ["Keycloak", "Entra ID", "AD FS", "Shibboleth", "oauth2-proxy"])
def test_the_readme_has_a_recipe_for_each_provider(provider: str) -> None:
    assert provider in README


@pytest.mark.promise("streams-20")
def test_the_readme_says_what_redirect_delivery_cannot_take_back() -> None:
    limits = " ".join(README.split()).partition("## What it cannot do")[2].partition("## ")[0]
    assert "**Redirect delivery hands out VALT's link.**" in limits
    assert "cannot be recalled" in limits


@pytest.mark.promise("rules-13")
def test_the_readme_says_which_of_valts_rights_are_mirrored() -> None:
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
