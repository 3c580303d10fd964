"""From files the user allowed to passages that are remembered, and back out when they go."""
