"""What the assistant does: turns, prompts, completions."""
