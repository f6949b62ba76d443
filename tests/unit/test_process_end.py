"""How a serving process ends: with its status, whatever its threads wait for and whichever signals arrive."""

import asyncio
import sys

import pytest

from tests.support.programs import run

WAITING_THREADS = """
import asyncio, sys, threading
from concurrent.futures import ThreadPoolExecutor
from gateway.observe.output import thread_standard_error
from gateway.process_end import run_and_exit

flush = thread_standard_error()
own = ThreadPoolExecutor(1)

async def serve():
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    own.submit(threading.Event().wait)
    print("the last line", file=sys.stderr)
    return 3

run_and_exit(serve(), flush)
"""
SIGNALS_AT_THE_END = """
import asyncio, os, signal
from gateway.process_end import run_and_exit

async def serve():
    loop = asyncio.get_running_loop()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, print, "handled")
    return 3

def flush():
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)

run_and_exit(serve(), flush)
"""
RAISES = """
from gateway.process_end import run_and_exit

async def serve():
    raise {error}

run_and_exit(serve(), lambda: None)
"""


async def test_a_process_ends_with_its_status_and_last_line_while_threads_wait() -> None:
    async with asyncio.timeout(20):
        ended = await run(sys.executable, "-c", WAITING_THREADS)
    assert (ended.code, ended.err) == (3, b"the last line\n")


async def test_no_signal_in_the_last_moments_decides_the_exit_status() -> None:
    ended = await run(sys.executable, "-c", SIGNALS_AT_THE_END)
    assert (ended.code, ended.out, ended.err) == (3, b"", b"")


@pytest.mark.parametrize(("error", "status"), [("SystemExit(0)", 0), ("ValueError(1)", 1)])
async def test_an_unexpected_error_is_printed_and_the_status_is_1(error: str, status: int) -> None:
    ended = await run(sys.executable, "-c", RAISES.format(error=error))
    assert (ended.code, b"ValueError: 1" in ended.err) == (status, status == 1)
