"""A worker process's part of the gateway, prepared in this process."""

import socket
from pathlib import Path

from gateway.settings.model import Settings
from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
from gateway.workers.channel import Channel
from gateway.workers.worker import Worker
from tests.support.gateway_fixture import settings_of

NOWHERE = "http://127.0.0.1:1"
SEAL = "a-seal-of-more-than-thirty-two-bytes"


def demo_settings(folder: Path) -> Settings:
    """Returns the demo's settings, written to *folder*, with nothing where they lead."""
    make_portal_key(folder)
    return settings_of(
        write_demo_configuration(folder, port=0, public_url=NOWHERE, valt_url=NOWHERE, portal_url=NOWHERE)
    )


async def prepared_worker(folder: Path, *, running: bool = False) -> tuple[Worker, Settings, Channel]:
    """Returns a worker with the demo's configuration in *folder*, its settings, and the supervisor's end of the
    channel. *running*: whether the gateway runs already."""
    settings = demo_settings(folder)
    ours, theirs = socket.socketpair()
    supervisor = await Channel.open(ours)
    start = {"seal": SEAL, "started_at": 0.0, "durable": True, "running": running}
    worker = Worker(settings, start, await Channel.open(theirs), {})
    await worker.gateway.prepare()
    return worker, settings, supervisor
