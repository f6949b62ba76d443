"""What answers each route: HTTP in, HTTP out, no decisions."""
