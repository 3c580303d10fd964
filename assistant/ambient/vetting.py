"""Pure: what code holds a model's text to, whatever the model says it did.

A correction may only touch spelling, endings, small words and marks: each place where it did more is put
back. In other work numbers and names that went or came are named, for the user to look at.
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from itertools import pairwise

import msgspec

from assistant.ambient import brief
from assistant.ambient.brief import Operation
from assistant.ambient.diff import Change, Hunk, hunks, joined, likeness, new_of

NEAR = 0.5
"""Of their letters, a word and its correction have at least this share in common."""
SAME = 0.5
"""Less alike than this, a text was not corrected but replaced."""
NAMED = 8
"""Of the words that a flag is about, so many are named."""

_NUMBER = re.compile(r"\d+(?:[.,:/\u202f\u00a0' -]?\d+)*")
_EXACT = re.compile(
    r"\S*(?:@|://|www\.)\S*|\b\w*\d\w*\b|\b\w*[a-z][A-Z]\w*\b|\b[A-Z]{2,}\b|`[^`]+`"
)
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")  # noqa: RUF001
_SENTENCE = re.compile(r"(?:^|[.!?…:\n\"“«(]|[-•*] )\s*$")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|cannot|without|ne|pas|jamais|rien|aucune?|sans|nicht|kein\w*)\b"
    r"|n[’']t\b|\bn[’']",  # noqa: RUF001
    re.I,
)  # fmt: skip
_SMALL = frozenset(
    "a an the is are was were am be been to too of in on at for and or it its it's he she they their there"  # noqa: SIM905
    " has have had do does did i me my we us our you your as than then that this these those"
    " le la les l un une des de du d en et ou où à a au aux ce se ces ses c'est s'est sont son ont on est et"
    " ai as je tu il elle nous vous ils elles que qu qui leur leurs y ça sa".split()
)


class Flag(msgspec.Struct, frozen=True):
    """Something to look at before saying yes."""

    code: str
    """`numbers`, `names`, `negation`, `meaning`, `longer`, `unchanged`, `language`, `cut_off`, `held_back`

    or `empty`."""
    message: str
    words: tuple[str, ...] = ()


def corrected(old: str, new: str) -> tuple[str, tuple[Flag, ...]]:
    """A text with those corrections that are corrections; the others were put back, and are named."""
    if likeness(old, new) < SAME:
        words = (Flag("meaning", "The model wrote another text instead; yours was left as it is."),)
        return old, words
    out, held = [], []
    for piece in hunks(old, new):
        if isinstance(piece, str):
            out.append(Change("keep", piece))
        elif _is_correction(piece):
            out += [Change("delete", piece.old), Change("insert", piece.new)]
        else:
            out.append(Change("keep", piece.old))
            held.append(f"{piece.old.strip() or '…'} → {piece.new.strip() or '…'}")
    text = new_of(joined(out))
    said = "More than a correction; left as it was."
    return text, (Flag("held_back", said, tuple(held[:NAMED])),) if held else ()


def flags(operation: Operation, old: str, new: str) -> tuple[Flag, ...]:
    """What is to be looked at in a text that was made from another."""
    if not new.strip():
        return (Flag("empty", "The model answered nothing; your text was left as it is."),)
    if operation == "reply":
        came = _missing(_numbers(new), _numbers(old))
        return (_flag("numbers", "Not in the message", came),) if came else ()
    if new.strip() == old.strip():
        return (Flag("unchanged", "Nothing was changed."),)
    out = list(_exact(operation, old, new))
    if operation == "shorten" and len(new) >= len(old):
        out.append(Flag("longer", "It is not shorter."))
    if operation in ("shorten", "rewrite", "tone") and brief.strays(old, new):
        out.append(Flag("language", "It is in another language."))
    if operation == "translate" and likeness(old, new) > 0.8:
        out.append(Flag("meaning", "It hardly differs: it may not be a translation."))
    elif operation in ("rewrite", "tone", "fix") and _denials(old) != _denials(new):
        out.append(Flag("negation", "A “not” went or came: it may say the opposite."))
    return tuple(out)


def _exact(operation: Operation, old: str, new: str) -> list[Flag]:
    """Numbers and names. A shorter text may leave some out; a translated name may be another word."""
    gone, came = _missing(_numbers(old), _numbers(new)), _missing(_numbers(new), _numbers(old))
    wrong = came if operation in ("shorten", "instruct") else [*gone, *came]
    out = [_flag("numbers", "Numbers went or came", wrong)] if wrong else []
    here, there = names(old), names(new)
    lost = (
        []
        if operation in ("shorten", "instruct", "translate")
        else [n for n in here if n not in new]
    )
    added = [n for n in there if n not in old] if operation != "translate" else []
    if operation == "translate":
        lost = [n for n in _EXACT.findall(old) if n not in new and not n.isdigit()]
        lost = [n for n in lost if not _NUMBER.fullmatch(n)]
    if lost or added:
        out.append(_flag("names", "Names or exact words went or came", [*lost, *added]))
    return out


def names(text: str) -> list[str]:
    """Words to be kept to the letter: capitals within a sentence, addresses, identifiers; each once."""
    exact = (one.strip(".,;:!?)") for one in _EXACT.findall(text))
    found = dict.fromkeys(one for one in exact if not _NUMBER.fullmatch(one))
    for match in _WORD.finditer(text):
        word = match[0]
        begins = _SENTENCE.search(text[max(0, match.start() - 8) : match.start()])
        if word[0].isupper() and word not in ("I", "I'm", "I've", "I'll", "I'd") and not begins:
            found[word] = None
    return list(found)


def _is_correction(hunk: Hunk) -> bool:
    old, new = _WORD.findall(hunk.old), _WORD.findall(hunk.new)
    if _numbers(hunk.old) != _numbers(hunk.new) or _denials(hunk.old) != _denials(hunk.new):
        return False
    if hunk.old.count("\n") != hunk.new.count("\n"):
        return False
    if sorted(_EXACT.findall(hunk.old)) != sorted(_EXACT.findall(hunk.new)):
        return False
    begins = _SENTENCE.search(hunk.before)
    if old and old[0] != "I" and old[0][0].isupper() and not begins and old[0] not in new:
        return False  # a name
    if len(old) == len(new):
        return all(_near(a, b) or (_small(a) and _small(b)) for a, b in zip(old, new, strict=True))
    left, right = [w for w in old if not _small(w)], [w for w in new if not _small(w)]
    if len(left) == len(right):
        return all(_near(a, b) for a, b in zip(left, right, strict=True))
    # `alot`, `a lot`: the same letters with other spaces between them.
    return _near("".join(old), "".join(new)) and abs(len(old) - len(new)) == 1


def _small(word: str) -> bool:
    return word.lower().replace("’", "'") in _SMALL  # noqa: RUF001


def _near(old: str, new: str) -> bool:
    return SequenceMatcher(None, old.lower(), new.lower(), autojunk=False).ratio() >= NEAR


def _numbers(text: str) -> Counter[str]:
    """Each number by its digits alone: 1,000.50 and 1 000,50 are the same."""
    return Counter(re.sub(r"\D", "", one) for one in _NUMBER.findall(text))


def _missing(old: Counter[str], new: Counter[str]) -> list[str]:
    return list((old - new).elements())


def _denials(text: str) -> int:
    """How many things are denied: French says it with two words."""
    found = [match[0].lower() for match in _NEGATION.finditer(text)]
    pairs = sum(
        1
        for a, b in pairwise(found)
        if a in ("ne", "n'", "n’") and b not in ("ne", "n'", "n’")  # noqa: RUF001
    )
    return len(found) - pairs


def _flag(code: str, message: str, words: list[str]) -> Flag:
    return Flag(code, f"{message}.", tuple(dict.fromkeys(words))[:NAMED])
