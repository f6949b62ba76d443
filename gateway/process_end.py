"""Runs the coroutine of a serving process, and ends the process with its exit status: `serve` and `worker`.

How it works: an event loop that is closed, and after it the interpreter, wait for every thread of every executor. Such
a thread may wait for minutes for a name server, for the Kerberos library's disk, or for the check of a long
configuration. When the coroutine has returned, everything is released, audited and written that must be, so the process
ends without them. The loop is never closed, and its signal handlers stay: without them a signal in the last moments
would decide the exit status. What libraries register with `atexit` does not run; nothing here needs it.
"""

import asyncio
import os
import signal
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def run_and_exit(serve: Coroutine[Any, Any, int], flush_standard_error: Callable[[], object]) -> NoReturn:
    """Runs *serve* in an event loop, then *flush_standard_error*, and ends the process with the status that *serve*
    returns; with that of a SystemExit; with 1 and a traceback if it raises anything else."""
    runner = asyncio.Runner()
    try:
        status = runner.run(serve)
    except SystemExit as ending:  # of a second signal before the process was ready: see early_signals
        status = ending.code if isinstance(ending.code, int) else 1
    except BaseException:  # the process ends with it, whatever it is
        traceback.print_exc()
        status = 1
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    flush_standard_error()
    os._exit(status)
