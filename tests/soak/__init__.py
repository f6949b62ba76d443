"""Long runs of a whole gateway under faults: ``python -m tests.soak MINUTES``, with MEBIBYTES and VIEWERS set."""
