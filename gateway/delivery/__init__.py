"""How the bytes reach the person: redirect or proxy."""
