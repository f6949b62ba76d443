"""The files of the languages have the same texts."""

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

LANGUAGES = {
    file.name.removesuffix(".toml"): tomllib.loads(file.read_text(encoding="utf-8"))
    for file in files("gateway.web.pages").joinpath("languages").iterdir()
}


def texts(table: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from texts(value, f"{path}{key}.")
        else:
            yield path + key, value


@pytest.mark.promise("watch-13")
def test_every_language_has_the_texts_and_placeholders_of_english() -> None:
    def gaps(language: str) -> dict[str, set[str]]:
        return {key: set(re.findall(r"\{(\w+)\}", text)) for key, text in texts(LANGUAGES[language])}

    assert {"en", "de", "es"} <= set(LANGUAGES)
    for language in LANGUAGES:
        assert gaps(language) == gaps("en"), language
