"""Links of a replica whose loads another one shares."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.shared_loads import Refusal, SharedLoads, SharedValue
from gateway.valt.links import ValtLinks
from tests.support.valt_client import Calls


@dataclass
class OtherReplica:
    """Shared loads, which answer once *gate* is set. *values* are those that a replica has loaded, by key."""

    values: dict[str, SharedValue] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(
        self,
        key: str,
        load: Callable[[], Awaitable[SharedValue]],
        usable: Callable[[SharedValue], bool],
        refusal: Refusal | None = None,
    ) -> SharedValue:
        await self.gate.wait()
        value = self.values.get(key)
        if value is None or not usable(value):
            value = self.values[key] = await load()
        return value


def links_of(calls: Calls, loads: SharedLoads) -> ValtLinks:
    """Returns the links of a replica that has none."""
    return ValtLinks(
        calls.client, calls.tokens, calls.clock, calls.recorder, loads, margin=60.0, negative_ttl=5.0, max_entries=100
    )
