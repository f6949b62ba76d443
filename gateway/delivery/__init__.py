"""How the bytes reach the client: by a redirect, or by proxy."""
