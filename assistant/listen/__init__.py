"""Sockets: who may connect, for how long, and what happens to those who dawdle."""
