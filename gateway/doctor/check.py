"""The result of one check, as data."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """From the best to the worst."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """It may not work, or it could not be tried."""
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """*detail* says what was tried and what happened, *remedy* what the operator can do; empty if there is nothing to
    do. Neither contains a secret or a link."""

    name: str
    result: Result
    detail: str
    remedy: str = ""


def good(name: str, detail: str) -> Check:
    """Returns the check *name* as passed."""
    return Check(name, Result.GOOD, detail)


def doubtful(name: str, detail: str, remedy: str) -> Check:
    """Returns the check *name* as one that deserves a look."""
    return Check(name, Result.DOUBTFUL, detail, remedy)


def broken(name: str, detail: str, remedy: str) -> Check:
    """Returns the check *name* as failed."""
    return Check(name, Result.BROKEN, detail, remedy)


def not_tried(name: str, reason: str, remedy: str) -> Check:
    """Returns the check *name* as one that could not be tried because of *reason*."""
    return Check(name, Result.DOUBTFUL, f"not tried: {reason}", remedy)


def worst(checks: Iterable[Check]) -> Result:
    """Returns the worst result of *checks*; GOOD if there is none."""
    order = list(Result)
    return max((check.result for check in checks), key=order.index, default=Result.GOOD)
