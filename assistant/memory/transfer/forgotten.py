"""What the user has forgotten does not come back with an import, unless they ask for it."""

from __future__ import annotations

from sqlite_utils import Database

from assistant.memory.tombstones import Tombstone, Tombstones


class Forgotten:
    """Of one batch: what is left out, or what comes back because the user wants it."""

    def __init__(self, db: Database, stones: Tombstones, moment: str, *, back: bool) -> None:
        self._db, self._stones, self._moment, self._back = db, stones, moment, back
        # Most memories have forgotten nothing, and most imports are large.
        self.any = db.execute("SELECT 1 FROM tombstones LIMIT 1").fetchone() is not None
        self._memories: list[tuple[str, str]] = []
        self._conversations: list[str] = []
        self._turns: list[str] = []

    def memory(self, memory_id: str, text: str, *, by_text: bool) -> bool:
        """Whether a memory is to be left out. `by_text`: also where only its words were forgotten."""
        if not self.any:
            return False
        said = text if by_text else ""
        gone = self._stones.was_forgotten(self._db, memory_id=memory_id, text=said)
        if gone and self._back:
            self._memories.append((memory_id, text))
        return gone and not self._back

    def conversation(self, conversation_id: str) -> bool:
        """Whether a conversation is to be left out."""
        if not self.any:
            return False
        gone = self._stones.was_forgotten(self._db, conversation_id=conversation_id)
        if gone and self._back:
            self._conversations.append(conversation_id)
        return gone and not self._back

    def turn(self, turn_id: str) -> bool:
        """Whether a turn is to be left out."""
        if not self.any:
            return False
        gone = self._stones.was_forgotten(self._db, turn_id=turn_id)
        if gone and self._back:
            self._turns.append(turn_id)
        return gone and not self._back

    def settle(self) -> list[Tombstone]:
        """Note what came back; to be kept once the batch is durable."""
        return self._stones.bring_back(
            self._db, self._memories, self._conversations, self._turns, self._moment
        )
