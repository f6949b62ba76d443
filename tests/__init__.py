"""Tests of valt-gateway: unit, contracts, e2e, bench and soak, with what they share in support."""
