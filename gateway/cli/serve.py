"""``serve``: run until SIGTERM; SIGHUP reads the configuration anew."""

import asyncio
import gc
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.configuration import config_option, read, read_or_exit, tell

if TYPE_CHECKING:
    from gateway.server import Gateway


@click.command()
@config_option
def command(config: Path) -> None:
    """Run the gateway. Prints one line when it is ready."""
    settings = read_or_exit(config)
    _raise_descriptors()
    from gateway.server import Gateway

    async def run() -> int:
        return await until_told(Gateway(settings), config, announce)

    def announce(public: str, admin: str) -> None:
        click.echo(f"valt-gateway is ready on {public} (admin on {admin})", err=True)

    sys.exit(asyncio.run(run()))


def _raise_descriptors() -> None:
    """As many files as the machine allows: each stream holds up to five."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def until_told(gateway: "Gateway", config: Path, announce: Callable[[str, str], None]) -> int:
    """Start and serve until SIGTERM or SIGINT, drain, and stop; a second one ends it now. SIGHUP reloads *config*.
    Returns 0, or 1 where it cannot start.

    *announce* is called with both addresses once signals are heeded: who waits for its words may send one at once.
    """
    try:
        await gateway.start()
    except (OSError, RuntimeError) as error:
        click.echo(f"cannot start: {error}", err=True)
        await gateway.stop()
        return 1
    gc.collect()
    gc.freeze()  # what lives as long as the process is not looked at again on every collection
    loop = asyncio.get_running_loop()
    asked, hurry = asyncio.Event(), asyncio.Event()
    reloads: set[asyncio.Task[None]] = set()

    def end() -> None:
        (hurry if asked.is_set() else asked).set()

    async def reload(path: Path) -> None:
        loaded = await asyncio.to_thread(read, path)
        tell("fault", loaded.faults)
        done = await gateway.reload(loaded.settings)
        click.echo("configuration reloaded" if done else "the old configuration stays in force", err=True)

    def hang_up() -> None:
        task = loop.create_task(reload(config))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    announce(*gateway.addresses)
    await asked.wait()
    await gateway.drain(hurry)
    await gateway.stop()
    return 0
