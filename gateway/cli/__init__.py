"""The command line, one module per command; commands of a few lines are in ``main``."""
