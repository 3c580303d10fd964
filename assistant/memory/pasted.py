"""Pure: what of a message are its author's own words, and what they show as somebody else's.

Facts are learnt from one's own words alone. Marked as others' are fenced blocks and lines that begin
with `>`, as Markdown and mail have them, quotations of several words, and what follows the line with
which mail programs begin a forwarded or answered message, the head of a mail, a salutation, or a line
like `Tom wrote:`. Much that is pasted has no mark at all: so only a message that is nothing but
statements changes at once what is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.memory.claims import Segment

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.M | re.S)
_TRIPLE = re.compile(r"\"\"\".*?(?:\"\"\"|\Z)", re.S)
_TAGS = re.compile(
    r"<(blockquote|pre|code|document|quote|attachment|file)\b[^>]*>.*?(?:</\1\s*>|\Z)",
    re.I | re.S,
)
_LINES = re.compile(r"^[ \t]*>[^\n]*$", re.M)
_FORWARDED = re.compile(
    r"^[ \t]*(?:-{2,} ?(?:original message|forwarded message|message transféré|message d'origine|"
    r"ursprüngliche nachricht|weitergeleitete nachricht|mensaje original|mensaje reenviado)\b|"
    r"begin forwarded message:|on .{4,100} wrote:\s*$|le .{4,100} a écrit ?:\s*$|"
    r"am .{4,100} schrieb .{0,60}:\s*$).*\Z",
    re.I | re.M | re.S,
)
_FIELDS = (
    "from|to|cc|bcc|sent|date|subject|reply-to|de|à|objet|envoyé|répondre à|von|an|betreff|gesendet|"
    "datum|antwort an|para|asunto|enviado|fecha|da|a|oggetto|data|inviato|assunto|enviada"
)
_FIELD = rf"[ \t]*[*_]{{0,2}}(?:{_FIELDS})[*_]{{0,2}}[ \t]*:[^\n]*(?:\n[ \t]+\S[^\n]*)*(?:\n|\Z)"
_HEAD = re.compile(rf"^(?:{_FIELD}(?:[ \t]*\n)?){{2,}}.*\Z", re.I | re.M | re.S)
"""Two lines of a mail's head or more, bold or not, a blank line between them or none."""
_SALUTATION = re.compile(
    r"^[ \t]*(?:dear|cher|chère|chers|chères|monsieur|madame|liebe[rs]?|sehr geehrte[rs]?|estimad[oa]s?|"
    r"querid[oa]s?|gentile|car[oa]|prezad[oa]s?|(?:hi|hello|hey|hallo|salut|bonjour|hola|ciao|olá)"
    r"(?= (?!nestor\b)[^\W\d_]))\b[^\n.!?:]{0,60},[ \t]*\n.*\Z",
    re.I | re.M | re.S,
)
"""A line of its own, as letters have it."""
_COLON = re.compile(r":(?=\s|\Z)")
_CLAUSE = re.compile(r"[^\n.!?:,;]*\Z")
_SAYS = frozenset([
    "wrote", "writes", "says", "said", "texted", "texts", "sent", "replied", "replies", "answered",
    "answers", "messaged", "posted", "asked", "asks", "told", "tells", "écrit", "écrivait", "dit",
    "disait", "répondu", "répond", "schrieb", "schreibt", "geschrieben", "sagte", "sagt", "gesagt",
    "antwortete", "escribió", "escribe", "escrito", "dijo", "dice", "dicho", "respondió", "scrive",
    "scritto", "detto", "disse", "escreveu", "escreve", "diz", "respondeu",
])  # fmt: skip
CLAUSE_CHARS = 80
"""As far before the colon of "Tom wrote to me on Monday:" its verb is looked for."""
_GOES_ON = re.compile(r"[ \t]*\S")
_BLANK = re.compile(r"\n[ \t]*\n")
_INLINE = re.compile(r"`[^`\n]+`|[“«][^“”«»]*\s[^“”«»]*[”»]|\"[^\"\n]*\s[^\"\n]*\"")
_MAIL = (_FORWARDED, _HEAD, _SALUTATION)
_COURTESY = re.compile(
    r"(?:(?:hi|hello|hey|thanks?|thank you|many thanks|please|ok|okay|well|nestor|there|again|so much|"
    r"bonjour|bonsoir|salut|merci|beaucoup|hallo|guten (?:tag|morgen|abend)|danke|hola|gracias|ciao|"
    r"grazie|olá|obrigad[oa])\b[\s,.!…-]*)+",
    re.I,
)
_SENTENCE = re.compile(r"[^.!?;\n]+")


def own_words(text: str) -> str:
    """The text without what is marked as others' words; a blank line stands where a block was."""
    text = text.replace("\r\n", "\n")
    for block in (_FENCE, _TRIPLE, _TAGS, _LINES, *_MAIL):
        text = block.sub("\n\n", text)
    return _INLINE.sub(" … ", _unattributed(text)).strip()


def only_states(text: str, read: Sequence[Segment]) -> bool:
    """Whether a message is nothing but statements of its author, courtesies apart; `read` is what it says.

    With a question beside them, an introduction or a signature, statements may well be somebody else's:
    "is this SMS spam?". What stands above a mail may be the mail's own answer.
    """
    plain = text.replace("\r\n", "\n")
    if not read or any(mark.search(plain) for mark in _MAIL) or _unattributed(plain) != plain:
        return False
    if all(one.claims or _COURTESY.fullmatch(one.text) for one in read):
        return True
    return bool(read[0].claims) and len(_SENTENCE.findall(own_words(text))) == 1


def _unattributed(text: str) -> str:
    """Without what follows `Tom wrote:`, to the end; to the next blank line where it begins in that line."""
    pieces, done, at = [], 0, 0
    while colon := _COLON.search(text, at):
        begin, at = max(at, colon.start() - CLAUSE_CHARS), colon.end()
        clause = _CLAUSE.search(text, begin, colon.start())
        if clause is None or _SAYS.isdisjoint(re.findall(r"\w+", clause.group().lower())):
            continue
        pieces.append(text[done : clause.start()])
        goes_on = _GOES_ON.match(text, at)
        blank = _BLANK.search(text, at) if goes_on else None
        done = at = blank.start() if blank else len(text)
    return "\n\n".join([*pieces, text[done:]]) if pieces else text
