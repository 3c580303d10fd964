"""Pairs made of pairs: a name swapped for another, or left out of the question.

A note answers no question about somebody else, and answers one that leaves open who is meant: "When is the
wedding?" is answered by when Nora's is.
"""

from __future__ import annotations

import random
import re
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

Line = tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
"""Questions, and the notes that answer each of them, three times."""
Pair = tuple[str, str, float]
"""Question, note, and 1 if it answers."""

SWAPPED, SWAPPED_IN_BOTH = 0.8, 0.4
"""Of the lines, in one round."""
NAME, WORD, AROUND = 0.02, 0.006, 160
"""What more notes have is no name, or no telling word; and how far off, in names, another one is taken."""
ASKS = 4
"""Words that a question must keep."""

_OWN = re.compile(r"(?<=\s)(?P<name>[A-ZÉÁÖÜ]\w+)'s (?=\w)")
_OF = re.compile(
    r"(?: (?:of|for|with|de|del|pour|avec|para|con|von|für|mit) | d')(?P<name>[A-ZÉÁÖÜ]\w+)(?=\W|$)(?!')"
)


class Named:
    """What a question and its note both name, and what else of the kind is named in lines near by."""

    def __init__(self, every: Sequence[Line]) -> None:
        notes = [note for line in every for _, some in line for note in some]
        held = Counter(word for note in notes for word in words_of(note))
        self._most = {True: NAME * len(notes), False: WORD * len(notes)}
        self._of: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
        self._others: dict[bool, list[tuple[int, str]]] = {True: [], False: []}
        for number, line in enumerate(every):
            for questions, some in line:
                for question in questions:
                    for note in some:
                        for word in self._shared(question, note, held):
                            self._of[number].append((question, note, word))
                            self._others[word[0].isupper()].append((number, word))

    def _shared(self, question: str, note: str, held: Counter[str]) -> list[str]:
        """Capitalised only where it is so in both, and not just because it begins the note."""
        asked, found = re.findall(r"\w+", question), []
        for at, word in enumerate(re.findall(r"\w+", note)):
            name = word[:1].isupper() and word in asked[1 if at == 0 else 0 :]
            plain = word.casefold()
            telling = len(word) > 2 and word.isalpha() and held[plain] <= self._most[name]
            if telling and not word.isupper() and plain in {one.casefold() for one in asked}:
                found.append(word if name else plain)
        return found

    def swapped(self, number: int, rng: random.Random) -> Iterator[Pair]:
        """At most one pair with another name in the note or the question, and one with it in both."""
        if number not in self._of:
            return
        for both, share in ((False, SWAPPED), (True, SWAPPED_IN_BOTH)):
            question, note, word = rng.choice(self._of[number])
            other = self._another(number, word, rng)
            if rng.random() > share or other is None:
                continue
            in_note = both or rng.random() < 0.6
            in_question = both or not in_note
            yield (
                _put(question, word, other) if in_question else question,
                _put(note, word, other) if in_note else note,
                float(both),
            )

    def _another(self, number: int, word: str, rng: random.Random) -> str | None:
        others = self._others[word[0].isupper()]
        here = bisect(others, (number, ""))
        for _ in range(20):
            at = min(max(here + rng.randint(-AROUND, AROUND), 0), len(others) - 1)
            owner, other = others[at]
            if owner != number and other.casefold() != word.casefold():
                return other
        return None


class Unnamed:
    """Questions with a name left out that their note says."""

    def __init__(self, every: Sequence[Line]) -> None:
        self._of: dict[int, list[tuple[str, str, str, list[str]]]] = defaultdict(list)
        for number, line in enumerate(every):
            for part in line:
                others = [note for other in line if other is not part for note in other[1]]
                for question in part[0]:
                    for note in part[1]:
                        if found := without_name(question, note):
                            self._of[number].append((*found, note, others))

    def left_out(self, number: int, rng: random.Random) -> Iterator[Pair]:
        """Twice a pair that belongs together and, with another note on the same name, one that does not."""
        for _ in range(2 if number in self._of else 0):
            question, name, note, others = rng.choice(self._of[number])
            yield question, note, 1.0
            if name in (other := rng.choice(others)):
                yield question, other, 0.0


def without_name(question: str, note: str) -> tuple[str, str] | None:
    """The question without the last name of somebody or something that the note has too, and that name."""
    for pattern, put in ((_OWN, "the "), (_OF, "")):
        for found in reversed(list(pattern.finditer(question))):
            left = question[: found.start()] + put + question[found.end() :]
            if found["name"] in note and len(re.findall(r"\w+", left)) >= ASKS:
                return left, found["name"]
    return None


def _put(text: str, word: str, other: str) -> str:
    """With the other word wherever the one is, as large as that."""

    def as_large(found: re.Match[str]) -> str:
        return other if found[0][0].islower() else other[0].upper() + other[1:]

    return re.sub(rf"\b{re.escape(word)}\b", as_large, text, flags=re.IGNORECASE)


def words_of(text: str) -> set[str]:
    """In lower case, each once."""
    return set(re.findall(r"\w+", text.casefold()))
