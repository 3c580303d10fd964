"""Programs of the user's that talk to the daemon, over HTTP only."""
