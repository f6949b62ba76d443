"""A VALT simulator and a small portal, for the demo and the tests."""
