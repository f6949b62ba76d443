"""A whole gateway under faults for as long as one likes: ``python -m tests.soak`` MINUTES (and MEBIBYTES, VIEWERS)."""
