"""Warnings about fields of VALT's templates: a field in two spellings, which rules compare by case, and a key of a rule
among them."""

from collections import defaultdict
from collections.abc import Iterator

from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.model import Settings

_DELIVERIES = ("proxy", "redirect")


def template_field_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields the warnings, without lines."""
    yield from _misplaced_keys(settings)
    yield from _other_spellings(settings)


def _misplaced_keys(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each key of a rule that stands in its template."""
    for number, grant in enumerate(settings.grants):
        keys = ["delivery"] if grant.template.get("delivery") in _DELIVERIES else []
        for key in [*keys, *({"created_within"} & grant.template.keys())]:
            reason = "is taken for a field of VALT's template: it stands below [grants.template]"
            yield Fault(f"grants.{number}.template.{key}", None, reason, "move it above, if it is the rule's key")


def _other_spellings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each field of a template that a rule before, or for an example any rule, writes in other
    letters, unless these spellings are meant."""
    spellings: defaultdict[str, dict[str, None]] = defaultdict(dict)
    """Those that rules have of each field, the first one first."""
    for grant in settings.grants:
        for field in grant.template:
            spellings[field.casefold()][field] = None
    meant = {field for fields in spellings.values() if _is_meant(settings, set(fields)) for field in fields}
    templates = [(f"grants.{number}", grant.template) for number, grant in enumerate(settings.grants)]
    templates += [(f"examples.{number}", example.template) for number, example in enumerate(settings.examples)]
    for key, template in templates:
        for field in template:
            first = next(iter(spellings[field.casefold()]), field)
            if field != first and field not in meant:
                yield _warning(f"{key}.template.{field}", first)


def _warning(key: str, first: str) -> Fault:
    reason = f'is a field called "{first}" elsewhere in this file, and a rule by one does not match the other'
    remedy = "write both as VALT's template does; if its templates differ, repeat each rule that refuses by it"
    return Fault(key, None, reason, remedy)


def _is_meant(settings: Settings, spellings: set[str]) -> bool:
    """Whether each of the *spellings* of one field is meant, because each of VALT's templates may have one of them:
    some rule is repeated with every spelling, and so is each rule that refuses by the field."""
    if len(spellings) == 1:
        return True
    repeated: defaultdict[str, set[str]] = defaultdict(set)
    refusals: set[str] = set()
    for grant in settings.grants:
        fields = spellings.intersection(grant.template)
        if fields:
            form = _form(grant)
            # A rule by two spellings at once matches what has both fields: it replaces no rule by one of them.
            repeated[form] |= fields if len(fields) == 1 else set()
            refusals |= set() if grant.allow else {form}
    complete = {form for form, fields in repeated.items() if fields == spellings}
    return bool(complete) and refusals <= complete


def _form(grant: GrantSettings) -> str:
    """Returns a text that is the same for rules that differ in nothing but their names and the case of their fields."""
    template = sorted((field.casefold(), glob) for field, glob in grant.template.items())
    return f"{grant.comparable('template')}{template}"
