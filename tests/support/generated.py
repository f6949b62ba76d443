"""How many sequences a generated test runs: few in the suite, as many as ``SEQUENCES`` says in a long run."""

import os


def sequences(default: int) -> int:
    """Returns the environment's ``SEQUENCES``, or *default*."""
    return int(os.environ.get("SEQUENCES", default))
