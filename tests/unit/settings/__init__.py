"""Tests of what an operator may say."""
