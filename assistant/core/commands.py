"""Pure: the few things said to the memory itself, in English and French, told from all other talk.

Each rule is anchored at the beginning; what it does not know for certain is left to the model.
"""

from __future__ import annotations

import itertools
import re
from typing import Literal

import msgspec

CHARS = 600
"""Longer texts are no commands."""
_CLAUSES = 12
"""Looked at, of a text of many."""

Language = Literal["en", "fr"]


class Command(msgspec.Struct, frozen=True):
    """What is wanted."""

    verb: Literal["remember", "forget", "correct", "about", "past", "undo", "choose"]
    text: str = ""
    """What it is about, in the user's words; of `correct` the new value, of `choose` the answer."""
    language: Language = "en"
    every: bool = False
    """All of it is meant: "everything about me"."""
    edits: bool = False
    """Said with a verb that is used of texts too, and of nothing of the speaker's."""


class Choice(msgspec.Struct, frozen=True):
    """An answer to "which of these?"."""

    all: bool = False
    numbers: tuple[int, ...] = ()

    @property
    def nothing(self) -> bool:
        """None of them."""
        return not (self.all or self.numbers)


_PLEASE = r"^(?:(?:hey |hi |ok |okay )?nestor[,:!]?\s+)?(?:please[,\s]+|can you |could you |s'il te plaît[,\s]+|peux-tu )?"
_WRONG = r"(?:no|nope|wrong|incorrect|actually|that's (?:wrong|incorrect|false|not (?:right|true|correct)|no longer (?:true|right))|you're wrong|not any ?more)"
_FAUX = r"(?:non|faux|en fait|c'est faux|ce n'est pas (?:vrai|ça|juste)|c'est pas (?:vrai|ça)|plus maintenant|tu te trompes)"
_NEW = r"(?!not\b|a lie|fine|ok|okay|all|good|great|nothing|enough|true|false|wrong|right|what|because|just|only|too|so\b|about)"
_NOUVEAU = r"(?!pas\b|bon|bien|tout|vrai|faux|ça|juste|parce|trop|rien|ce que)"
_BARE = (
    r"(?:(?:in|at|to|for|à|en|au|aux|chez|pour) )?(?-i:(?!(?:I|We|You|He|She|It|They|Je|Tu|Il|Elle|On|Nous|My|Mon|Ma|The|"
    r"That|This|Le|La)\b)[A-ZÀ-Þ\d+][^\s,;:!?]*(?: (?:[A-ZÀ-Þ\d(][^\s,;:!?]*|de|du|la|le|les|sur|of|and|the|et|von|van|d[aeio]s?)){0,5})(?: now)?[.! ]*"
)
"""A value alone."""
_RULES: tuple[tuple[str, Language, str], ...] = (
    ("past", "en", r"(?P<t>(?:what|where|who|which|how) (?:.*\bdid .+ use to\b|.*\b(?:i|we|my .+|our .+) used to\b).*|(?:what|where|who|which)\b.* (?:did|was|were) .*\b(?:before|previously|formerly|in the past)\b.*|(?:what|who|which|where)(?:'s| (?:is|was|were)) (?:my|our|\w+(?: \w+)?'s) (?:old|previous|former) .+)\?*$"),
    ("past", "en", r"(?P<t>(?:what|where|who|which|how)\b.* (?:did|was|were) .*\b(?:(?:in|during|since|around) (?:\w+ ){0,2}\d{4}|last \w+|(?:\w+ ){1,3}ago|in (?:the )?(?:spring|summer|autumn|winter|fall)))\s*\?*$"),
    ("past", "fr", r"(?P<t>(?:où|qui|que|qu'est-ce que|quel(?:le)?s?|comment|chez qui|pour qui|dans quel(?:le)?|de quoi)\b.*\b(?:avant|autrefois|auparavant)\b.*|(?:qui|quel(?:le)?s?|c') ?(?:est|sont|était|étaient)(?: quoi)? (?:mon|ma|mes|notre|l') ?anci?en(?:ne)?s? .+|.+ (?:où|chez qui|pour qui|quoi) (?:avant|autrefois|auparavant)\b.*)\s*\?*$"),
    ("past", "fr", r"(?P<t>(?:où|qui|quel(?:le)?s?|comment|chez qui|pour qui|dans quel(?:le)?)\b.*\b(?:\w+ais|\w+ait|était|étais)\b.*\b(?:en \d{4}|l'an(?:née)? derni(?:er|ère)|il y a .+|(?:le mois|la semaine|l'été|l'automne|l'hiver) derni(?:er|ère)))\s*\?*$"),
    ("about", "en", r"(?:tell me )?(?:what (?:do|did) you (?:know|remember|have)|what you (?:know|remember)|everything you know|what have you (?:stored|remembered|saved)) (?:about|on) (?P<t>.+?)\s*\?*$"),
    ("about", "fr", r"(?:dis-moi |montre-moi )?(?:que sais-tu|qu'est-ce que tu sais|tu sais quoi|ce que tu sais|tout ce que tu sais|que te rappelles-tu|qu'as-tu retenu) (?:de |sur |d'|à propos de |au sujet de )(?P<t>.+?)\s*\?*$"),
    ("remember", "en", r"(?:remember|memorise|memorize|keep in mind|make a note|take a note|note|don'?t forget|never forget)(?: that |: ?| this: ?)(?P<t>.+)$"),
    ("remember", "en", r"remember[, ]+(?P<t>(?:i|we|my|our|the|(?-i:[A-Z][\w'-]+))\b .+)$"),
    ("remember", "fr", r"(?:souviens-toi|souvenez-vous|rappelle-toi|retiens(?: bien)?|note(?: bien)?|mémorise|n'oublie pas|garde en tête|sache)(?: que |, ?que | qu'|: ?| : ?| ça ?: ?)(?P<t>.+)$"),
    ("undo", "en", r"(?:undo|undo (?:that|this|it)|take (?:that|it) back|no,? undo(?: that)?)[.! ]*$"),
    ("undo", "fr", r"(?:annule|annule (?:ça|cela)|reviens en arrière|défais (?:ça|cela))[.! ]*$"),
    ("forget", "en", r"(?P<do>forget|delete|erase)(?: (?:about|the (?:fact|memory|note)(?: about| that)?|what you know about|(?P<every>everything(?: (?:that )?you (?:know|remember|have))? (?:about|on)|all (?:(?:that )?you know )?about|(?:what|everything|all)(?: that)? i(?:'ve| have)? (?:told you|said) about)|that))? (?P<t>.+?)[.! ]*$"),
    ("forget", "fr", r"(?P<do>oublie|efface|supprime)(?: (?:que|le (?:fait que|souvenir (?:de|sur))|ce que tu sais (?:de|sur)|(?P<every>tout ce que tu sais (?:de|sur)|tout sur|tout de|(?:tout )?ce que je t'ai dit (?:de|sur)))|z)? (?P<t>.+?)[.! ]*$"),
    ("forget", "fr", r"(?P<do>oublie) qu'(?P<t>.+?)[.! ]*$"),
    ("correct", "en", rf"{_WRONG}[,.!:;]* *(?:actually[, ]+|it's not any ?more[,.] *)?(?:it's|it is|that's|that is|they are|it's now|it is now)(?: now)? (?P<t>{_NEW}[^?]{{1,80}})$"),
    ("correct", "en", rf"(?:{_WRONG}[,.!:;]* *)?(?:(?:it|that)(?:'s| is) not|it isn't|that isn't|not) [^,;.?!]{{2,60}}(?:[,;.] *| )(?:but |it's |it is |that's )(?:now )?(?P<t>{_NEW}[^?]{{1,80}})$"),
    ("correct", "en", rf"it(?:'s| is) (?:now )?(?P<t>{_NEW}[^?]{{1,80}}) now[.! ]*$"),
    ("correct", "en", rf"{_WRONG}[,.!:;]+ *(?:actually[, ]+)?(?P<t>{_BARE})$"),
    ("correct", "fr", rf"{_FAUX}[,.!:;]* *(?:en fait[, ]+)?(?:c'est|ce n'est pas [^,]+, c'est)(?: maintenant| désormais)? (?P<t>{_NOUVEAU}[^?]{{1,80}})$"),
    ("correct", "fr", rf"(?:{_FAUX}[,.!:;]* *)?(?:ce n'est pas|c'est pas|pas) [^,;.?!]{{2,60}}(?:[,;.] *| )(?:mais |c'est )(?:maintenant )?(?P<t>{_NOUVEAU}[^?]{{1,80}})$"),
    ("correct", "fr", rf"{_FAUX}[,.!:;]+ *(?:en fait[, ]+)?(?P<t>{_BARE})$"),
)  # fmt: skip
_COMPILED = tuple(
    (verb, language, re.compile(_PLEASE + rule, re.I | re.S)) for verb, language, rule in _RULES
)
_STATED: tuple[tuple[Language, re.Pattern[str]], ...] = (
    ("en", re.compile(r"(?:no|nope|wrong|actually|that's wrong|you're wrong)[,.!:;]+ *(?:actually[, ]+)?(?P<t>[^?\n]{4,200})$", re.I)),
    ("fr", re.compile(r"(?:non|faux|en fait|c'est faux|tu te trompes)[,.!:;]+ *(?:en fait[, ]+)?(?P<t>[^?\n]{4,200})$", re.I)),
)  # fmt: skip
_IDIOMS = re.compile(
    r"(?:it|about it|(?:that|what|everything|all|anything) (?:that )?i(?:'ve)? (?:just )?(?:asked|said|wrote)\b.*|"
    r"all (?:of )?(?:that|this|it)|everything (?:above|before|so far|we \w+.*)|your (?:instructions|role|last .+|previous .+)|"
    r"(?:the|my|your|all) (?:rest|above|(?:(?:very )?(?:first|second|third|last|previous|other|earlier|former|latter) )?"
    r"(?:messages?|questions?|instructions?|options?|ideas?|paragraphs?|sentences?|lines?|rows?|drafts?|versions?))(?: .*)?|"
    r"me not|ça|cela|tout (?:ça|cela|ce que j'ai .+)|(?:tout )?ce que j'ai (?:dit|écrit|demandé).*|ce que je t'ai (?:dit|écrit|demandé).*|"
    r"(?:le|la|les|ma|mes|tes|ton) (?:(?:premi[eè]re?|derni[eè]re?)s? )?(?:paragraphes?|phrases?|lignes?|messages?|questions?|instructions?)(?: .*)?)"
    r"[.! ]*$",
    re.I,
)  # fmt: skip
_PASSING = re.compile(
    r"\b(?:for (?:an? (?:minute|moment|second|sec|bit|while)|now|once|the (?:moment|time being|sake of)|(?:just )?this)|"
    r"just this once|(?:pour|juste) (?:une? (?:minute|instant|moment|seconde|fois)|l'instant|le moment|cette fois)|"
    r"(?:une minute|un (?:instant|moment)))\b",
    re.I,
)
"""What is to be left aside, not to be gone."""
_TONIGHT = re.compile(r"\b(?:now|tonight|today|ce soir|maintenant|aujourd'hui)$", re.I)
_ELSEWHERE = re.compile(
    r"\b(?:from|in|on|out of) (?:this|these|those|that)\b|\b(?:dans|de|sur) (?:ce|cet|cette|ces)\b",
    re.I,
)
"""Where texts are that are no memories."""
_EDITED = re.compile(
    r"\b(?:from|in|out of) (?:the|my|our|your|\w+'s)\b|\b(?:ma|mon|mes|notre|nos) .+ (?:du|de la|dans|des|sur)\b|\bdans\b|"
    r"^(?:all|every|any|some|the (?:first|last|second|next|old|empty|duplicate))\b.* (?:from|in|of|older|where|that)\b",
    re.I,
)
"""The same, where the verb is one that is used of texts."""
_EDITS = re.compile(r"(?:delete|erase|efface|supprime)", re.I)
_OWN = re.compile(
    r"(?:i|i'm|we|me|my|our|everything|all|moi|mon|ma|mes|notre|nos|je|j'\w+|on|nous|tout)\b", re.I
)
_EVERYTHING = re.compile(
    r"(?:everything|all|it all|all of it|all (?:my |your |the )?(?:memories|notes)|everything (?:that )?you (?:know|remember)|"
    r"all (?:that )?you know|(?:everything|all)(?: that)? i(?:'ve| have)? (?:ever )?told you|tout|"
    r"tout ce que (?:tu sais|je t'ai dit)|tous (?:mes|tes|les) (?:souvenirs|notes))",
    re.I,
)
_KNOWN = re.compile(
    r"[\s,]+(?:from|out of|in|de|dans) (?:your|my|the|ta|la) (?:memor(?:y|ies)|notes|mémoire)$|"
    r"[\s,]+(?:please|thanks|thank you|s'il te plaît|s'il vous plaît|stp|svp|merci)$",
    re.I,
)
_STOP = re.compile(
    r"(?<!\bdr)(?<!\bmr)(?<!\bms)(?<!\bmme)(?<!\bmrs)(?<!\bst)[.!]\s+(?=\w)|[?;:]\s+(?=\S)|\n\s*(?=\S)|\s+[\u2013\u2014-]\s+",
    re.I,
)
_COMMA = re.compile(
    r"\s*,\s*(?:(?:and|but|then|so|et|mais|puis|alors) )?|\s+(?:and|then|et|puis)(?: then| puis| please)? ",
    re.I,
)
_GOES_ON = re.compile(
    r"(?:i|i'm|we|you|he|she|it|they|it's|that's|my|our|his|her|their|the|an?|that|who|which|because|or|"
    r"j'\w+|je|on|nous|tu|il|elle|c'est|mon|ma|mes|le|la|les|l'\w+|un|une|que|qui|car|parce|ou|\w{3,}s(?! me| us))\b|(?-i:[A-ZÀ-Þ0-9])",
    re.I,
)
"""How what follows a comma goes on with the same, rather than to ask for something."""
_ASK_VERBS = (
    r"(?:suggest|recommend|explain|describe|summari[sz]e|translate|rewrite|proofread|refactor|debug|fix|propose|"
    r"sugg[eè]re|recommande|explique|décris|résume|tradui[st]|réécris|corrige|conseille)"
)
_GIVE_VERBS = (
    r"(?:give|tell|show|write|make|find|help|draft|plan|send|read|advise|answer|list|compare|calculate|compute|"
    r"imagine|pretend|let's|let us|check|review|convert|generate|create|choose|pick|think|consider|act|reply|respond|"
    r"donne|dis|montre|réponds|aide|écris|rédige|fais|trouve|liste|compare|calcule|planifie|imagine|choisis|"
    r"prépare|génère|crée)"
)
_NEXT = r"(?:(?:now|then|so|please|just|next|maintenant|puis|alors|ensuite|s'il te plaît)[, ]+)"
_A = r"(?:an?|some|any|the|it|this|that|these|those|my|how|what|why|where|which|when|une?|des?|du|le|la|les|l'\w+|ce|cette|mon|ma|mes|comment|pourquoi)"
_REQUEST = re.compile(rf"{_NEXT}*(?:{_ASK_VERBS}|{_GIVE_VERBS})(?:-\w+)?\b", re.I)
"""How a request to the model begins."""
_QUESTION = re.compile(
    rf"{_NEXT}*(?:what|where|who|when|which|how|why|can|could|would|will|should|do|does|is|are|"
    r"que|quel(?:le)?s?|où|qui|quand|comment|pourquoi|combien|peux-tu|pourrais-tu|est-ce)\b",
    re.I,
)
_FOR_ME = re.compile(
    rf"{_NEXT}*(?:{_GIVE_VERBS}-(?:moi|nous)\b|{_GIVE_VERBS} (?:me|us)\b|{_ASK_VERBS}(?:-moi|-nous| {_A})\b|"
    rf"(?:explain|translate|summari[sz]e|explique|traduis)\b.* (?:to|for|into|in|à|en) \w+$)",
    re.I,
)
"""A request where it could be one more thing that somebody does: surely one for the speaker."""
_WITH_ME = re.compile(r"(?:please )?\w+(?:-moi|-nous| me| us)\b|.* (?:to|for) (?:me|us)$", re.I)
_DOING = re.compile(
    r"(?:i|we|they|je|j'|nous|on|ils|elles)(?! ?(?:am|are|'m|'re|was|were|'ve|have|had|suis|sommes|est|sont|ai|avons|ont)\b)"
    r"(?:\b|(?<='))",
    re.I,
)
"""Whoever does something, and may do one thing more."""
_SAYING = re.compile(r"\b(?:said|says|say|asked|asks|wrote|writes|reads|dit|écrit|demande)$", re.I)
_STANDING = re.compile(
    rf"{_NEXT}+{_GIVE_VERBS}\b|{_NEXT}*(?:write|draft|generate|create) (?:an?|the|some)\b", re.I
)
"""A request where a sentence begins, which is no step of a recipe."""
_TO_DO = re.compile(
    r"\b(?:to|must|should|can|could|will|would|may|might|shall|let|dois|doit|devons|peux|peut|faut|vais|va|veux|veut|pour)\s+\w+",
    re.I,
)
_PASSING_NOTE = re.compile(_PLEASE + r"(?:note|make|take|keep|sache|garde)\b", re.I)
"""What is only to be heeded in the answer."""
_NOT_TOLD = re.compile(
    r"(?:you|your|you're|yours|tu|t'es|ton|ta|tes|vous|votre|vos)\b|"
    r"(?:the |that |la |le |les )?(?:time|thing|day|night|one|song|movie|film|book|guy|girl|man|woman|place|trip|moment|"
    r"scene|episode|joke)(?!.*\b(?:is|are|est|sont|costs?|opens?|closes?)\b)(?: (?:when|where|we|i|you|that|who|from|about|by)\b|$)",
    re.I,
)
"""How what is to be kept in mind for the talk begins, or is remembered together."""
_YES = frozenset("yes y yep yeah sure ok okay do oui ouais d'accord vas-y confirme confirm".split())
_ALL = frozenset("all both everything tout tous toutes deux".split())
_NO = frozenset("no n nope none cancel stop non aucun aucune annule rien laisse nothing".split())
_FILLER = frozenset(
    "please the it of them and et les le la numéro number numbers s'il te plaît , . !".split()
)


def parse(text: str) -> Command | None:
    """The command that a text is; None if it is for the model."""
    text = text.strip()
    if not text or len(text) > CHARS:
        return None
    plain = text.replace("’", "'")  # noqa: RUF001
    for verb, language, rule in _COMPILED:
        found = rule.match(plain)
        if found is None:
            continue
        about = (found.groupdict().get("t") or "").strip()
        if verb == "remember" and (about.endswith("?") or len(about) < 3):
            continue
        if verb == "remember" and (_NOT_TOLD.match(about) or _asking(about) is not None):
            return None
        edits = bool(verb == "forget" and _EDITS.match(found["do"]))
        if verb == "forget":
            about = _bare(about)
            if not about or _left_aside(about, edits=edits):
                return None
        every = bool(found.groupdict().get("every"))
        return Command(verb, about, language, every, edits and not _OWN.match(about))  # type: ignore[arg-type]
    return None


def everything(phrase: str) -> bool:
    """Whether all that is known is to be forgotten, of whomever."""
    return _EVERYTHING.fullmatch(phrase.strip(" .!?")) is not None


def stated(text: str) -> tuple[str, Language] | None:
    """The statement that a text sets against what was said: "no, Ana lives in Nice now"; None if none."""
    plain = text.strip().replace("’", "'")  # noqa: RUF001
    for language, rule in _STATED:
        if found := rule.match(plain):
            return found["t"].strip(), language
    return None


def _bare(phrase: str) -> str:
    """What is to be forgotten, without "please" and "from your memory"."""
    while (shorter := _KNOWN.sub("", phrase.rstrip(" .!"))) != phrase:
        phrase = shorter
    return phrase


def _left_aside(phrase: str, *, edits: bool) -> bool:
    """Whether "forget my diet, …" only leaves something aside, or changes a text: for the model."""
    if _IDIOMS.match(phrase) or _PASSING.search(phrase) or _ELSEWHERE.search(phrase):
        return True
    if _TONIGHT.search(phrase) and not re.match(r"(?:i|we|j'|je|on|nous)\b", phrase, re.I):
        return True
    stop = _STOP.search(phrase)
    if stop and (
        phrase[stop.start()] in ":?\n" or not _GOES_ON.match(phrase[stop.end() :].lower())
    ):
        return True
    first = _STOP.split(phrase, maxsplit=1)[0]
    if edits and _EDITED.search(first):
        return True
    for comma in _COMMA.finditer(phrase):
        rest = phrase[comma.end() :]
        if "," in comma.group() and (_REQUEST.match(rest) or not _GOES_ON.match(rest)):
            return True
        if _FOR_ME.match(rest) or _asks(rest):
            return True
    return False


def _asking(phrase: str) -> int | None:
    """Where what is to be remembered goes on to ask for something else."""
    for stop in itertools.islice(_STOP.finditer(phrase), _CLAUSES):
        rest = phrase[stop.end() :]
        if _SAYING.search(phrase, 0, stop.start()):
            continue
        if _FOR_ME.match(rest) or _STANDING.match(rest) or _asks(rest):
            return stop.start()
    for comma in itertools.islice(_COMMA.finditer(phrase), _CLAUSES):
        rest = phrase[comma.end() :]
        if _FOR_ME.match(rest):
            # "I have to call Bob and write to Ana", "I teach maths and explain it": the same does both.
            so_far = _STOP.split(phrase[: comma.start()])[-1]
            both = "," not in comma.group() and _DOING.match(so_far) and not _WITH_ME.match(rest)
            if not both and not _TO_DO.search(so_far):
                return comma.start()
        elif _asks(rest):
            return comma.start()
    return None


def _asks(rest: str) -> bool:
    return "?" in rest and bool(_QUESTION.match(rest) or _REQUEST.match(rest))


def kept(text: str) -> str | None:
    """Of "remember that I'm vegetarian and suggest a recipe", which is for the model, what is to be kept."""
    plain = text.strip().replace("’", "'")  # noqa: RUF001
    for verb, _, rule in _COMPILED if len(plain) <= CHARS else ():
        found = rule.match(plain) if verb == "remember" else None
        if found and not _PASSING_NOTE.match(plain) and not _NOT_TOLD.match(found["t"]):
            end = _asking(found["t"])
            return None if end is None or end < 3 else found["t"][:end].strip(" ,.;:")
    return None


def choice(text: str) -> Choice | None:
    """The answer that a text is to a question with numbered candidates; None if it is none."""
    words = re.findall(r"[\w'-]+", text.casefold().replace("’", "'"))  # noqa: RUF001
    words = [word for word in words if word not in _FILLER]
    if not words or len(words) > 8:
        return None
    numbers = [int(word) for word in words if word.isdecimal() and len(word) < 3]
    rest = {word for word in words if not word.isdecimal()}
    if numbers and rest <= _YES:
        return Choice(numbers=tuple(dict.fromkeys(numbers)))
    if not numbers and rest and rest <= _NO:
        return Choice()
    if not numbers and rest and rest <= _YES | _ALL:
        return Choice(all=True)
    return None
