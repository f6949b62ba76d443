"""Whether a rule can decide at all after those before it: the first rule that matches decides.

How it works: from all combinations that a rule names, those that each earlier rule decides are subtracted. If nothing
is left, the rule decides nothing; an entry of which nothing is left has no effect.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import NamedTuple

from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.model import Settings
from gateway.settings.rule_coverage import Block, ComparedRule, RuleCoverage
from gateway.settings.warnings.rules import CONDITIONS, GLOBS

_MOST_BLOCKS = 100
_MOST_NAMES = 3


class RuleOrder(NamedTuple):
    """What is wrong with the order of the rules, without lines."""

    faults: list[Fault]
    warnings: list[Fault]


def order_of(settings: Settings, today: date) -> RuleOrder:
    """Returns a fault for each rule that earlier ones keep from ever deciding. Each that they keep from it from *today*
    on, entries of a refusal, and a refusal after which nothing is allowed are warnings."""
    coverage = RuleCoverage(settings, today)
    order = RuleOrder([], list(_refusals_at_the_end(settings)))
    for rule in coverage.rules:
        left, decided = _subtract(coverage, rule)
        if not left:
            others = [other.grant for other, _ in decided]
            is_always = all((one.valid_from or date.min) <= (rule.grant.valid_from or date.min) for one in others)
            needed = [f"grants.{other.number}" for other, _ in decided]
            needed += ["identity", "service_keys"] if rule.has_keys else []
            reason = _reason(rule.grant, others, "never" if is_always else "no longer")
            remedy = "move it before that one, or remove it"
            findings = order.faults if is_always else order.warnings
            findings.append(Fault(f"grants.{rule.number}", None, reason, remedy, tuple(needed)))
        elif not rule.grant.allow:
            order.warnings.extend(_parts_without_effect(rule, left, decided))
    reported = {int(one.key.split(".")[1]) for one in (*order.faults, *order.warnings)}
    order.warnings.extend(_refusals_of_exceptions(settings, today, reported))
    return order


Decided = list[tuple[ComparedRule, Block]]


def _subtract(coverage: RuleCoverage, rule: ComparedRule) -> tuple[list[Block], Decided]:
    """Returns the combinations of *rule* that no earlier rule decides, and a block around those that each one does;
    nothing is decided if they are too many to compare."""
    left, decided = [rule.whole], []
    for other, block in coverage.earlier(rule):
        common = [tuple(map(int.__and__, one, block)) for one in left]
        common = [one for one in common if all(one)]
        if common:
            decided.append((other, tuple(map(_union, zip(*common, strict=True)))))
            left = [rest for one in left for rest in _without(one, block)]
        if not left or len(left) > _MOST_BLOCKS:
            break
    return (left, sorted(decided, key=lambda one: one[0].number)) if len(left) <= _MOST_BLOCKS else ([rule.whole], [])


def _union(selections: Iterable[int]) -> int:
    result = 0
    for selection in selections:
        result |= selection
    return result


def _without(block: Block, other: Block) -> Iterator[Block]:
    """Yields blocks that together are *block* without *other*."""
    if not all(map(int.__and__, block, other)):
        yield block
        return
    for place, (mine, theirs) in enumerate(zip(block, other, strict=True)):
        if mine & ~theirs:
            yield (*block[:place], mine & ~theirs, *block[place + 1 :])
        block = (*block[:place], mine & theirs, *block[place + 1 :])


def _reason(grant: GrantSettings, others: list[GrantSettings], when: str) -> str:
    """Returns why *grant* decides nothing after *others*. A rule that refuses also matches what it does not name: other
    spellings, details that VALT does not state, addresses that cannot be read."""
    names = _listed(others)
    if not grant.allow and any(other.allow for other in others):
        return f"{when} refuses what it names: {names}, before it, {_verb('decide', others)} that"
    return f"can {when} decide: {names} {_verb('match', others)} whenever it does"


def _listed(others: list[GrantSettings]) -> str:
    return ", ".join(other.name for other in others)


def _verb(verb: str, others: list[GrantSettings]) -> str:
    """Returns *verb* in the number of *others*."""
    ending = "es" if verb.endswith("ch") else "s"
    return verb if len(others) > 1 else f"{verb}{ending}"


def _parts_without_effect(rule: ComparedRule, left: list[Block], decided: Decided) -> Iterator[Fault]:
    """Yields a warning for each list of *rule*, which refuses, of which earlier rules decide some entries, and allow
    them."""
    tables: defaultdict[str, list[str]] = defaultdict(list)
    others: defaultdict[str, dict[int, ComparedRule]] = defaultdict(dict)
    for entry in rule.entries:
        if not any(block[entry.place] & entry.bits for block in left):
            deciding = {one.number: one for one, block in decided if block[entry.place] & entry.bits}
            if any(one.grant.allow for one in deciding.values()):
                tables[entry.table].append(entry.text)
                others[entry.table] |= deciding
    for table, texts in tables.items():
        deciders = [others[table][number].grant for number in sorted(others[table])]
        listed = ", ".join(f"{text[:64]!r}" for text in texts[:_MOST_NAMES])
        more = f" and {len(texts) - _MOST_NAMES} more" if len(texts) > _MOST_NAMES else ""
        why = f"{_listed(deciders)}, before it, {_verb('decide', deciders)} that"
        reason = f"refuses nothing that it names by {listed}{more}: {why}"
        yield Fault(f"grants.{rule.number}.{table}", None, reason, "move the rule before that one")


def _refusals_at_the_end(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each rule that refuses after all that allow, which is refused without it. One for everybody
    and everything may end the rules."""
    numbers = [number for number, grant in enumerate(settings.grants) if grant.allow]
    for number, grant in enumerate(settings.grants):
        if numbers and number > numbers[-1] and not is_for_everything(grant):
            reason = "has no effect: the first rule that matches decides, and no later one allows what this refuses"
            yield Fault(f"grants.{number}.allow", None, reason, "move it before the rules that it is to restrict")


def _refusals_of_exceptions(settings: Settings, today: date, reported: Collection[int]) -> Iterator[Fault]:
    """Yields a warning for each rule that refuses and is not *reported*, if earlier ones decide all that it names but
    for what does not meet a condition that nearly everything meets. A refusal of all the rest may be meant for that."""
    grants = tuple(map(without_wide_conditions, settings.grants))
    if grants == settings.grants:
        return
    coverage = RuleCoverage(settings.model_copy(update={"grants": grants}), today)
    for rule in coverage.rules:
        if rule.grant.allow or rule.number in reported or names_everything(rule.grant):
            continue
        left, decided = _subtract(coverage, rule)
        others = [other.grant for other, _ in decided]
        if not left and any(other.allow for other in others):
            verb = _verb("fail", others)
            where = f'{_listed(others)}, before it, {verb} a condition that nearly everything meets, as "*"'
            yield Fault(
                f"grants.{rule.number}", None, f"refuses what it names only where {where}", "move it before that one"
            )


def without_wide_conditions(grant: GrantSettings) -> GrantSettings:
    """Returns *grant* without the conditions that a recording or a client fails only if it has no such property."""
    wide = [key for key in GLOBS if "*" in getattr(grant, key)]
    wide += ["networks"] if {"0.0.0.0/0", "::/0"} <= set(grant.networks) else []
    return grant.model_copy(update=dict.fromkeys(wide, ())) if wide else grant


def is_for_everything(grant: GrantSettings) -> bool:
    """Whether *grant* matches all people and recordings, everywhere."""
    return "*" in grant.subjects and names_everything(grant)


def names_everything(grant: GrantSettings) -> bool:
    """Whether *grant* matches all recordings, everywhere."""
    return names_every_recording(grant) and not grant.networks


def names_every_recording(grant: GrantSettings) -> bool:
    """Whether *grant* matches all recordings, wherever it counts."""
    return "*" in grant.recordings and not any(getattr(grant, name) for name in CONDITIONS)
