"""``serve``: runs the gateway until SIGTERM. SIGHUP reads the configuration again."""

import asyncio
import gc
import logging
import os
import resource
import signal
import sqlite3
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway import early_signals
from gateway.cli.configuration import BAD_CONFIGURATION, read, read_or_exit
from gateway.cli.options import config_option
from gateway.clock import BackgroundTasks
from gateway.cpus import worker_count
from gateway.errors import BusyError
from gateway.observe.output import thread_standard_error
from gateway.process_end import run_and_exit
from gateway.settings.loading import Loaded, read_contents
from gateway.settings.model import Settings
from gateway.settings.until_restart import InForce
from gateway.systemd import ServiceManager, take_sockets

if TYPE_CHECKING:
    from gateway.server import Gateway


@click.command()
@config_option
def command(config: Path) -> None:
    """Run the gateway. Prints one line when it is ready.

    SIGHUP reads the configuration again, SIGTERM drains and ends, a second SIGTERM ends at once. systemd is notified of
    it, and may open the sockets (Type=notify, systemd.socket).
    """
    has_stdout = open_standard_streams()
    flush_standard_error = thread_standard_error()
    passed, manager = take_sockets(os.environ), ServiceManager.of(os.environ)
    contents = None
    with suppress(OSError):  # of a file that cannot be read, which read_or_exit reports
        contents = read_contents(config)
    settings = read_or_exit(config, check_files=True, contents=contents)
    if settings.audit.file == "-" and not has_stdout:
        click.echo("cannot start: audit.file is standard output, which is closed", err=True)
        sys.exit(BAD_CONFIGURATION)
    _raise_descriptor_limit()
    _forbid_core_dumps()
    logging.captureWarnings(True)  # warnings of libraries have the log's format

    workers = worker_count(settings.server.workers)
    if workers > 1 and contents is not None:
        from gateway.cli.supervise import run_workers_until_signal

        run = run_workers_until_signal(settings, config, contents, workers, passed, manager)
    else:
        from gateway.server import Gateway

        async def run_alone() -> int:
            gateway = Gateway(settings, passed=passed)

            def print_ready(public: str, admin: str) -> None:
                gateway.logs.print_line(f"valt-gateway is ready on {public} (admin on {admin})")

            return await run_until_signal(gateway, config, print_ready, manager)

        run = run_alone()
    run_and_exit(run, flush_standard_error)


def open_standard_streams() -> bool:
    """Opens /dev/null as each standard stream that is closed: a socket with its number would get the log or the audit.
    Returns whether standard output was open."""
    closed = set()
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.add(os.open(os.devnull, os.O_RDWR))
    if 2 in closed:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    return 1 not in closed


def _raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard limit: each stream holds up to five descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _forbid_core_dumps() -> None:
    """Set the limit of core dumps to zero, also for workers: a dump would have VALT's passwords and links on disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def start_fault(gateway: "Gateway", start: Callable[[], Awaitable[None]]) -> int:
    """Returns 0 after *start*, a method of *gateway*; else stops it, says why it cannot start and returns the exit
    status: 78 if a file cannot be used, or 1."""
    try:
        await start()
    except (OSError, RuntimeError, BusyError, sqlite3.Error) as error:
        named = f"state.dir: {gateway.settings.state.dir}: {error}" if isinstance(error, sqlite3.Error) else str(error)
        gateway.logs.print_line(f"cannot start: {named}")
        await gateway.stop()
        # A file or directory that the configuration names does not come back by starting again; an address may, and a
        # database that another process has locked.
        is_locked = "locked" in str(error)
        is_named = isinstance(error, sqlite3.Error) or getattr(error, "filename", None) is not None
        return BAD_CONFIGURATION if is_named and not is_locked else 1
    return 0


def reload_outcome(*, done: bool) -> tuple[str, str]:
    """Returns level and message of the log line at the end of a reload."""
    return ("info", "configuration reloaded") if done else ("error", "the old configuration stays in force")


async def apply_reload(gateway: "Gateway", read_again: Callable[[], Loaded]) -> Settings | None:
    """Applies the configuration that *read_again* returns, which runs in a thread, and logs warnings, faults and
    the outcome. Returns its settings, None if they are not applied. An exception of it, which is not expected, is a
    reload that failed too: nobody awaits this."""
    try:
        loaded = await asyncio.to_thread(read_again)
        done = await gateway.reload(loaded.settings)
    except Exception:
        gateway.report_reload(done=False)
        gateway.logs.report("error", f"the configuration could not be checked: {traceback.format_exc()}")
        gateway.logs.report(*reload_outcome(done=False))
        return None
    for warning in loaded.warnings:
        gateway.logs.report("warning", f"warning: {warning}")
    for fault in loaded.faults:
        gateway.logs.report("error", f"fault: {fault}")
    gateway.logs.report(*reload_outcome(done=done))
    return loaded.settings if done else None


class Reloads:
    """Reloads the configuration of *gateway*, one reload after the other: the last one to be requested decides.

    *read_again* is as for `apply_reload`, with what the reload is compared with; *in_force* is that at the start.
    """

    def __init__(self, gateway: "Gateway", read_again: Callable[[InForce], Loaded], in_force: InForce) -> None:
        self._gateway = gateway
        self._read_again = read_again
        self._in_force = in_force
        self._reloading = asyncio.Lock()

    async def apply(self) -> None:
        """Reopens the audit file, whatever the configuration has; then, once the reloads before have ended, reads and
        applies it."""
        self._gateway.audit.reopen()
        async with self._reloading:
            applied = await apply_reload(self._gateway, partial(self._read_again, self._in_force))
            if applied is not None:
                self._in_force = self._in_force.after_reload(applied)


async def run_until_signal(
    gateway: "Gateway",
    config: Path,
    announce: Callable[[str, str], None],
    manager: ServiceManager | None = None,
) -> int:
    """Start the gateway and serve until SIGTERM or SIGINT, then drain and stop. A second signal ends the drain. SIGHUP
    reloads *config*. Returns 0, 78 if a file cannot be used, or 1 if the gateway cannot start for another reason or
    audit lines could not be written.

    *announce* is called with the public and the admin address after the signal handlers are installed, so that whoever
    waits for its output may send a signal at once. *manager* is notified of each change of state.
    """
    manager = manager or ServiceManager()
    at_start = InForce.at_start(gateway.settings, gateway.passed)
    reloads = Reloads(gateway, lambda in_force: read(config, running=True, in_force=in_force), at_start)
    status = await start_fault(gateway, gateway.start)
    if status:
        return status
    gc.collect()
    gc.freeze()  # objects that live as long as the process are not scanned again by every collection
    loop = asyncio.get_running_loop()
    stopping, drain_now, drained = asyncio.Event(), asyncio.Event(), asyncio.Event()
    tasks = BackgroundTasks()

    def on_terminate() -> None:
        (drain_now if stopping.is_set() else stopping).set()

    async def reload() -> None:
        manager.reloading()
        try:
            await reloads.apply()
        except asyncio.CancelledError:  # the process ends
            gateway.report_reload(done=False)
            gateway.logs.report(*reload_outcome(done=False))
            raise
        finally:
            if not stopping.is_set():
                manager.ready()

    def on_hangup() -> None:
        if not drained.is_set():  # from then on nothing can be reloaded
            tasks.run(reload(), "reload")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_terminate)
    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    announce(*gateway.addresses)
    manager.ready()
    for number in early_signals.take():
        (on_hangup if number == signal.SIGHUP else on_terminate)()
    signs_of_life = loop.create_task(manager.run(lambda: gateway.status), name="service manager")
    await stopping.wait()
    manager.stopping()
    await gateway.drain(drain_now)
    drained.set()
    await tasks.cancel()
    stopped = await gateway.stop()
    signs_of_life.cancel()
    return 0 if stopped else 1
