"""``python -m gateway`` is ``valt-gateway``."""

from gateway.cli import main

if __name__ == "__main__":
    main()
