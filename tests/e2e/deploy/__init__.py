"""Every file in deploy/, tested with the programs that read it."""
