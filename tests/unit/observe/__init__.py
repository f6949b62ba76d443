"""Tests of the listeners: metrics, audit, logs."""
