"""Observers of events and finished requests: metrics, audit and log."""
