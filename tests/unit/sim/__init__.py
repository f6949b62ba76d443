"""Tests of gateway.sim."""
