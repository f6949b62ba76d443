"""The state that a gateway's earlier start has left."""

import asyncio
from pathlib import Path

from gateway.store.sqlite_file import connect


async def create_state(folder: Path, name: str = "state") -> None:
    """Creates the file of `[state] dir` in *folder* as if long ago: after a start that creates it, tickets are refused
    in the first seconds."""

    def create() -> None:
        connect(folder / name / "state.sqlite3", 0.0).close()

    await asyncio.to_thread(create)
