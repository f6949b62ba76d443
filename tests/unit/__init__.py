"""Tests of single modules, in the same tree as gateway/."""
