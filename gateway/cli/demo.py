"""``demo``: runs a VALT simulator, a portal and a gateway between them, on loopback, with real videos."""

import asyncio
import os
import socket
import sys
import tempfile
from pathlib import Path

import click

from gateway.cli.configuration import BAD_CONFIGURATION, print_faults


@click.command()
@click.option("--port", default=8080, show_default=True, help="The gateway's port.")
@click.option("--portal-port", default=8090, show_default=True, help="The portal's port.")
@click.option("--admin-port", default=9464, show_default=True, help="The admin listener's port.")
def command(port: int, portal_port: int, admin_port: int) -> None:
    """Run the demo. Open the portal's address in a browser; Ctrl-C ends it."""
    with tempfile.TemporaryDirectory(prefix="valt-gateway-demo-") as folder:
        sys.exit(asyncio.run(_run(Path(folder), port, portal_port, admin_port)))


async def _run(folder: Path, port: int, portal_port: int, admin_port: int) -> int:
    from gateway.cli.serve import run_until_signal
    from gateway.server import Gateway
    from gateway.settings.loading import load
    from gateway.sim.demo_configuration import make_portal_key, write_demo_configuration
    from gateway.sim.portal import Portal
    from gateway.sim.scene import TRAINING, demo_scene
    from gateway.sim.valt import ValtSimulator
    from gateway.store.sqlite_file import connect

    port, portal_port, admin_port = (_free_port(preferred) for preferred in (port, portal_port, admin_port))
    async with ValtSimulator(recordings=demo_scene()) as valt:
        key = make_portal_key(folder)
        key_file = folder / "portal.key"
        key_file.touch(mode=0o600)
        key_file.write_text(key)
        portal = Portal(valt.recordings, key)
        await portal.start(portal_port)
        portal.gateway = f"http://127.0.0.1:{port}"
        config = write_demo_configuration(
            folder,
            port=port,
            public_url=portal.gateway,
            valt_url=valt.base_url,
            portal_url=portal.url,
            admin_port=admin_port,
            students_recording=TRAINING,
        )
        # As if long ago, because a start that creates it refuses tickets for some seconds: none is older than the key.
        connection = await asyncio.to_thread(connect, folder / "state" / "state.sqlite3", 0.0)
        await asyncio.to_thread(connection.close)
        loaded = load(config, os.environ)
        if loaded.settings is None:
            print_faults("fault", loaded.faults)
            await portal.stop()
            return BAD_CONFIGURATION

        def announce(public: str, admin: str) -> None:
            click.echo(
                f"portal:   {portal.url}   <- open this in a browser\n"
                f"gateway:  {public}\n"
                f"metrics:  {admin}/metrics\n"
                f"VALT:     {valt.base_url} (simulated), media on {valt.media_url}\n"
                f"key:      {key_file}   <- signs the portal's tickets (docs/portal.md)\n"
                f"audit:    {folder / 'audit.jsonl'}"
            )

        try:
            return await run_until_signal(Gateway(loaded.settings), config, announce)
        finally:
            await portal.stop()


def _free_port(preferred: int) -> int:
    """Returns *preferred* if it is free, else a port that the system chooses."""
    for port in (preferred, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue  # in use: the system chooses another one
            return int(sock.getsockname()[1])
    raise OSError("no port is free")
