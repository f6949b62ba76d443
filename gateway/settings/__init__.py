"""The configuration file: its model, how it is read, and what is checked about it."""
