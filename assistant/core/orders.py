"""Answers that need no model: what is said to the memory itself is done at once, and told exactly.

An order is looked up before anything is logged, so that what is for the model goes there. A request
to forget is never logged with what it asks to forget.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import msgspec

from assistant.core import commands, phrases
from assistant.core.commands import Choice, Command, Language
from assistant.core.ports import Knowledge, Place, TurnLog
from assistant.types import Effect, Generated, Memory, Request, Turn

CANDIDATES = 9
"""Memories listed for the user to choose from."""
SHOWN = 20
"""Memories told of one subject at most; how many more there are is said."""


class Outcome(msgspec.Struct, frozen=True):
    """What an order came to."""

    reply: str
    done: dict[str, Any] = {}
    """For the receipt, ids alone: `stored`, `closed`, `known`, `forgotten`, `reopened`, `asks`."""
    shown: tuple[Memory, ...] = ()
    """Memories that the reply quotes."""


class Order(msgspec.Struct, frozen=True):
    """Something to be done without the model."""

    text: str
    """What may be logged of the message."""
    title: str
    """What the conversation may be called after it."""
    run: Callable[[str], Awaitable[Outcome]]
    """Does it; given the turn's id."""


class _NoPlace:
    """Of what needs no model."""

    def stream(self, request: Request) -> AsyncGenerator[Generated, None]:
        """Never asked for."""
        raise NotImplementedError

    def release(self) -> None:
        """Nothing was taken."""


NO_PLACE: Place = _NoPlace()


class Orders:
    """Finds and carries out what is said to the memory."""

    def __init__(self, knowledge: Knowledge, log: TurnLog) -> None:
        self._knowledge = knowledge
        self._log = log

    async def look(
        self,
        conversation_id: str,
        text: str,
        *,
        store: bool = True,
        tell: bool = True,
        learns: bool = True,
    ) -> Order | None:
        """The order that a message is, in this conversation; None if it is for the model.

        Without `store` nothing is stored, not even what was asked to be. Without `tell` no memory is
        quoted: what needs that is for the model, or is told where it can be said. Without `learns`
        what is said in passing changes nothing.
        """
        command, chosen = commands.parse(text), commands.choice(text)
        if command is None and chosen is None:
            return None
        last: Turn | None = None
        if command is None or command.verb in ("undo", "correct"):
            last = await self._last(conversation_id)
        if command is None:
            return self._answer(last, chosen, text)
        match command.verb:
            case "remember":
                if not store:
                    return _order(text, _saying(phrases.say(command.language, "storing_off")))
                before = await self._before(conversation_id, command.text)
                return _order(text, lambda turn: self._remember(command, before, turn, tell=tell))
            case "forget":
                if command.edits and (await self._knowledge.meant(command.text)).nothing:
                    return None
                masked = phrases.say(command.language, "masked")
                return Order(masked, masked, lambda _: self._forget(command, tell=tell))
            case "about":
                return await self._about(command, text) if tell else None
            case "past":
                return await self._past(command, text) if tell else None
            case "undo":
                return self._undo(last, command, text, tell=tell)
        return await self._correct(last, command, text) if store and learns else None

    async def heard(self, conversation_id: str, text: str, turn_id: str) -> Effect:
        """Take what a message for the model states; see `Knowledge.heard`. And what it wants remembered."""
        if kept := commands.kept(text):
            before = await self._before(conversation_id, kept)
            return await self._knowledge.remember(kept, before=before, episode=turn_id)
        before = await self._before(conversation_id, text)
        return await self._knowledge.heard(text, before=before, episode=turn_id)

    async def stated(
        self, conversation_id: str, text: str, said: str, language: Language
    ) -> Order | None:
        """Of "no, Ana lives in Nice now", where it changes something: told at once, not left to a model.

        `said` and `language` are as `commands.stated` finds them. The reply quotes what held
        before: not for a chat that may not use all memories.
        """
        before = await self._before(conversation_id, said)
        if not await self._knowledge.contradicts(said, before=before):
            return None

        async def run(turn_id: str) -> Outcome:
            effect = await self._knowledge.heard(said, before=before, episode=turn_id)
            return told(effect, language)

        return _order(text, run)

    # --- what is said on its own -----------------------------------------------------------

    async def _remember(
        self, command: Command, before: str, turn_id: str, *, tell: bool
    ) -> Outcome:
        effect = await self._knowledge.remember(command.text, before=before, episode=turn_id)
        return told(effect, command.language) if tell else _untold(effect, command.language)

    async def _forget(self, command: Command, *, tell: bool) -> Outcome:
        if commands.everything(command.text):
            return Outcome(phrases.say(command.language, "everything"))
        meant = await self._knowledge.meant(command.text)
        if meant.sure:
            return await self._gone([m.id for m in meant.sure], command.language, command.text)
        if not tell:
            return Outcome(phrases.say(command.language, "elsewhere"))
        if meant.nothing:
            return Outcome(phrases.say(command.language, "nothing_meant"))
        some, more = meant.perhaps[:CANDIDATES], len(meant.perhaps[CANDIDATES:])
        lines = "\n".join(f"{at}. {_line(one)}" for at, one in enumerate(some, 1))
        if more:
            key = "more_of_all" if command.every else "more_unlisted"
            lines += "\n" + phrases.say(command.language, key, more=more, count=len(meant.perhaps))
        reply = phrases.say(command.language, "which", lines=lines)
        ids = [one.id for one in (meant.perhaps if command.every else some)]
        asks = {"forget": ids, "listed": len(some), "language": command.language}
        return Outcome(reply, {"asks": asks}, some)

    async def _gone(self, ids: Sequence[str], language: Language, phrase: str = "") -> Outcome:
        gone = await self._knowledge.forget(ids, phrase)
        key = "forgot_one" if len(gone) == 1 else "forgot"
        reply = phrases.say(language, key, count=len(gone), ids=", ".join(gone))
        return Outcome(reply, {"forgotten": list(gone)})

    async def _about(self, command: Command, text: str) -> Order | None:
        """What the memory has nothing of is a question for the model."""
        found = await self._knowledge.about(command.text)
        if not found:
            return None
        return _telling(text, "know", command.language, found, [_line(one) for one in found])

    async def _past(self, command: Command, text: str) -> Order | None:
        found = await self._knowledge.past(command.text)
        if not found:
            return None
        key = "past" if all(one.valid_to for one in found) else "held"
        lines = [
            phrases.say(command.language, "span" if one.valid_to else "since", text=one.text,
                        start=one.valid_from[:10], end=(one.valid_to or "")[:10], id=one.id)
            for one in found
        ]  # fmt: skip
        return _telling(text, key, command.language, found, lines)

    # --- what refers to the turn before ----------------------------------------------------

    def _answer(self, last: Turn | None, chosen: Choice | None, text: str) -> Order | None:
        asks = _memory(last).get("asks")
        if not asks or chosen is None:
            return None
        ids: list[str] = list(asks["forget"])
        language: Language = asks["language"]
        if chosen.nothing:
            return _order(text, _saying(phrases.say(language, "left")))
        listed = asks.get("listed", len(ids))
        if (chosen.numbers and max(chosen.numbers) > listed) or 0 in chosen.numbers:
            again = Outcome(phrases.say(language, "no_such", count=listed), {"asks": asks})
            return _order(text, _giving(again))
        if chosen.all and len(ids) > 1 and not _says_all(text):
            again = Outcome(phrases.say(language, "say_which", count=len(ids)), {"asks": asks})
            return _order(text, _giving(again))
        picked = ids if chosen.all else [ids[at - 1] for at in chosen.numbers]
        return _order(text, lambda _: self._gone(picked, language))

    def _undo(self, last: Turn | None, command: Command, text: str, *, tell: bool) -> Order | None:
        done = _memory(last)
        stored, closed = list(done.get("stored", ())), list(done.get("closed", ()))
        if not stored and not closed:
            key = "cannot_undo" if done.get("forgotten") else "nothing_to_undo"
            return _order(text, _saying(phrases.say(command.language, key))) if last else None

        async def run(_: str) -> Outcome:
            effect = await self._knowledge.undo(stored, closed)
            lines = "\n".join(f"- {_line(one)}" for one in effect.known)
            key = ("undone_again" if tell else "undone_untold") if lines else "undone"
            reply = phrases.say(command.language, key, lines=lines)
            done = {"removed": stored, "reopened": [one.id for one in effect.known]}
            return Outcome(reply, done, effect.known if tell else ())

        return _order(text, run)

    async def _correct(self, last: Turn | None, command: Command, text: str) -> Order | None:
        if last is None or _memory(last).get("asks"):
            return None
        said, asked, shown = command.text, last.text, _shown(last)
        if not await self._knowledge.correctable(said, asked=asked, shown=shown):
            return None

        async def run(turn_id: str) -> Outcome:
            effect = await self._knowledge.correct(said, asked=asked, shown=shown, episode=turn_id)
            if effect is None:
                return Outcome(phrases.say(command.language, "correct_what"))
            return told(effect, command.language)

        return _order(text, run)

    async def _before(self, conversation_id: str, text: str) -> str:
        """What was said last, where it tells who "she" is."""
        last = await self._last(conversation_id) if _pronoun(text) else None
        return last.text if last else ""

    async def _last(self, conversation_id: str) -> Turn | None:
        turns, _ = await self._log.history(conversation_id)
        return await self._log.turn(turns[-1].id) if turns else None


def told(effect: Effect, language: Language) -> Outcome:
    """The account of a change: what was stored, what holds no longer, and the way back."""
    lines = [phrases.say(language, "stored", text=m.text, id=m.id) for m in effect.stored]
    lines += [phrases.say(language, "known", text=m.text, count=m.strength) for m in effect.known]
    lines += [
        phrases.say(language, "closed", text=m.text, since=m.valid_from[:10]) for m in effect.closed
    ]
    if effect.stored or effect.closed:
        lines.append(phrases.say(language, "way_back"))
    shown = (*effect.stored, *effect.known, *effect.closed)
    return Outcome("\n".join(lines) or phrases.say(language, "nothing"), account(effect), shown)


def _untold(effect: Effect, language: Language) -> Outcome:
    """The same where memories are not used: nothing that was there before is quoted."""
    changes = {"stored": effect.stored, "known": effect.known, "closed": effect.closed}
    said = [phrases.say(language, f"{name}_untold") for name, some in changes.items() if some]
    if effect.stored or effect.closed:
        said.append(phrases.say(language, "way_back"))
    return Outcome("\n".join(said) or phrases.say(language, "nothing"), account(effect))


def account(effect: Effect) -> dict[str, Any]:
    """A change as the receipt has it: ids alone, so that nothing forgotten is left in it."""
    parts = {"stored": effect.stored, "closed": effect.closed, "known": effect.known}
    return {name: [one.id for one in some] for name, some in parts.items() if some}


def _order(text: str, run: Callable[[str], Awaitable[Outcome]]) -> Order:
    return Order(text, text, run)


def _saying(reply: str) -> Callable[[str], Awaitable[Outcome]]:
    return _giving(Outcome(reply))


def _giving(outcome: Outcome) -> Callable[[str], Awaitable[Outcome]]:
    async def run(_: str) -> Outcome:
        return outcome

    return run


def _telling(
    text: str, key: str, language: Language, found: Sequence[Memory], lines: Sequence[str]
) -> Order:
    """The first of what was found, and how many more there are."""
    told = [f"- {line}" for line in lines[:SHOWN]]
    if len(found) > SHOWN:
        told.append(phrases.say(language, "more", more=len(found) - SHOWN))
    reply = phrases.say(language, key, lines="\n".join(told))
    return _order(text, _giving(Outcome(reply, shown=tuple(found[:SHOWN]))))


def _memory(last: Turn | None) -> dict[str, Any]:
    found = (last.receipt or {}).get("memory", {}) if last else {}
    return dict(found)


def _shown(last: Turn) -> list[str]:
    """The memories of an answer that no model gave."""
    receipt = last.receipt or {}
    if receipt.get("model") != "none":
        return []
    return [one["id"] for one in receipt.get("memories", ())]


def _line(memory: Memory) -> str:
    return f"{memory.text} ({memory.said_at[:10]}, {memory.id})"


def _says_all(text: str) -> bool:
    return any(
        word in text.casefold().split()
        for word in ("all", "both", "everything", "tout", "tous", "toutes")
    )


def _pronoun(text: str) -> bool:
    words = text.casefold().replace(",", " ").split()
    return any(word in words[:4] for word in ("she", "he", "elle", "il", "she's", "he's"))
