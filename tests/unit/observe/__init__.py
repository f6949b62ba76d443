"""Tests of the observers: metrics, audit and log."""
