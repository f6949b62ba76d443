"""``python -m tests.bench.bare_aiohttp PORT LOCATION``: aiohttp's server alone, which answers every request with a 307.

What aiohttp itself costs: whatever a redirect of the gateway costs more is the gateway's own.
"""

import asyncio
import sys

from aiohttp import web


async def serve(port: int, location: str) -> None:
    """Runs until the process is terminated."""

    async def redirect(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=307, headers={"Location": location})

    runner = web.ServerRunner(web.Server(redirect))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
