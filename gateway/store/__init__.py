"""The state that outlives a request: consumed tickets, sign-outs and revocations."""
