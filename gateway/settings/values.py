"""The base class of the tables and the types of single values. Each fault has a reason and a remedy."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.model import Secret

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""JWS algorithms with a public key (RFC 7518, 3.1; RFC 8037): identity providers share no secret with the gateway."""

TicketAlgorithm = Literal["EdDSA", "ES256", "RS256", "PS256", "HS256"]
"""JWS algorithms of portal tickets. HS256 is the only one with a shared secret."""

UNREAD = "not read " * 8
"""Placeholder of a secret that could not be read: long enough to pass the checks of its length."""
ANY_FILE = "any file"
"""The key of the validation context whose value is True where files need not be there or readable."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 36_500 * 86_400.0
"""Seconds; longer times would overflow dates."""
_MOST_WORKERS = 256
_LARGEST = 1_000_000_000
"""Larger numbers overflow calculations with times."""
_RESERVED_HEADERS = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "connection", "content-length", "content-type", "cookie"),
        *("expect", "forwarded", "host", "if-match", "if-none-match", "if-range", "origin", "range", "referer", "te"),
        *("transfer-encoding", "upgrade", "user-agent", "via", "x-forwarded-for", "x-forwarded-host"),
        *("cache-control", "cf-connecting-ip", "date", "dnt", "if-modified-since", "if-unmodified-since", "keep-alive"),
        *("pragma", "priority", "traceparent", "tracestate", "trailer", "true-client-ip"),
        *("content-encoding", "content-language", "from", "max-forwards", "proxy-connection", "save-data"),
        *("set-cookie", "upgrade-insecure-requests", "x-requested-with"),
        *("x-forwarded-proto", "x-forwarded-uri", "x-original-uri", "x-real-ip", "x-request-id"),
    }
)
"""Headers with another meaning, which any client may send: they cannot prove who a person is."""
_FIRST_YEAR = 1971
"""Earlier days have no Unix time in some time zones."""
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


class Table(BaseModel):
    """A TOML table. It is immutable, and a key that is not declared is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, validate_default=True)


def fault(reason: str, remedy: str) -> PydanticCustomError:
    """Returns the error that a validator raises; faults.py makes a Fault of it. *reason* continues the key's name."""
    return PydanticCustomError("fault", "{reason}", {"reason": reason, "remedy": remedy})


def time_zones() -> set[str]:
    """Returns the names of the time zones of this system, without that which means that none was chosen."""
    return available_timezones() - {"Factory"}


def _time_zone(value: str) -> str:
    if value and value not in time_zones():
        raise fault("is not a time zone of this system", 'write its IANA name, as "Europe/Berlin", or leave it out')
    return value


def _socket_mode(value: str) -> str:
    if re.fullmatch(r"0[0-7]{3}", value, re.ASCII) is None:
        raise fault("is not a file mode", 'write it in octal, as "0660"')
    return value


def _workers(value: Any) -> Any:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if number != "auto" and (isinstance(number, bool) or not isinstance(number, int)):
        raise fault("is not a whole number", 'write 1 or more, or "auto" for the number of CPUs')
    if number != "auto" and not 1 <= number <= _MOST_WORKERS:
        reason = "is less than 1" if number < 1 else f"is more than {_MOST_WORKERS}"
        raise fault(reason, 'write a few, or "auto" for the number of CPUs')
    return number


def seconds(value: Any) -> float:
    """Returns the seconds of a duration such as "30s". Raises the fault of a value that is not one."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise fault("is not a duration", 'write a number and a unit in quotes: "30s", "5m", "8h" or "90d"')
    length = float(match[1]) * _UNITS[match[2]]
    if length > _LONGEST:
        raise fault(f"is longer than {duration_text(_LONGEST)}", "write a shorter time")
    return length


def duration_text(length: float) -> str:
    """Returns *length* (seconds) as an operator writes it: in the largest unit of which it is a whole number."""
    unit = next((unit for unit in ("d", "h", "m", "s") if length and length % _UNITS[unit] == 0), "s")
    return f"{length / _UNITS[unit]:g}{unit}"


def duration_field(default: str | None, description: str, *, at_most: str | None = None, positive: bool = False) -> Any:
    """Returns the field of a duration. *default* and *at_most* are as an operator writes them ("30s"), so that they can
    be documented; pydantic converts the default to seconds."""
    longest = None if at_most is None else seconds(at_most)
    return Field(default, description=description, le=longest, gt=0 if positive else None)


def _secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value.strip():
        raise fault(
            "is empty or not text", "give the secret itself, or name a file with …_file or a variable with …_env"
        )
    return Secret(value)


def _header(value: str) -> str:
    if _HEADER.fullmatch(value) is None:
        raise fault("is not a header name", "use letters, digits and hyphens, as in X-Forwarded-User")
    if value.lower() in _RESERVED_HEADERS or value.lower().startswith(("sec-", "access-control-")):
        raise fault("has another meaning in HTTP", "use a header of its own, such as X-Forwarded-User")
    return value


def _header_or_empty(value: str) -> str:
    return _header(value) if value else value


def _day(value: Any) -> date:
    """Returns a day. A number, or a day with a time, would be another day in another time zone."""
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        day = None
    if not isinstance(day, date) or isinstance(day, datetime):
        raise fault("is not a day", "write it without a time and without quotes, as 2027-06-30")
    if day.year < _FIRST_YEAR:
        raise fault(f"is before {_FIRST_YEAR}", "leave it out if there is no such day")
    return day


def _color_or_empty(value: str) -> str:
    if value and _COLOR.fullmatch(value) is None:
        raise fault("is not a colour", 'write it as "#rrggbb", such as "#0b5cad"')
    return value.lower()


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise fault("is not a share", "write a number from 0 to 1, such as 0.1")
    return float(value)


def _valt_user(value: Any) -> str | int:
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "" or _is_negative(value):
        raise fault("is not a VALT user", "give a user name in quotes, or a user id")
    return value


def _is_negative(value: str | int) -> bool:
    return isinstance(value, int) and value < 0


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""A name that the operator gives to an entry. It becomes a metric label and a field of the audit."""
Count = Annotated[int, Field(strict=True, ge=0, le=_LARGEST)]
"""From 0, as ids in VALT are. Neither true, which Python counts as 1, nor text."""
PositiveCount = Annotated[int, Field(strict=True, ge=1, le=_LARGEST)]
Flag = Annotated[bool, Field(strict=True)]
"""true or false: neither 0, nor "no"."""
Text = Annotated[str, Field(min_length=1)]
Duration = Annotated[
    float, BeforeValidator(seconds), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$"})
]
SecretText = Annotated[Secret, BeforeValidator(_secret), WithJsonSchema({"type": "string"})]
HeaderName = Annotated[str, AfterValidator(_header)]
OptionalHeaderName = Annotated[str, AfterValidator(_header_or_empty)]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Share = Annotated[float, BeforeValidator(_share), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Color = Annotated[str, AfterValidator(_color_or_empty)]
ValtUser = Annotated[
    str | int, BeforeValidator(_valt_user), WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]})
]

Workers = Annotated[
    int | Literal["auto"],
    BeforeValidator(_workers),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}),
]
SocketMode = Annotated[str, AfterValidator(_socket_mode)]
"""Permissions of a unix socket, in octal."""
TimeZone = Annotated[str, AfterValidator(_time_zone)]
"""IANA name, or empty for the machine's."""
