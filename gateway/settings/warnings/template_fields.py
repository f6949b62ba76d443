"""Warnings about fields of VALT's templates in two spellings: a rule compares them by case."""

from collections import defaultdict
from collections.abc import Iterator

from gateway.settings.faults import Fault
from gateway.settings.grants import GrantSettings
from gateway.settings.model import Settings


def template_field_warnings(settings: Settings) -> Iterator[Fault]:
    """Yields a warning for each field of a template that a rule before, or for an example any rule, writes in other
    letters. None about a field whose spellings are meant, because each of VALT's templates may have one of them: some
    rule is repeated with every spelling, and so is each rule that refuses by the field."""
    spellings: defaultdict[str, dict[str, None]] = defaultdict(dict)
    repeated: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    refusals: defaultdict[str, set[str]] = defaultdict(set)
    for grant in settings.grants:
        folded = [field.casefold() for field in grant.template]
        for field, name in zip(grant.template, folded, strict=True):
            spellings[name][field] = None
            form = _form(grant)
            # A rule by two spellings at once matches what has both fields: it replaces no rule by one of them.
            repeated[name][form] |= {field} if folded.count(name) == 1 else set()
            if not grant.allow:
                refusals[name].add(form)
    meant = set[str]()
    for name, forms in repeated.items():
        complete = {form for form, fields in forms.items() if fields == spellings[name].keys()}
        if complete and refusals[name] <= complete:
            meant |= spellings[name].keys()
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


def _form(grant: GrantSettings) -> str:
    """Returns a text that is the same for rules that differ in nothing but their names and the case of their fields."""
    template = sorted((field.casefold(), glob) for field, glob in grant.template.items())
    return f"{grant.comparable('template')}{template}"
