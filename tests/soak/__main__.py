"""``python -m tests.soak [MINUTES]``: prints the figures; exits with 1 if one of them is wrong.

By default half a minute with a film of 8 MiB; runs longer than a minute use 200 MiB. The environment variables
MEBIBYTES and VIEWERS set the size of the film and the number of viewers at a time.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.soak.run import soak


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
    mebibytes = int(os.environ.get("MEBIBYTES", "8" if minutes <= 1 else "200"))
    viewers = int(os.environ.get("VIEWERS", "12"))
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(soak(Path(folder), seconds=minutes * 60, mebibytes=mebibytes, viewers=viewers))
    wrong = figures.wrong()
    sys.stdout.write("\n".join([*figures.lines(), *(f"WRONG: {line}" for line in wrong)]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
