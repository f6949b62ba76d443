"""``serve`` with several workers: the supervisor's process, from its start to its end."""

import asyncio
import signal
import sys
import tempfile
import traceback
from contextlib import ExitStack
from pathlib import Path

from gateway import early_signals
from gateway.cli.configuration import read
from gateway.cli.serve import reload_outcome
from gateway.clock import BackgroundTasks, SystemClock
from gateway.listeners import admin_listener, certificate_of
from gateway.observe.library_logs import redirect_library_logs
from gateway.observe.logs import LogObserver
from gateway.observe.metric_files import check_room
from gateway.settings.loading import Loaded
from gateway.settings.model import Settings
from gateway.settings.until_restart import InForce
from gateway.sockets import PassedSockets, address_of, open_sockets
from gateway.systemd import ServiceManager
from gateway.web.handlers.admin import AdminHandler
from gateway.workers.supervisor import Supervisor
from gateway.workers.whole import status_of, whole_admin_handler


async def run_workers_until_signal(
    settings: Settings,
    config: Path,
    contents: bytes,
    workers: int,
    passed: PassedSockets,
    manager: ServiceManager,
) -> int:
    """Runs so many *workers* until SIGTERM or SIGINT, then drains. A second signal ends the drain; SIGHUP replaces the
    workers. Returns the exit status. *contents* are the bytes of *config*, from which *settings* were read. *manager*
    is as for `run_until_signal`."""
    clock = SystemClock()
    log = LogObserver(sys.stderr, settings.log.format, settings.log.level, clock)
    redirect_library_logs(log, clock, settings.log.level)
    ready, stopping, drain_now = asyncio.Event(), asyncio.Event(), asyncio.Event()
    background, reloads = BackgroundTasks(), BackgroundTasks()
    with ExitStack() as stack:
        try:
            private = tempfile.TemporaryDirectory(prefix="valt-gateway-", ignore_cleanup_errors=True)
            directory = Path(stack.enter_context(private))
            check_room(directory, workers)
            sockets = await open_sockets(settings.server.listen, int(settings.server.socket_mode, 8), passed)
            supervisor = Supervisor(
                *(settings, config, contents, workers),
                in_force=InForce.at_start(settings, passed),
                sockets=sockets,
                directory=directory,
                observer=log,
            )
            handler = whole_admin_handler(settings, supervisor)
            admin = admin_listener(settings, handler, clock, log, passed)
            await admin.start()
            _handle_signals(supervisor, config, handler, manager, ready, stopping, drain_now, reloads, log)
            status = await supervisor.start()
        except OSError as error:
            log.print_line(f"cannot start: {error}")
            await asyncio.to_thread(log.close)
            return 1
        if not status:
            public = address_of(sockets[0], tls=certificate_of(settings) is not None)
            log.print_line(f"valt-gateway is ready on {public} (admin on {admin.address})")
            manager.ready()
            ready.set()
            background.run(manager.run(lambda: status_of(supervisor)), "service manager")
            await stopping.wait()
            manager.stopping()
        stopped = await supervisor.stop(drain_now)
        await reloads.cancel()
        await background.cancel()
        await admin.close()
        await asyncio.to_thread(log.close)
        return status or stopped


def _handle_signals(
    supervisor: Supervisor,
    config: Path,
    admin: AdminHandler,
    manager: ServiceManager,
    ready: asyncio.Event,
    stopping: asyncio.Event,
    drain_now: asyncio.Event,
    reloads: BackgroundTasks,
    log: LogObserver,
) -> None:
    """Reload *config* at SIGHUP, once *ready* is set, in tasks of *reloads*; set *stopping* at the first SIGTERM or
    SIGINT and *drain_now* at the second. The signals that arrived before count too. *admin* is the supervisor's own, to
    which hosts and token of the new configuration apply."""
    loop = asyncio.get_running_loop()

    async def reload() -> None:
        await ready.wait()
        manager.reloading()
        done = False
        try:
            done = await supervisor.reload()
            if done and (settings := (await asyncio.to_thread(_read_own, config, supervisor.contents)).settings):
                admin.set_access(settings.admin.hosts, settings.admin.token)
                supervisor.shutdown_delay = settings.server.shutdown_delay
        except Exception:  # which is not expected, and a reload that failed too: nobody awaits this
            log.report("error", f"the workers cannot be replaced: {traceback.format_exc()}")
        finally:  # also at the end of the process
            if not stopping.is_set():
                manager.ready()
            log.report(*reload_outcome(done=done))

    def on_terminate() -> None:
        (drain_now if stopping.is_set() else stopping).set()

    def on_hangup() -> None:
        reloads.run(reload(), "reload")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_terminate)
    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    for early in early_signals.take():
        (on_hangup if early == signal.SIGHUP else on_terminate)()


def _read_own(config: Path, contents: bytes) -> Loaded:
    """Returns what the supervisor itself needs of *contents*, which the workers have applied and *config* may not have
    any more: of the secrets, that of the admin listener alone."""
    return read(config, check_files=False, examples=False, needed_secrets=("admin",), contents=contents)
