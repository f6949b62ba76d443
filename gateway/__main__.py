"""Runs the command line: ``python -m gateway`` is ``valt-gateway``."""

from gateway.cli.main import main

if __name__ == "__main__":
    main()
