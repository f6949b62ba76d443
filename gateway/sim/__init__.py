"""A VALT simulator and a small portal: what the demo runs and tests try against."""
