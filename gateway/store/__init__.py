"""State that outlives a request: spent tickets, sign-outs, revocations."""
