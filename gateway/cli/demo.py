"""``demo``: a VALT simulator, a portal and a gateway between them, on loopback, with real films."""

import asyncio
import os
import socket
import sys
import tempfile
from pathlib import Path

import click

from gateway.cli.configuration import tell


@click.command()
@click.option("--port", default=8080, show_default=True, help="The gateway's port.")
@click.option("--portal-port", default=8090, show_default=True, help="The portal's port.")
@click.option("--admin-port", default=9464, show_default=True, help="The admin listener's port.")
def command(port: int, portal_port: int, admin_port: int) -> None:
    """Run the demo. Open the address that it prints; Ctrl-C ends it."""
    with tempfile.TemporaryDirectory(prefix="valt-gateway-demo-") as folder:
        sys.exit(asyncio.run(_run(Path(folder), port, portal_port, admin_port)))


async def _run(folder: Path, port: int, portal_port: int, admin_port: int) -> int:
    from gateway.cli.serve import until_told
    from gateway.server import Gateway
    from gateway.settings.loading import load
    from gateway.sim.demo import make_portal_key, write_demo_configuration
    from gateway.sim.portal import Portal
    from gateway.sim.valt import ValtSimulator

    port, portal_port, admin_port = (_free(wanted) for wanted in (port, portal_port, admin_port))
    async with ValtSimulator() as valt:
        portal = Portal(valt.recordings, make_portal_key(folder))
        await portal.start(portal_port)
        portal.gateway = f"http://127.0.0.1:{port}"
        config = write_demo_configuration(
            folder,
            port=port,
            public_url=portal.gateway,
            valt_url=valt.base_url,
            portal_url=portal.url,
            admin_port=admin_port,
        )
        loaded = load(config, os.environ)
        if loaded.settings is None:
            tell("fault", loaded.faults)
            await portal.stop()
            return 78

        def announce(public: str, admin: str) -> None:
            click.echo(
                f"portal:   {portal.url}   <- open this in a browser\n"
                f"gateway:  {public}\n"
                f"metrics:  {admin}/metrics\n"
                f"VALT:     {valt.base_url} (simulated), media on {valt.media_url}\n"
                f"audit:    {folder / 'audit.jsonl'}"
            )

        try:
            return await until_told(Gateway(loaded.settings), config, announce)
        finally:
            await portal.stop()


def _free(wanted: int) -> int:
    """*wanted* if nobody has it, or a port that the system chooses."""
    for port in (wanted, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(sock.getsockname()[1])
    raise OSError("no port is free")
