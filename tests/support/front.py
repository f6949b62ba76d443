"""nginx in front of a gateway, as a site's own SSO proxy: it says who comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.free_ports import free_port
from tests.support.programs import program

_CONFIG = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
}}
"""


@asynccontextmanager
async def nginx(folder: Path, http: str) -> AsyncIterator[str]:
    """Run nginx with *http* inside its http block; ``PORT`` there is a free port. Yields its URL."""
    config = folder / "nginx.conf"
    with free_port() as port:
        config.write_text(_CONFIG.format(folder=folder, http=http.replace("PORT", str(port))))
        process = await asyncio.create_subprocess_exec(
            program("nginx"), "-p", str(folder), "-c", str(config), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await _listening(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(10):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
    raise AssertionError("nginx does not start; see its error.log")
