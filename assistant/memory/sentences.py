"""Pure: a text in sentences and parts, made plain: what begins it without a meaning goes, "I'm" is "I am"."""

from __future__ import annotations

import re

DROP = (
    r"(?:vivo|vivimos|vivemos|viviamo|abito|abitiamo|moro|moramos|me mudé|me he mudado|nos mudamos|nos hemos mudado|"
    r"mudei|mudámos|mi sono|ci siamo)"
)
"""Verbs that are said without their subject, of the speaker."""
_TITLE = "|".join(
    rf"(?<=\b{one})"
    for one in ["Dr", "Mr", "Mrs", "Ms", "Prof", "Mme", "Mlle", "Hr", "Fr", "Sr", "Sra", "Dra"]
)
_DAY = "|".join(
    rf"(?<=\b{one} {day})"
    for one in ("am", "der", "den", "dem", "zum", "vom")
    for day in (r"\d", r"\d\d")
)
_MONAT = "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
SENTENCE = re.compile(
    rf"[^.!?;\n]*(?:(?:\.(?=\w)|(?:{_TITLE})\.(?=\s+\w)|(?:{_DAY})\.(?=\s+(?:{_MONAT})\b))[^.!?;\n]*)*[.!?;\n]*"
)
"""A dot within a number or name, after a title, or after a German day, ends no sentence."""
JOINT = re.compile(
    r"\s*,\s+(?:and|but|et|mais|und|y|e)\s+|\s*,\s+|\s+(?:and|but|et|mais|und)\s+", re.I
)
LEAD = re.compile(
    rf"^(?:(?:(?:no|non|não)(?! (?:{DROP}|vive|mora|abita|se |si |me |mi |nos |ci |mudou))|ya(?! no\b)|já(?! não\b)|"
    r"nope|actually|in fact|en fait|well|ok|okay|btw|by the way|fyi|hey|hi|hello|so|oh|"
    r"yes|yeah|sorry|correction|update|au fait|alors|donc|bon|oui|salut|bonjour|nestor|nein|also|"
    r"and|but|et|mais|that|que|qu'|maintenant|now|désormais|ahora|hoy|adesso|ora|agora|"
    r"(?:like |as )?(?:i|we) (?:already |just )?(?:said|told you|meant|mentioned)(?: already| before)?|"
    r"(?:comme )?je (?:te l'|t'|te |vous |vous l'|l')?ai (?:déjà )?dit|je voulais dire)\b[\s,:!–—-]*)+",
    re.I,
)
CEST = re.compile(r"^((?:mon|ma|notre) [^,]{2,40}), c['’]est (?:maintenant |désormais )?", re.I)
"""As French says "my number is"."""
NOW = re.compile(r"^(?:now|maintenant|désormais|ahora|adesso|ora|agora)\s+", re.I)
_CONTRACTIONS = (
    (re.compile(r"\bI'm\b", re.I), "I am"), (re.compile(r"\bwe're\b", re.I), "we are"),
    (re.compile(r"\b(I|we)'ve\b", re.I), r"\1 have"), (re.compile(r"\bcan't\b", re.I), "can not"),
    (re.compile(r"\bcannot\b", re.I), "can not"), (re.compile(r"n't\b", re.I), " not"),
    (re.compile(r"\b(she|he)'s\b", re.I), r"\1 is"),
    (re.compile(r"\b(name|number|birthday|address|email|phone|password|code|pin|rent|salary)'s (?=[A-ZÀ-Þ\d+€$£]|now |on \d)"), r"\1 is "),
)  # fmt: skip
_I = re.compile(r"I(?:['’](?:m|ve|d|ll))?[,.!]?")


def small(sentence: str) -> bool:
    """Whether somebody wrote it who uses no capitals."""
    words = sentence.split()
    first = words[0].lstrip("\"'(")[:1]
    return first.islower() and not any(w[0].isupper() for w in words if not _I.fullmatch(w))


def plain(part: str) -> str:
    """Without contractions."""
    part = part.replace("’", "'")
    if "'" in part or "cannot" in part.lower():
        for pattern, long in _CONTRACTIONS:
            part = pattern.sub(long, part)
    return part


SIGNS = re.compile(
    r"(?:\s+(?:[:;=]-?[()DPp]|<3|[\U0001F300-\U0001FAFF\u2600-\u27BF\uFE0F\u200D]+))+[\s.!]*$"
)
"""Emoji at the end of a sentence: they are no part of a number or a name."""
