"""What is known, as a conversation uses it: told, corrected, asked for, forgotten and taken back.

No model has a part in it. Every change is one transaction and says exactly what it did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlite_utils import Database

from assistant.memory import (
    asking,
    claims,
    correcting,
    facts,
    predicates,
    rows,
    statements,
    subjects,
    tables,
    when,
)
from assistant.memory.attributes import attribute, key
from assistant.memory.candidates import sensitivity
from assistant.memory.claims import Claim, Segment, Who
from assistant.memory.earnest import to_work_on
from assistant.memory.kin import POSSESSIVES
from assistant.memory.language import stop_words
from assistant.memory.pasted import only_states, own_words
from assistant.memory.pronouns import names_another
from assistant.memory.store import Memories
from assistant.memory.words import words_in
from assistant.memory.work import Work
from assistant.types import Effect, Meant, Memory, NewMemory, now


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
        """Take what changes something known, of a message that is nothing but plain statements.

        `before` is what was said last: it tells who "she" is. What is marked as quoted or pasted is
        not the user's own and changes nothing. Of a message that says more than statements anything
        may be pasted: nothing is taken, and `Suggestions.learn` offers it.
        """
        message, text = text, own_words(text)
        if not text or not sayable(text):
            return Effect()
        moment = self._clock()

        read = await self._memories.read(lambda db: _against(db, text, before))
        segments = [segment for segment, changes in read if changes]
        if not segments or not only_states(message, [segment for segment, _ in read]):
            return Effect()

        def work(db: Database, model: str) -> Work:
            done = Work()
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

    async def correctable(self, value: str, *, asked: str, shown: Sequence[str] = ()) -> bool:
        """Whether `correct` would know what to do."""
        if not sayable(asked):
            return False
        found = await self._memories.read(lambda db: correcting.wrong(db, value, asked, shown))
        return found is not None

    async def correct(
        self, value: str, *, asked: str, shown: Sequence[str] = (), episode: str = ""
    ) -> Effect | None:
        """Give what was asked last another value: "no, it's Nice". See `correcting.wrong`.

        None, and nothing is changed, where it is not certain which fact that is.
        """
        moment = self._clock()
        found = await self._memories.read(lambda db: correcting.wrong(db, value, asked, shown))
        if found is None:
            return None
        who, name, value = found.who, found.attribute, found.value
        said = predicates.Match(
            name, value, canonical=True, language=found.language, link=found.link
        )
        text = predicates.render(who.shown, said, me=who.me)
        segment = Segment(text, (Claim(who, name, value),))

        def work(db: Database, model: str) -> Work:
            done = Work()
            _take(db, segment, value, moment, episode, model, done)
            return done

        return await self._effect(work)

    async def about(self, phrase: str) -> list[Memory]:
        """What is known of somebody or something, the latest first."""
        return await self._memories.read(lambda db: _about(db, phrase))

    async def past(self, question: str) -> list[Memory]:
        """What held once and holds no longer, or held at the time that is asked for; the latest first."""
        moment = datetime.fromisoformat(self._clock()).astimezone()
        return await self._memories.read(lambda db: _past(db, question, moment))

    async def meant(self, phrase: str) -> Meant:
        """Which memories a request to forget means: surely, or perhaps."""
        return await self._memories.read(lambda db: _meant(db, phrase))

    async def forget(self, ids: Sequence[str], phrase: str = "") -> list[str]:
        """Remove these for good, with their earlier versions; the ids that are gone.

        Of one that says more than the phrase, only that part goes.
        """

        def split(db: Database, model: str) -> Work:
            done = Work()
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

        def work(db: Database, model: str) -> Work:
            reopened.extend(facts.reopen(db, closed))
            return Work(known=list(reopened), changed=list(reopened))

        effect = await self._effect(work)
        for memory_id in stored:
            if await self._memories.read(lambda db, one=memory_id: tables.exists(db, one)):  # type: ignore[misc]
                await self._memories.delete(memory_id)
        return effect

    async def _effect(self, work: Callable[[Database, str], Work]) -> Effect:
        effects: list[Effect] = []

        def run(db: Database, model: str) -> Work:
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
    done: Work,
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


# --- asking ----------------------------------------------------------------------------------

_BOTH = re.compile(r"\s*,\s*(?:and |et )?|\s+(?:and|et|&)\s+", re.I)
_PARTS = re.compile(r"[,;.]\s+|\s+(?:and|et)\s+", re.I)
_NO_MORE = re.compile(r"\s+(?:any ?more|any longer)$")


def _about(db: Database, phrase: str) -> list[Memory]:
    """Of several that are named, "me and Ana", what is known of each."""
    parts = [part for part in _BOTH.split(phrase.strip(" .?!")) if part]
    people = [one for part in parts if (one := claims.who(part)) is not None]
    several = 1 < len(parts) == len(people) and any(subjects.find(db, one) for one in people)
    found: dict[str, Memory] = {}
    for part in parts if several else [phrase]:
        found |= {one.id: one for one in _of_one(db, part)}
    return list(found.values())


def _of_one(db: Database, phrase: str) -> list[Memory]:
    who = claims.who(phrase)
    found: dict[str, Memory] = {}
    if who is not None and (subject := subjects.find(db, who)) is not None:
        found = {one.id: one for one in reversed(statements.live(db, subject))}
        names = subjects.other_names(db, phrase) if not who.me else frozenset()
        for name in names:
            found |= {one.id: one for one in tables.with_words(db, [name])}
    if who is not None and who.me:
        mine = [one for one in tables.unread(db, ("fact", "preference")) if _of_me(one.text)]
        return sorted([*found.values(), *mine], key=lambda one: one.valid_from, reverse=True)
    found |= {one.id: one for one in tables.with_words(db, _content(phrase))}
    return list(found.values())


def _of_me(text: str) -> bool:
    """Whether a text that no rule reads has its author speak of themselves."""
    words = set(re.findall(r"\w+", text.casefold()))
    return not words.isdisjoint(claims.FIRST_PERSON | POSSESSIVES.keys() | {"j", "im", "ive"})


def _past(db: Database, question: str, moment: datetime) -> list[Memory]:
    asked, times = asking.read(question), when.spans(question, moment)
    if asked.who is None or not asked.attribute:
        timed = times or asked.before
        return [] if timed else tables.with_words(db, _content(question), closed=True)
    subject = subjects.find(db, asked.who)
    if subject is None:
        return []
    gone = statements.past(db, subject, asked.attribute)
    if not asked.before and not times:
        return gone
    every = [*reversed(statements.live(db, subject, asked.attribute)), *gone]
    if asked.before:
        than = [one for one in every if key(asked.before) in key(one.text)]
        return [one for one in gone if than and (one.valid_to or "") <= than[0].valid_from]
    return [one for one in every if any(_held(one, span) for span in times)]


def _held(memory: Memory, span: when.Span) -> bool:
    """Whether it held at some moment of a time; a month of no year is none."""
    ended = rows.seconds(memory.valid_to) if memory.valid_to else None
    return rows.seconds(memory.valid_from) < span.end and (ended is None or ended > span.start)


def _meant(db: Database, phrase: str) -> Meant:
    """Surely only what the whole phrase names: "my diet", and not "my diet, give me a steak"."""
    if exact := tables.same_text(db, phrase):
        return Meant(sure=tuple(tables.get(db, one) for one in exact))
    read = claims.read(phrase, known=subjects.is_name(db))
    stated = [c for segment in read for c in segment.claims]
    if stated:
        said = tuple({m.id: m for claim in stated for m in statements.saying(db, claim)}.values())
        return Meant(sure=said) if _whole(phrase, read) else Meant(perhaps=said)
    asked, known = _named(db, phrase)
    if len(known) == 1 and not asked.past and _only(known[0], asked.attribute or ""):
        return Meant(sure=tuple(known))
    found = {one.id: one for one in known or _touched(db, phrase)}
    return Meant(perhaps=tuple((found or {one.id: one for one in _about(db, phrase)}).values()))


def _named(db: Database, phrase: str) -> tuple[asking.Asked, list[Memory]]:
    """What a phrase names whole, with the memories that say it: those that held, of "my old number"."""
    asked = asking.read(phrase)
    if asked.who is None or not asked.attribute:
        return asked, []
    subject = subjects.find(db, asked.who)
    if subject is None:
        return asked, []
    return asked, (statements.past if asked.past else statements.live)(db, subject, asked.attribute)


def _touched(db: Database, phrase: str) -> list[Memory]:
    """What the parts of a longer phrase begin with: of "my number, I changed it", my number."""
    found: list[Memory] = []
    for part in _PARTS.split(phrase)[:6]:
        words = part.split()
        for count in range(min(len(words), 8), 1, -1):
            first = " ".join(words[:count])
            stated = [c for s in claims.read(first, known=subjects.is_name(db)) for c in s.claims]
            said = [one for claim in stated for one in statements.saying(db, claim)]
            if said := said or _named(db, first)[1]:
                found += said
                break
    return found


def _whole(phrase: str, read: Sequence[Segment]) -> bool:
    """Whether a phrase states something and has no word beyond it, such as "for a minute" or "tonight"."""
    if not all(segment.claims for segment in read):
        return False
    value = read[-1].claims[-1].value.casefold()
    plain = _NO_MORE.sub("", phrase.strip(" .!,;").casefold())
    return plain.endswith(value) or (
        predicates.kinship(plain) is not None and predicates.trim(plain) == plain
    )


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
