"""valt-gateway: an SSO-aware gateway in front of VALT, the recording system."""
