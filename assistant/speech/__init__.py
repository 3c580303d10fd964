"""Hearing and speaking: one child process with the heavy packages, and the daemon's side of it."""
