"""What the assistant remembers: one encrypted SQLite file, words and vectors over it.

Start at `service.open_memory`. Nothing is imported here, since the embed child comes through this
file and must not pay for the database.
"""
