"""``[[grants]]``, the rules, and ``[[examples]]``, which check-config tries against them."""

import json
from typing import Literal

from pydantic import Field

from gateway.model import fold_name
from gateway.settings.addresses import Address
from gateway.settings.networks import Network
from gateway.settings.values import Count, Day, Duration, Flag, Name, Table, ValtUser, duration_field


class GrantSettings(Table):
    """A rule. All conditions that are given must hold."""

    name: Name = Field(description="name of the rule in metrics, audit and log")
    groups: tuple[str, ...] = Field((), description="any of these groups,")
    subjects: tuple[str, ...] = Field(
        (),
        description='or any of these people; "*" is anyone signed in or with a service key, `PROVIDER#SUBJECT` that '
        "provider's alone",
    )
    recordings: tuple[str, ...] = Field(description="ids or globs")
    account: str = Field(description="account of `[valt.accounts]` that VALT is asked as")
    delivery: Literal["proxy", "redirect"] = Field("proxy", description="how the bytes reach the client")
    download: Flag = Field(True, description="whether `?download` is allowed")
    rooms: tuple[str, ...] = Field((), description="globs of the room's name")
    authors: tuple[str, ...] = Field((), description="globs of the author's VALT user name")
    names: tuple[str, ...] = Field((), description="globs of the recording's name")
    template: dict[str, str] = Field({}, description="template field = glob of its value")
    created_within: Duration | None = duration_field(None, "recorded no longer ago than this", positive=True)
    author_is_me: Flag = Field(False, description="the person recorded it")
    shared_with_me: Flag = Field(False, description="VALT shares it with the person or a group of theirs")
    allow: Flag = Field(True, description="`false`: the rule refuses, and no later rule is considered")
    networks: tuple[Network, ...] = Field((), description="the client's address must be in one of these")
    valid_from: Day | None = Field(None, description="first day on which the rule counts, in `server.timezone`")
    valid_until: Day | None = Field(None, description="last day on which the rule counts")

    def folded(self, name: str) -> str:
        """Returns *name*, of a person, a group or a service key, as the rule compares it: a rule that refuses has all
        its spellings."""
        return name if self.allow else fold_name(name)

    def comparable(self, *excluded: str) -> str:
        """Returns a text that is the same for rules that do the same but for the keys *excluded*, whatever their names
        are and in whichever order their lists and tables: a rule that refuses uses neither ``delivery`` nor
        ``download``."""
        unused = {"name"} if self.allow else {"name", "delivery", "download"}
        values = self.model_dump(mode="json", exclude=unused.union(excluded))
        texts = {key: sorted(one) if isinstance(one, list) else one for key, one in values.items()}
        return json.dumps(texts, sort_keys=True)


class ExampleSettings(Table):
    """A decision that the rules must make, with the facts about the recording that they may need."""

    subject: str = Field(description="the person, at each provider, or `PROVIDER#SUBJECT`")
    groups: tuple[str, ...] = Field((), description="the person's groups; a service key has its own")
    recording: str = Field(description="id of the recording")
    allowed: Flag = Field(description="the decision that the rules must make")
    room: str | None = Field(None, description="the recording's room")
    author: ValtUser | None = Field(None, description="the recording's author, by VALT user name or user id")
    name: str | None = Field(None, description="the recording's name")
    template: dict[str, str] = Field({}, description="the recording's template fields")
    age: Duration | None = Field(None, description="time since it was recorded")
    shared_users: tuple[Count, ...] = Field((), description="VALT user ids it is shared with")
    shared_groups: tuple[Count, ...] = Field((), description="VALT user group ids it is shared with")
    client: Address | None = Field(None, description="the client's address, for rules with `networks`")
    day: Day | None = Field(None, description="the day, for rules with `valid_from` or `valid_until`")
