"""Which of a person's groups are stored in what the gateway seals: sessions, access tokens, changes of person.

A person in hundreds of groups must fit into a cookie, so that only groups that some rule names are stored. A rule that
refuses may be added later: what was sealed before does not tell whether the person is in its groups, and is void then.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.model import fold_name

_HASH = 10
"""Hexadecimal digits of a hash."""
_MAX_HASHES = 32
"""They are part of a session cookie, which has room for some hundred characters that do not compress."""


@dataclass(frozen=True, slots=True)
class GroupSelection:
    """*named* are the groups that a rule or ``[valt.groups]`` names, *refused* those on which a refusal depends."""

    named: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    digest: str = field(init=False)
    """Says on which groups a refusal depends: a short hash of each, or of all together where they are many; empty if
    there are none."""
    _folded: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        folded = frozenset(map(fold_name, self.refused))
        texts = sorted(folded) if len(folded) <= _MAX_HASHES else ["\0".join(sorted(folded))]
        hashes = [hashlib.sha256(text.encode()).hexdigest()[:_HASH] for text in texts if folded]
        object.__setattr__(self, "_folded", folded)
        object.__setattr__(self, "digest", ".".join(hashes))

    def select(self, groups: Iterable[str]) -> list[str]:
        """Returns the *groups* to store. A refusal reaches a group in every spelling of its name."""
        return sorted(group for group in groups if group in self.named or fold_name(group) in self._folded)

    def is_current(self, digest: str) -> bool:
        """Whether what was sealed with the selection of that *digest* has every group on which a refusal depends."""
        return not self.digest or set(self.digest.split(".")) <= set(digest.split("."))
