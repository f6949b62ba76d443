"""Reads the configuration file and the environment, and reports every fault at once."""

import errno
import re
import stat
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import TZPATH

from pydantic import ValidationError

from gateway.settings import checks, files, secrets
from gateway.settings.environment import (
    apply_environment,
    folded_variables,
    is_too_deep,
    misspelt_variables,
    quoted_variables,
)
from gateway.settings.faults import Fault, Findings, faults_of_validation, line_numbers, line_of
from gateway.settings.file_access import first_bytes
from gateway.settings.file_modes import exposures
from gateway.settings.model import Settings
from gateway.settings.partial_validation import PartialSettings
from gateway.settings.paths import resolve_paths
from gateway.settings.rule_order import RuleOrder, order_of
from gateway.settings.until_restart import InForce
from gateway.settings.values import ANY_FILE, time_zones
from gateway.settings.warnings.files import file_warnings
from gateway.settings.warnings.registry import warnings_of

_POSIX_RULE = re.compile(r"([A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d.*", re.ASCII)
"""A time zone as a rule (tzset(3))."""
_ZONE_FILE = b"TZif"
_MAXIMUM_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """*settings* is None if there is a fault. *folder* is the directory of the configuration."""

    settings: Settings | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    folder: Path


def load(
    path: Path,
    environ: Mapping[str, str],
    *,
    try_examples: Callable[[Settings], Findings] | None = None,
    check_files: bool = False,
    running: bool = False,
    needed_secrets: Collection[str] | None = None,
    now: datetime | None = None,
    contents: bytes | None = None,
    in_force: InForce | None = None,
) -> Loaded:
    """Read the file *path* and the variables of *environ* that set its keys.

    *try_examples* returns a fault for each of ``[[examples]]`` that the rules decide otherwise, and warnings of those
    that depend on the day; it is called only if there is no other fault. *check_files*: whether the files and
    directories that a running gateway needs are checked too; *running*: whether a process reads the file that serves by
    it, and not one that is to start. *needed_secrets* are the tables whose secrets are read; if it is given, no other
    file is looked at. *now* is the time of the warnings about what has expired, by default the present. *contents* are
    the file's, if they have been read already. *in_force* is what a reload is compared with, None for a start; at a
    reload the gateway has its state, audit and sockets open, also if a new worker reads the file.
    """
    try:
        content = read_contents(path, running=running) if contents is None else contents
        if len(content) > _MAXIMUM_BYTES:
            too_long = f"has more than {_MAXIMUM_BYTES} bytes"
            return _failed(path, Fault(path.name, None, too_long, "name a file with --config"))
        text = content.decode("utf-8-sig")
        raw = tomllib.loads(text)
        _check_depth(raw)
        # A worker has the contents of a pipe, and not the pipe.
        mode = 0 if contents is not None and not path.exists() else path.stat().st_mode
    except (OSError, UnicodeError) as error:
        if isinstance(error, UnicodeError):
            return _failed(path, Fault(path.name, None, "cannot be read: it is not UTF-8", "save it as UTF-8"))
        why = error.strerror or "it cannot be opened"
        return _failed(path, Fault(path.name, None, f"cannot be read: {why}", "name a file with --config"))
    except tomllib.TOMLDecodeError as error:
        return _failed(path, _syntax_fault(path.name, str(error)))
    except (ValueError, RecursionError):  # Python limits how long a number is, and tomllib how deep tables are
        return _failed(path, Fault(path.name, None, "has a number or a nesting beyond all limits", "remove it"))
    lines = line_numbers(text)
    faults, variables = apply_environment(raw, environ)
    faults += _remove_nul(raw)
    faults += _time_zone_faults(environ)
    secret_faults, warnings = secrets.resolve(
        raw,
        path.parent,
        environ,
        world_readable=bool(mode & stat.S_IROTH),
        from_environment=variables,
        needed=needed_secrets,
        now=(now or datetime.now(UTC)).timestamp(),
    )
    faults += secret_faults
    warnings += [*misspelt_variables(environ), *quoted_variables(environ), *folded_variables(environ)]
    warnings += exposures(path.name, path)
    resolve_paths(raw, path.parent)

    def local_time(settings: Settings) -> datetime:
        return (now or datetime.now(UTC)).astimezone(settings.server.zone)

    def check(settings: Settings, order: RuleOrder) -> list[Fault]:
        of_files = files.faults_of(settings, running=running or in_force is not None) if check_files else []
        if check_files and in_force is not None:
            of_files += [
                *in_force.faults_of_other_files(settings),
                *(() if running else in_force.faults_of_certificate(settings)),
            ]
        return [*checks.faults_of(settings, order), *of_files]

    settings = None
    try:
        settings = Settings.model_validate(raw, context={ANY_FILE: needed_secrets is not None})
    except ValidationError as error:
        faults += faults_of_validation(error, lines)
        faults += PartialSettings(raw, error).contradictions(
            lambda valid: check(valid, order_of(valid, local_time(valid).date()))
        )
    else:
        now = local_time(settings)
        order = order_of(settings, now.date())
        faults += check(settings, order)
        warnings += warnings_of(settings, now, order)
        if check_files and not faults:
            warnings += file_warnings(settings, now, path.parent)
        if in_force is not None:
            faults += in_force.faults_of_reload(settings)
            warnings += in_force.warnings_of_reload(settings)
        if not faults and try_examples is not None:
            of_examples = try_examples(settings)
            faults, warnings = [*faults, *of_examples.faults], [*warnings, *of_examples.warnings]
    located = sorted((_locate(fault, lines, variables) for fault in faults), key=lambda fault: fault.line or 0)
    unique = dict.fromkeys(_locate(warning, lines, variables) for warning in warnings)
    return Loaded(None if located else settings, tuple(located), tuple(unique), path.parent)


def read_contents(path: Path, *, running: bool = False) -> bytes:
    """Returns what *path* begins with, one byte more than is allowed: a device may have no end.

    Raises OSError, for a pipe too if a *running* gateway reads it: nobody may ever write to it again.
    """
    if running and path.is_fifo():
        raise OSError(errno.EINVAL, "it is a pipe")
    with path.open("rb") as file:
        return file.read(_MAXIMUM_BYTES + 1)


def _failed(path: Path, fault: Fault) -> Loaded:
    return Loaded(None, (fault,), (), path.parent)


def _time_zone_faults(environ: Mapping[str, str]) -> list[Fault]:
    """Returns a fault if TZ is set to a time zone that this system does not have: the C library would use UTC."""
    zone = environ.get("TZ", "")
    if not zone:
        return []
    path = zone.removeprefix(":")
    if _POSIX_RULE.fullmatch(path) or path in time_zones() or any(_is_zone_file(Path(one, path)) for one in TZPATH):
        return []
    return [Fault("TZ", None, "names no time zone of this system", "set it to an IANA name, or unset it")]


def _is_zone_file(path: Path) -> bool:
    """Whether *path* is a time zone's file (RFC 9636)."""
    try:
        return first_bytes(path, len(_ZONE_FILE)) == _ZONE_FILE
    except OSError:  # the C library cannot read it either, and uses UTC
        return False


def _syntax_fault(name: str, message: str) -> Fault:
    """Returns a fault for tomllib's *message*, which ends in "(at line 3, column 7)" or "(at end of document)"."""
    reason, _, position = message.partition(" (at ")
    number = position.removeprefix("line ").partition(",")[0]
    line = int(number) if number.isdigit() else None
    return Fault(
        name,
        line,
        f"is not TOML: {reason[:1].lower()}{reason[1:]}",
        "correct the end of the file" if line is None else "correct that line first",
    )


def _check_depth(raw: dict[str, Any]) -> None:
    if is_too_deep(raw):
        raise RecursionError


def _remove_nul(node: Any, key: str = "") -> list[Fault]:
    """Removes the NUL characters from the texts in *node*, and returns a fault for each such text: no path, header or
    name may have one, and system calls raise for it."""
    faults = []
    for part, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        place = f"{key}.{part}".strip(".")
        if isinstance(value, dict | list):
            faults += _remove_nul(value, place)
        elif isinstance(value, str) and "\0" in value:
            node[part] = value.replace("\0", "")
            faults.append(Fault(place, None, "has a NUL character", "remove it"))
    return faults


def _locate(fault: Fault, lines: Mapping[str, int], variables: Mapping[str, str]) -> Fault:
    """Returns *fault* with its line, or with the variable's name as its key if the environment set the value, or a part
    of it that is not in the file. A key that is missing in a table of variables has no line."""
    table = fault.key.rpartition(".")[0]
    for key, name in variables.items():
        if f"{fault.key}.".startswith(f"{key}."):
            remedy = fault.remedy
            if " in quotes: " in remedy and fault.key == key:  # a variable's are part of its value
                remedy = remedy.replace(" in quotes", "").replace('"', "")
            return replace(fault, key=name + fault.key.removeprefix(key), line=None, remedy=remedy)
        if f"{key}.".startswith(f"{fault.key}.") and fault.key not in lines:
            return replace(fault, key=name, line=None)
    for key, name in variables.items():
        if table and key.rpartition(".")[0] == table and table not in lines and fault.key not in lines:
            return replace(fault, reason=f"{fault.reason} ({name} has the table)", line=None)
    return fault if fault.line is not None else replace(fault, line=line_of(lines, fault.key))
