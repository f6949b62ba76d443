"""Authentication: one module per kind of credential, and the clients of identity providers."""
