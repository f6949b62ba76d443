"""Tests of gateway.valt."""
