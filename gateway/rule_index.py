"""Finds the rules that name a person or one of their groups, so that a decision costs the same however many rules name
others."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from gateway.model import Identity, fold_name
from gateway.rules import Rule

_Positions = Mapping[str, Sequence[int]]
"""The positions of the rules by a name."""


class RuleIndex:
    """The positions of *rules* by the names that they compare: exact ones, and folded ones of rules that refuse."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._groups = _positions(rule.groups for rule in rules)
        self._subjects = _positions(rule.subjects for rule in rules)
        self._folded_groups = _positions(rule.folded_groups for rule in rules)
        self._folded_subjects = _positions(rule.folded_subjects for rule in rules)
        people = [{_person(*person) for person in rule.provider_subjects} for rule in rules]
        self._people = _positions(people)
        folded_people = [{_person(*person) for person in rule.folded_provider_subjects} for rule in rules]
        self._folded_people = _positions(folded_people)
        self._refuses = any(not rule.allow for rule in rules)

    def __repr__(self) -> str:
        return f"<RuleIndex rules={len(self._rules)}>"

    def rules_for(self, identity: Identity) -> list[Rule]:
        """Returns the rules that name this person or one of their groups (`rules.applies_to`), in order."""
        subject, provider = identity.subject, identity.provider
        positions = {*self._subjects.get("*", ()), *self._subjects.get(subject, ())}
        positions.update(self._people.get(_person(provider, subject), ()))
        for group in identity.groups:
            positions.update(self._groups.get(group, ()))
        if self._refuses:
            folded = fold_name(subject)
            positions.update(self._folded_subjects.get(folded, ()))
            positions.update(self._folded_people.get(_person(provider, folded), ()))
            if self._folded_groups:
                for group in identity.groups:
                    positions.update(self._folded_groups.get(fold_name(group), ()))
        return [self._rules[position] for position in sorted(positions)]


def _positions(names: Iterable[Iterable[str]]) -> _Positions:
    """Returns the positions in *names* of the elements that have each name."""
    positions: dict[str, list[int]] = defaultdict(list)
    for position, of_one in enumerate(names):
        for name in of_one:
            positions[name].append(position)
    return dict(positions)


def _person(provider: str, subject: str) -> str:
    return f"{provider}\0{subject}"
