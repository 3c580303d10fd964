"""The jobs around the conversation: writing for you."""
