"""The index of rules, compared with a look at each rule."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import AccessDeniedError
from gateway.model import Identity, IdentityKind
from gateway.policy import Rules
from gateway.recording_details import RecordingDetails
from gateway.rule_index import RuleIndex
from gateway.rules import Rule, ValtNames, applies_to
from tests.support.clock import ManualClock
from tests.support.generated import sequences
from tests.support.recorder import Recorder

_NAMES = st.sampled_from(["anna", "Anna", "\uff21nna", "berta", " berta", "*", "stra\u00dfe", "STRASSE"])
_NAME_SETS = st.frozensets(_NAMES, max_size=2)
_PROVIDERS = st.sampled_from(["campus", "clinic"])
_RULES = st.builds(
    Rule,
    name=st.builds("rule-{}".format, st.integers(0, 99)),
    account=st.just("a"),
    groups=_NAME_SETS,
    subjects=_NAME_SETS,
    provider_subjects=st.frozensets(st.tuples(_PROVIDERS, _NAMES), max_size=1),
    recordings=st.sampled_from([("*",), ("other",)]),
    allow=st.booleans(),
)
_PEOPLE = st.builds(
    Identity,
    subject=_NAMES,
    issuer=st.just("https://sso"),
    provider=_PROVIDERS,
    kind=st.just(IdentityKind.JWT),
    groups=_NAME_SETS,
)


class NoRecordings:
    """VALT, which no rule without conditions on details asks."""

    async def get(self, account: str, recording: str) -> RecordingDetails:
        raise AssertionError(f"a call to VALT for {recording} as {account}")


@settings(max_examples=sequences(500), deadline=None)
@given(rules=st.lists(_RULES, max_size=20), who=_PEOPLE)
def test_the_index_finds_each_rule_that_names_the_person_in_order(rules: list[Rule], who: Identity) -> None:
    assert RuleIndex(rules).rules_for(who) == [rule for rule in rules if applies_to(rule, who)]


@settings(max_examples=sequences(500), deadline=None)
@given(rules=st.lists(_RULES, max_size=8), who=_PEOPLE)
async def test_rules_for_other_people_change_no_decision(rules: list[Rule], who: Identity) -> None:
    numbers = count()

    def others() -> list[Rule]:
        return [Rule(f"other-{next(numbers)}", "b", groups=frozenset({f"group-{number}"})) for number in range(10)]

    async def decision(given_rules: list[Rule]) -> str | None:
        policy = Rules(tuple(given_rules), NoRecordings(), ValtNames(), ManualClock(0.0), Recorder())
        try:
            return (await policy.decide(who, "recording")).rule
        except AccessDeniedError:
            return None

    mixed = [*others(), *(one for rule in rules for one in (rule, *others()))]
    assert await decision([*mixed, *others()]) == await decision(rules)


async def test_a_denial_counts_the_rules_for_other_people() -> None:
    others = tuple(Rule(f"other-{number}", "a", groups=frozenset({f"group-{number}"})) for number in range(10_000))
    theirs = Rule("theirs", "a", subjects=frozenset({"anna"}), recordings=("other",))
    policy = Rules((*others, theirs), NoRecordings(), ValtNames(), ManualClock(0.0), Recorder())
    anna = Identity("anna", "https://sso", "campus", IdentityKind.JWT, frozenset({"psychology"}))
    with pytest.raises(AccessDeniedError) as denied:
        await policy.decide(anna, "recording")
    assert "theirs: the recording's id is not among its recordings" in str(denied.value)
    assert "10000 rules name neither the person nor one of their groups" in str(denied.value)
