"""Everything remembered, out of here and in again: Nestor's own file, and those of other assistants."""
