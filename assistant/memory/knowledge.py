"""What is known, as a conversation uses it: told, corrected, asked for, forgotten and taken back.

No model has a part in it. Every change is one transaction and says exactly what it did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sqlite_utils import Database

from assistant.memory import asking, claims, facts, predicates, rows, subjects, tables
from assistant.memory.attributes import attribute
from assistant.memory.candidates import sensitivity
from assistant.memory.claims import Claim, Segment, Who
from assistant.memory.earnest import to_work_on
from assistant.memory.language import stop_words
from assistant.memory.pasted import own_words
from assistant.memory.pronouns import names_another
from assistant.memory.store import Memories
from assistant.memory.words import words_in
from assistant.types import Effect, Meant, Memory, NewMemory, now

SHOWN = 20
"""Memories told of one subject at most."""


class Knowledge:
    """See the module. Built by `service.open_memory`."""

    def __init__(self, memories: Memories, *, clock: Callable[[], str] = now) -> None:
        self._memories = memories
        self._clock = clock

    async def remember(self, text: str, *, before: str = "", episode: str = "") -> Effect:
        """Store what the user asked to have remembered, as they said it. Raises InvalidInput and its kin.

        `before` is what was said last: "she" is stored as whom it means.
        """
        moment = self._clock()
        meant = await self._memories.read(lambda db: meant_by(db, before)) if before else None
        said = claims.alone(text.strip(), meant) if meant else _sentence(text)
        new = NewMemory(said, "fact", source="chat", quote=text, episode=episode)
        item = facts.fresh(new, moment)
        return await self._effect(lambda db, model: facts.store(db, [item], model))

    async def heard(self, text: str, *, before: str = "", episode: str = "") -> Effect:
        """Take the corrections among a message's plain statements: what changes something known.

        `before` is what was said last: it tells who "she" is. What is marked as quoted or pasted is
        not the user's own and changes nothing.
        """
        text = own_words(text)
        if not text or not sayable(text):
            return Effect()
        moment = self._clock()

        read = await self._memories.read(lambda db: _against(db, text, before))
        segments = [segment for segment, changes in read if changes]
        if not segments:
            return Effect()

        def work(db: Database, model: str) -> facts.Work:
            done = facts.Work()
            for segment in segments:
                _take(db, segment, text, moment, episode, model, done)
            return done

        return await self._effect(work)

    async def contradicts(self, text: str, *, before: str = "") -> bool:
        """Whether a text is nothing but statements, by its author, that change something known."""
        if own_words(text) != text or not sayable(text):
            return False
        read = await self._memories.read(lambda db: _against(db, text, before))
        return bool(read) and all(changes for _, changes in read)

    async def correctable(self, value: str, *, asked: str, recalled: Sequence[str] = ()) -> bool:
        """Whether `correct` would know what to do."""
        found = await self._memories.read(lambda db: _wrong(db, asked, recalled))
        return found is not None and predicates.plausible(found[1], predicates.trim(value))

    async def correct(
        self, value: str, *, asked: str, recalled: Sequence[str] = (), episode: str = ""
    ) -> Effect | None:
        """Give what was asked last another value, or the one fact recalled for it: "no, it's Nice".

        None, and nothing is changed, where it is not certain which fact that is.
        """
        value = predicates.trim(value)
        moment = self._clock()
        found = await self._memories.read(lambda db: _wrong(db, asked, recalled))
        if found is None or not predicates.plausible(found[1], value):
            return None
        who, name, language, link = found
        said = predicates.Match(name, value, canonical=True, language=language, link=link)
        text = predicates.render(who.shown, said, me=who.me)
        segment = Segment(text, (Claim(who, name, value),))

        def work(db: Database, model: str) -> facts.Work:
            done = facts.Work()
            _take(db, segment, value, moment, episode, model, done)
            return done

        return await self._effect(work)

    async def about(self, phrase: str) -> list[Memory]:
        """What is known of somebody or something, the latest first."""
        return await self._memories.read(lambda db: _about(db, phrase)[:SHOWN])

    async def past(self, question: str) -> list[Memory]:
        """What held once and holds no longer, of what is asked; the latest first."""
        return await self._memories.read(lambda db: _past(db, question)[:SHOWN])

    async def meant(self, phrase: str) -> Meant:
        """Which memories a request to forget means: surely, or perhaps."""
        return await self._memories.read(lambda db: _meant(db, phrase))

    async def forget(self, ids: Sequence[str], phrase: str = "") -> list[str]:
        """Remove these for good, with their earlier versions; the ids that are gone.

        Of one that says more than the phrase, only that part goes.
        """

        def split(db: Database, model: str) -> facts.Work:
            done = facts.Work()
            read = claims.read(phrase, known=subjects.is_name(db))
            chosen = [c for s in read for c in s.claims]
            for memory_id in ids:
                facts.part(db, memory_id, chosen, model, done)
            return done

        if phrase:
            await self._memories.change(split)
        return await self._memories.forget(ids=ids)

    async def undo(self, stored: Sequence[str], closed: Sequence[str]) -> Effect:
        """Take a change back: what was stored goes for good, what was closed holds again."""
        reopened: list[str] = []

        def work(db: Database, model: str) -> facts.Work:
            reopened.extend(facts.reopen(db, closed))
            return facts.Work(known=list(reopened), changed=list(reopened))

        effect = await self._effect(work)
        for memory_id in stored:
            if await self._memories.read(lambda db, one=memory_id: tables.exists(db, one)):  # type: ignore[misc]
                await self._memories.delete(memory_id)
        return effect

    async def _effect(self, work: Callable[[Database, str], facts.Work]) -> Effect:
        effects: list[Effect] = []

        def run(db: Database, model: str) -> facts.Work:
            done = work(db, model)
            effects.append(done.effect(db))
            return done

        await self._memories.change(run)
        return effects[-1]


def sayable(text: str) -> bool:
    """Whether a message may state something of its author, rather than be words to work on."""
    return len(text) <= claims.READ_CHARS and not to_work_on(text)


# --- telling ---------------------------------------------------------------------------------


def _take(
    db: Database,
    segment: Segment,
    said: str,
    moment: str,
    episode: str,
    model: str,
    done: facts.Work,
) -> None:
    """Store what a segment asserts; of what it denies, only close."""
    claim = segment.claims[0]
    if claim.negated:
        facts.end(db, segment.claims, moment, model, done)
        return
    kind = attribute(claim.attribute)
    new = NewMemory(
        segment.text, "fact", source="chat", quote=claims.quote(said, claim.value), episode=episode,
        importance=kind.importance, sensitivity=sensitivity(segment.text, claim.attribute),
    )  # fmt: skip
    item = facts.Fresh(rows.fresh(new, moment), (segment,), episode, once=True)
    done.told.append(facts.store_one(db, item, model, done))


def _against(db: Database, text: str, before: str) -> list[tuple[Segment, bool]]:
    """What a text states, each with whether it changes something known."""
    segments = claims.read(text, about=meant_by(db, before), known=subjects.is_name(db))
    return [(s, bool(s.claims) and bool(facts.contradicted(db, [s]))) for s in segments]


def meant_by(db: Database, before: str) -> Who | None:
    """Whom a pronoun means after these words; None if nobody or more than one was spoken of."""
    found = subjects.mentioned(db, before) if before and sayable(before) else []
    if len(found) != 1:
        return None
    name = subjects.shown(db, found[0])
    whose = claims.who(name)
    if whose is None or not whose.role:
        whose = Who(name, subjects.role(db, found[0]), name)
    return None if names_another(before, whose.shown) else whose


def _wrong(db: Database, asked: str, recalled: Sequence[str]) -> tuple[Who, str, str, str] | None:
    """The single-valued fact that was asked for, or that was recalled and is the only one of its kind."""
    question = asking.read(asked)
    if question.who is not None and question.attribute and attribute(question.attribute).single:
        subject = subjects.find(db, question.who)
        known = facts.live(db, subject, question.attribute) if subject else []
        if known:
            return question.who, question.attribute, *_style(known[-1])
    found: dict[tuple[str, str], Memory] = {}
    for memory_id in recalled:
        for subject, name in facts.claimed(db, memory_id):
            if attribute(name).single and question.attribute in (None, name):
                found[subject, name] = tables.get(db, memory_id)
    if len(found) != 1:
        return None
    ((subject, name), memory), = found.items()  # fmt: skip
    shown = subjects.shown(db, subject)
    return claims.who(shown) or Who(shown, name=shown), name, *_style(memory)


def _style(memory: Memory) -> tuple[str, str]:
    link = re.search(r"\b(à|en|au|aux|chez)\b", memory.text) if memory.lang == "fr" else None
    return ("fr" if memory.lang == "fr" else "en"), (link.group(1) if link else "")


# --- asking ----------------------------------------------------------------------------------


def _about(db: Database, phrase: str) -> list[Memory]:
    who = claims.who(phrase)
    found: dict[str, Memory] = {}
    if who is not None and (subject := subjects.find(db, who)) is not None:
        found = {one.id: one for one in reversed(facts.live(db, subject))}
        names = subjects.other_names(db, phrase) if not who.me else frozenset()
        for name in names:
            found |= {one.id: one for one in tables.with_words(db, [name])}
    if who is not None and who.me:
        return list(found.values())
    found |= {one.id: one for one in tables.with_words(db, _content(phrase))}
    return list(found.values())


def _past(db: Database, question: str) -> list[Memory]:
    asked = asking.read(question)
    if asked.who is not None and asked.attribute:
        subject = subjects.find(db, asked.who)
        return facts.past(db, subject, asked.attribute) if subject else []
    return tables.with_words(db, _content(question), closed=True)


def _meant(db: Database, phrase: str) -> Meant:
    if exact := tables.same_text(db, phrase):
        return Meant(sure=tuple(tables.get(db, one) for one in exact))
    stated = [c for s in claims.read(phrase, known=subjects.is_name(db)) for c in s.claims]
    if stated:
        said = [one for claim in stated for one in facts.saying(db, claim)]
        return Meant(sure=tuple({one.id: one for one in said}.values()))
    asked = asking.read(phrase)
    if asked.who is not None and asked.attribute:
        subject = subjects.find(db, asked.who)
        known = facts.live(db, subject, asked.attribute) if subject else []
        if len(known) == 1 and _only(known[0], asked.attribute):
            return Meant(sure=tuple(known))
        if known:
            return Meant(perhaps=tuple(known[:SHOWN]))
    return Meant(perhaps=tuple(_about(db, phrase)[:SHOWN]))


def _only(memory: Memory, name: str) -> bool:
    """Whether a memory says this of its subject and nothing else."""
    read = claims.read(memory.text)
    if len(read) == 1 and not read[0].claims:
        return memory.attribute == name  # a suggestion that was accepted: no rule reads it
    return all(s.claims and all(c.attribute == name for c in s.claims) for s in read)


def _content(phrase: str) -> list[str]:
    known = stop_words("en") | stop_words("fr") | set(_QUESTION)
    return [word for word in words_in(phrase) if word not in known and len(word) > 1]


_QUESTION = [
    "use",
    "used",
    "before",
    "previously",
    "formerly",
    "past",
    "avant",
    "autrefois",
    "auparavant",
    "ancien",
    "ancienne",
    "old",
]


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:]
