"""``worker``: one process of a gateway with several. The supervisor starts it; nobody else does."""

import asyncio
import gc
import logging
import signal
import socket
from pathlib import Path
from typing import Any

import click

from gateway import early_signals
from gateway.cli.configuration import BAD_CONFIGURATION, read
from gateway.cli.serve import start_fault
from gateway.observe.output import thread_standard_error
from gateway.process_end import run_and_exit
from gateway.settings.model import Settings
from gateway.settings.restart_keys import keys_needing_restart, with_restart_values
from gateway.settings.until_restart import InForce
from gateway.settings.worker_shares import PUBLIC_SOCKET, share_of_worker
from gateway.workers.channel import Channel, Message


@click.command(hidden=True)
@click.option("--config", type=click.Path(path_type=Path), required=True)
@click.option("--channel", type=int, required=True, help="Descriptor of the connection to the supervisor.")
@click.argument("listening", type=int, nargs=-1)
def command(config: Path, channel: int, listening: tuple[int, ...]) -> None:
    """Serve the sockets with the descriptors LISTENING for a supervisor."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # on a terminal with "stty tostop", a line of the log would stop it
    flush_standard_error = thread_standard_error()
    logging.captureWarnings(True)  # see serve
    sockets = [socket.socket(fileno=descriptor) for descriptor in listening]
    for sock in sockets:
        sock.set_inheritable(False)
    run_and_exit(_run(config, socket.socket(fileno=channel), sockets), flush_standard_error)


async def _run(config: Path, connection: socket.socket, sockets: list[socket.socket]) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: None)  # the supervisor says what to do
    channel = await Channel.open(connection)
    start = await channel.receive()
    if start is None:
        return 1

    in_force = InForce.decode(start.get("in_force", {}))  # which older supervisors do not send
    lasting: dict[str, Any] = {"in_force": in_force.encode()}

    def log(level: str, text: str) -> None:
        # Also called in a thread.
        loop.call_soon_threadsafe(channel.send, {"is": "log", "level": level, "text": text})

    def settings_in(message: Message) -> Settings | None:
        """Returns this worker's settings by the configuration in *message*; None if it has faults, which the
        supervisor logs."""
        contents = message["config"].encode("latin-1")
        # What a quiet worker reads was checked by the start, or by the first of its generation, which decides for all
        # whether a reload is applied. What becomes of files for the restart keeps nobody from replacing a worker.
        is_checked = message["quiet"]
        has_files_open = is_checked or message["do"] == "apply"
        before = None if is_checked else InForce.decode(lasting["in_force"])
        loaded = read(config, contents=contents, running=has_files_open, in_force=before)
        for warning in () if is_checked else loaded.warnings:
            log("warning", f"warning: {warning}")
        if loaded.settings is None:
            # What a replaced worker cannot read is right for the code of its replacement.
            for fault in () if message["do"] == "retire" else loaded.faults:
                log("error", f"fault: {fault}")
            return None
        for key in () if is_checked else keys_needing_restart(in_force.values, loaded.settings):
            log("warning", f"{key} needs a restart")
        lasting["in_force"] = in_force.after_reload(loaded.settings).encode()
        settings = with_restart_values(loaded.settings, in_force.values)
        return share_of_worker(settings, start["number"], start["workers"], Path(start["state"]))

    settings = settings_in(start)
    if settings is None:
        return BAD_CONFIGURATION
    from gateway.observe.worker_metrics import share_metrics

    write_metrics = share_metrics(start["metrics"], start["number"], log)
    from gateway.workers.worker import Worker

    worker = Worker(settings, start, channel, {PUBLIC_SOCKET: sockets})  # from now on there are metrics
    worker.gateway.metrics.write_with(write_metrics)
    status = await start_fault(worker.gateway, worker.gateway.prepare)
    if status:
        return status
    loop.add_signal_handler(signal.SIGTERM, worker.drain)
    if early_signals.take():
        worker.drain()
    gc.collect()
    gc.freeze()  # see serve
    channel.send({"is": "prepared", "lasting": lasting})
    return await worker.run(settings_in)
