"""Listeners that read what happened: metrics, audit, logs."""
