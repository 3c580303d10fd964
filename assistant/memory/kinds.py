"""Kinds of questions, by their words, and what a text must have to hold an answer. English and French.

Times, amounts, codes and names are closed: a text without any cannot be the answer. What somebody
fears or likes can be said in any words: there a text is refused only if it has none of the usual
ones and is plainly about something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from assistant.memory import holds
from assistant.memory.holds import DAYS, MONTHS, NUMBER, NUMBERS, PARTNERS
from assistant.memory.topics import elsewhere

_SOMEONE = r"(?:['’]s| is| are| was| were| est| sont| était) (?!my |our |the |his |her |mon |ma |le |la |l['’])[\w-]+(?: [\w-]+)?\s?\??$"
"""Behind who: who is Bo? Whatever is told of Bo says so."""
_CAPITALS = re.compile(r"^\W*[A-ZÀ-Þ](?!.*[.!?] [a-zß-ÿ])", re.S)
"""Of somebody who writes capitals at all: a sentence that begins with a small letter says nothing of names."""
_NO_NAME = re.compile(
    rf"(?:{MONTHS}|{DAYS}|i|i['’]\w+|my|our|his|her|their|the|we|in|on|at|when|if|a|an|it|for|to|"
    r"every|every\w*|there|this|that|some|most|nothing|since|where|no|not|yes|mum|mom|dad|he|she|they|"
    r"je|j['’].*|mon|ma|mes|notre|nos|le|la|les|l['’].*|un|une|nous|on|il|elle|c['’].*|ce|chaque|"
    r"maman|papa|oh|ah|haha|anyway|thanks|well|ok|okay|sorry|hi|hey|hello|merci|bon|alors|salut)",
    re.I,
)
_BY_US = re.compile(r"(?:I|We|Je|J['’]|On|Nous)\b")
_LITTLE = 2
"""Words, that a text adds to the question's: who paid the plumber? We paid the plumber."""
_LABEL = re.compile(r"^[^:=.?!]{1,40}?\s?[:=]\s?\S")
"""A terse note, "wifi: ...": what is behind it may be anything."""
_INSTITUTION = (
    "school|university|college|kindergarten|nursery|company|firm|bank|hotel|hospital|restaurant|"
    "cinema|museum|airline|radio station|team|club|employer|brand|make|école|université|banque|"
    "hôtel|hôpital|marque|entreprise|équipe"
)
_UNITS = rf"(?: ?(?:{holds.SPAN}|%|percent|pm|am|{MONTHS})\b|[:h-]\d)"
_BARE = rf"(?<!past )(?<!to )(?<!-)\b(?!(?:19|20)\d\d\b)(?:\d+k?(?!\w)|(?:{NUMBERS})\b)(?! past\b)"
"""A number, in figures or words, that is no year or time of day."""
_DEEDS = (
    "marr\\w+|wedding|moved|start\\w*|beg[au]n|joined|died|left|opens?|opened|arriv\\w+|went|visit\\w*|"
    "dentist|doctor|flight|flies|meeting|appointment|bought|broke|expires?|mariée?s?|rendez-vous|rdv"
)
"""What a date is of that is no birthday."""

Test = Callable[[str, str], bool]
"""Whether a text can hold the answer; given the text, and what of it is not in the question."""


def _has(pattern: str, named: str = r"(?!)") -> Test:
    """Words of the text in lower case, or `named`, of the text as it is."""
    words, names = re.compile(pattern), re.compile(named)
    return lambda text, _fresh: bool(words.search(text.lower()) or names.search(text))


def _adds(pattern: str, named: str = r"(?!)") -> Test:
    """The same, of what is not in the question."""
    found = _has(pattern, named)
    return lambda _text, fresh: found(fresh, fresh)


def _lacks(pattern: str) -> Test:
    found = _adds(pattern)
    return lambda text, fresh: not found(text, fresh)


def _both(one: Test, other: Test) -> Test:
    return lambda text, fresh: one(text, fresh) and other(text, fresh)


def _either(one: Test, other: Test) -> Test:
    return lambda text, fresh: one(text, fresh) or other(text, fresh)


def _open(pattern: str, *topics: str) -> Test:
    """Of what can be said in any words: refuses what has none of these and is about other topics."""
    usual, asked = _has(pattern), frozenset(topics)
    return lambda text, fresh: usual(text, fresh) or not elsewhere(text, asked)


_somebody = _adds(holds.SOMEBODY)


def _names(text: str, fresh: str) -> bool:
    """Somebody or something with a capital that is no place, day or month; or a word for somebody."""
    if not _CAPITALS.search(text):
        return True
    if _BY_US.match(text) and len(fresh.split()) <= _LITTLE:
        return True
    before = ""
    for word in re.findall(r"[\w'’-]+", fresh):
        plain = re.sub(r"['’]s$", "", word)
        told = plain[:1].isupper() and _NO_NAME.fullmatch(plain) is None
        if told and before not in ("in", "near", "en", "à"):
            return True
        before = word.lower()
    return _somebody(text, fresh)


def proper(text: str, fresh: str) -> bool:
    """Anything with a capital of its own."""
    if not _CAPITALS.search(text):
        return True
    words = re.findall(r"[\w'’&-]+", fresh)
    return any(
        word[0].isupper() and len(word) > 1 and _NO_NAME.fullmatch(word) is None for word in words
    )


def _note(text: str, _fresh: str) -> bool:
    return _LABEL.search(text) is not None


RULES: Final[tuple[tuple[re.Pattern[str], Test], ...]] = tuple(
    (re.compile(asked), test)
    for asked, test in (
        (r"\bhow many\b|\bcombien d(?:e (?!temps)|['’])", _adds(holds.COUNT, holds.LIST_NAMED)),
        (r"\b(?:what|which) colou?r\b|\bcolou?r of\b|\bquelle (?:est la )?couleur\b",
         _either(_adds(holds.COLOUR, holds.COLOUR_NAMED), _note)),
        (r"\bhow (?:much|expensive)\b|\bhow (?:tall|high|heavy)\b|"
         r"\bwhat (?:\w+ ){0,3}(?:size|height|weight)\b|\bweigh\b|\bcombien (?:coûte|gagne|pèse|mesure|paie)\b",
         _adds(holds.AMOUNT, holds.SIZE_NAMED)),
        (r"\bhow expensive\b|\bcosts?\b|\bprice\b|\bearn\b|\bsalary\b|\bhow much (?:money|do (?:i|we) pay)\b|"
         r"\bcombien (?:coûte|gagne|paie)\b|\bprix\b",
         _either(_has(holds.MONEY), _adds(rf"{_BARE}(?!{_UNITS}| ?(?:grams?|kilos?|kg|km|cm|met(?:er|re)s?)\b)"))),
        (r"\bhow (?:heavy|tall)\b|\bweigh\b|\b(?:height|weight) of\b|\bpèse\b|\bpoids\b|\bmesure\b",
         _adds(rf"{_BARE}(?!{_UNITS}| ?(?:euros?|[€$£])\b)|\d ?(?:kg|cm|m|ft|lbs?|st|['’])|\b(?:{holds.LIKE})\b")),
        (r"\bhow old\b|\b(?:what|which) .*\bage\b|\bquel âge\b", _has(holds.AGE)),
        (r"^when\b.*\b(?:birthday|born)\b|\bbirth ?date\b|\b(?:date|day|year) .*\bborn\b|\bwhen is .* birthday\b|"
         r"\bquand .*\b(?:anniversaire|née?)\b",
         _both(_adds(holds.TIME),
               _either(_has(r"\b(?:born|birth\w*|turn\w*|older|old|celebrat\w*|came into|anniversaire|née?|naiss\w+|fêt\w+)\b"),
                       _both(_has(holds.DATE), _lacks(rf"\b(?:{_DEEDS})\b"))))),
        (r"^when\b|\bwhat time\b|\b(?:what|which) (?:day|date|month|year)\b|\b(?:until|since) when\b|^quand\b|"
         r"\bà quelle (?:heure|date)\b|\bdepuis quand\b", _adds(holds.TIME)),
        (r"\bhow long (?:have|has|had|was|were|did|does|do|is|will)\b|\bdepuis combien\b",
         _adds(rf"{NUMBER}|{holds.TIME}|\b(?:{holds.SPAN}|{holds.LIKE}|ages|forever|overnight|lengths?|km|cm|longtemps)\b")),
        (r"\b(?:phone|mobile|telephone|passport|account|card|policy|chip|licence|license) number\b|"
         r"\bnumber (?:of|on)\b|\bnuméro\b", _adds(NUMBER)),
        (r"\b(?:pin|code) (?:of|for)\b|\bplate\b|\bwhat(?:'s| is) .*\b(?:pin|code)\b",
         _adds(rf"{NUMBER}|\b(?:birthda\w+|year|backwards|doubled?|same|(?:date|jour) de naissance)\b", r"\b[A-Z]{2,}\b")),
        (r"\b(?:phone|mobile|telephone|cell) number\b|\bnuméro de téléphone\b",
         _either(_lacks(r"\b(?:policy|plate|code|chip|passport|account|card|alarm|contrat|carte|compte)\b"),
                 _has(r"\b(?:call|ring|phone|tel|mobile|line|reach\w*|appel\w*|joindre)\b"))),
        (r"\be-?mail(?: address)?\?|\bemail (?:of|address)\b", _has(r"@|\be-?mails?\b|\bmail\b|\bdot\b|\bwrite\b")),
        (r"^where\b|\baddress of\b|\bwhat is .* address\b|\bwhich (?:city|town|country|place|street|village)\b|"
         r"^où\b|\badresse\b|\bquelle ville\b", _either(_has(holds.PLACE, holds.PLACE_NAMED), _both(proper, _open(r"\bfor good\b", "home", "origin", "travel")))),
        (r"^where (?:was|were|did) .*\b(?:born|grow up|raised)\b|\bwhere .* come from\b|^où .*\bnée?\b",
         _has(holds.BORN, holds.BORN_NAMED)),
        (r"^where do(?:es)? .*\blive\b|\baddress of\b|\bwhat is .*\baddress\b|^où (?:habite|vit)\b",
         _either(_has(holds.LIVES, holds.LIVES_NAMED), _note)),
        (rf"^who\b(?!{_SOMEONE})|^whom\b|^whose\b|\bname of\b|\b(?:sur|last |first |maiden |family )name\b|"
         rf"\bwhat (?:is|are|was) .*\b(?:called|name)\?|\bhow is .* called\b|^qui\b(?!{_SOMEONE})|\bs['’]appelle\b|\bquel est le nom\b",
         _names),
        (rf"^(?:who|whom|how)\b.*\b(?:{PARTNERS})\b|\bname of .*\b(?:{PARTNERS})\b|\b(?:{PARTNERS})(?:['’]s)? name\b|"
         rf"\bmarried to\b|^whom does .* love\b|\b(?:have|has|got) an? (?:{PARTNERS})\b", _has(holds.LOVES, holds.LOVES_NAMED)),
        (r"\bhave (?:any )?(?:children|kids|sons|daughters)\b|\bhow many (?:children|kids|sons|daughters)\b|\bname of .*"
         r"\b(?:son|daughter|child)\b|\bcombien d['’]enfants\b", _either(_has(holds.CHILDREN), _adds(r"(?!)", holds.LIST_NAMED))),
        (r"\bfavou?rite\b|\bpréférée?\b", _open(holds.LIKES, "food", "music", "gift", "travel", "car")),
        (r"\b(?:afraid|scared|frightens?|fears?)\b|\ba peur\b", _open(holds.DREADS)),
        (r"\ballerg(?:y|ic|ies|ique)\b", _open(holds.SCRATCHES, "health", "food")),
        (r"\bblood pressure\b", _has(r"\bpressure\b|\bbp\b|\btension\b|\d ?(?:/|over) ?\d")),
        (rf"\b(?:which|what|quelle?) (?:est (?:le|la) )?(?:{_INSTITUTION})\b|\bwho (?:makes|made)\b",
         _either(proper, _either(_somebody, _has(r"\b(?:(?:at|for|to) the|had (?:the|that))\b|\blocal\b|\bau\b|\bà la\b")))),
        (r"\bwhich (?:floor|page)\b|\bwhat floor\b|\bquel étage\b", _has(holds.FLOOR)),
    )
)  # fmt: skip
"""A question's words, in lower case, and what an answer to such a question needs; where several fit, all of them."""
