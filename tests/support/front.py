"""nginx in front of a gateway, as a site's own SSO proxy that names the user in headers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.free_ports import free_port
from tests.support.programs import program, wait_until_listening

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
    """Runs nginx with *http* inside its http block, where ``PORT`` stands for a free port. Yields its URL."""
    config = folder / "nginx.conf"
    with free_port() as port:
        config.write_text(_CONFIG.format(folder=folder, http=http.replace("PORT", str(port))))
        process = await asyncio.create_subprocess_exec(
            program("nginx"), "-p", str(folder), "-c", str(config), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(10):
                await wait_until_listening(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
