"""Nestor on a desktop: icon, windows, hotkeys, voice. Everything reaches the daemon over HTTP only."""
