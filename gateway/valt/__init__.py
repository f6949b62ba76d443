"""VALT's HTTP API, access tokens and links."""
