"""The spellings of VALT's ids that are accepted: each id in one of them."""

import pytest

from gateway.errors import InvalidVideoError
from gateway.model import Video, parse_id

UUID = "6ecfe37c-a2e9-4f2d-b56e-847a4e730ed0"


@pytest.mark.parametrize("text", ["0", "7", "1234567890", UUID, "a", "A-1", "ABCDEF", "0x1", "00-1", UUID + "F"])
def test_an_id_is_returned_as_it_was_written(text: str) -> None:
    assert parse_id(text) == text


@pytest.mark.promise("security-S15")
@pytest.mark.parametrize(
    "text",
    ["00", "07", "0" * 64, UUID.upper(), UUID.replace("c-a", "C-a"), UUID.replace("ed0", "eD0")],
)
def test_another_spelling_of_an_id_is_no_id(text: str) -> None:
    with pytest.raises(InvalidVideoError):
        parse_id(text)
    with pytest.raises(InvalidVideoError):
        Video.parse("1", text)


@pytest.mark.parametrize("text", ["", "a" * 65, "a_b", "a.b", "a b", "\u0661", "\u00b2", "\uff11", "1\n", UUID + "\n"])
def test_text_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidVideoError):
        parse_id(text)
