"""Warnings about fields of VALT's templates in two spellings: a rule compares them by case."""

from collections import defaultdict
from collections.abc import Iterator

from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.model import Settings


def template_field_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each field of a template that a rule before, or for an example any rule, writes in other
    letters.

    One of VALT's templates may have each. A rule is no warning that is repeated with the other spelling, and nothing is
    if some rule is repeated with every spelling, and so are all that refuse by the field."""
    spellings: defaultdict[str, dict[str, None]] = defaultdict(dict)
    repeated: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for grant in settings.grants:
        for field in grant.template:
            spellings[field.casefold()][field] = None
            of_form = repeated[field.casefold(), _form(grant)]
            # A rule by two spellings at once matches what has both fields: it replaces no rule by one of them.
            if [other.casefold() for other in grant.template].count(field.casefold()) == 1:
                of_form.add(field)
    accepted = {
        field for (folded, _), fields in repeated.items() if fields == spellings[folded].keys() for field in fields
    }
    for grant in settings.grants:
        for field in () if grant.allow else grant.template:
            if repeated[field.casefold(), _form(grant)] != spellings[field.casefold()].keys():
                accepted -= spellings[field.casefold()].keys()
    for number, grant in enumerate(settings.grants):
        for field in grant.template:
            first = next(iter(spellings[field.casefold()]))
            if first not in {field, *repeated[field.casefold(), _form(grant)]} and field not in accepted:
                yield _warning(f"grants.{number}.template.{field}", first)
    for number, example in enumerate(settings.examples):
        for field in example.template:
            spellings[field.casefold()].setdefault(field)
            first = next(iter(spellings[field.casefold()]))
            if first != field and field not in accepted:
                yield _warning(f"examples.{number}.template.{field}", first)


def _warning(key: str, first: str) -> Fault:
    reason = f'is a field called "{first}" elsewhere in this file, and a rule by one does not match the other'
    remedy = "write both as VALT's template does; if one of its templates has each, repeat the rule with the other"
    return Fault(key, None, reason, remedy)


def _form(grant: GrantSettings) -> str:
    """Returns a text that is the same for rules that differ in nothing but their names and the case of their fields."""
    template = sorted((field.casefold(), glob) for field, glob in grant.template.items())
    return f"{grant.comparable('template')}{template}"
