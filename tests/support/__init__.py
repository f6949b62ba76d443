"""Fixtures, clients and programs that the tests share."""
