"""What stands in deploy/ is tried with the programs that read it."""
