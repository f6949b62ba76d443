"""What the command ``doctor`` tries from this machine: one module per subject, each check a function."""
