"""Runs the command line: ``python -m gateway`` is ``valt-gateway``."""

import gateway.early_signals  # noqa: F401  before any other import: see there

# isort: split
from gateway.cli.main import main

if __name__ == "__main__":
    main()
