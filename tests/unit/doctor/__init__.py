"""Tests of gateway.doctor."""
