"""The short form of the fuzzer: each target with its seeds, and with random changes of them."""

import random

import pytest

from tests.fuzz.campaign import unguided
from tests.fuzz.mutation import mutate
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS
from tests.support.generated import sequences


@pytest.mark.promise("security-S11")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name.replace(" ", "-"))
def test_a_reader_of_foreign_bytes_holds_its_promise(target: Target) -> None:
    choices = random.Random(22)
    for seed in target.seeds:
        target.run(seed)
    for _ in range(sequences(500)):
        data = mutate(target.seeds, choices)
        try:
            target.run(data)
        except Exception as error:
            raise AssertionError(f"{target.name}: {data!r}") from error


def test_a_broken_promise_is_a_finding_with_its_input() -> None:
    def refuse(data: bytes) -> None:
        assert b"\xff" not in data, "a byte that is not wanted"

    broken = Target("broken", refuse, (b"\xff seed",))
    result = unguided(broken, 60.0, 22)
    assert result.finding.startswith("AssertionError: a byte that is not wanted")
    assert "\\xff" in result.finding
    assert "a byte that is not wanted" in result.row()


def test_an_input_that_takes_too_long_is_a_finding() -> None:
    def compute(_data: bytes) -> None:
        sum(range(1_000_000))

    with pytest.raises(AssertionError, match="slow"):
        Target("slow", compute, (), limit=0.0001).run(b"")


def test_every_target_has_a_name_of_its_own() -> None:
    names = [target.name for target in TARGETS]
    assert len(set(names)) == len(names)
