"""The local HTTP API: one guard, one table of routes, one form of error."""
