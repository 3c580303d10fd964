"""Pure: which fact a question or a phrase is about: whose, and what of it.

Read is only what is asked for whole: whose it is and what it is stand together, and nothing is left
over. "What is the name of the detective?" is about no fact of mine, whatever words it has.
"""

from __future__ import annotations

import re

import msgspec

from assistant.memory import claims
from assistant.memory.attributes import FUNCTIONAL, NOUNS, key, of_noun
from assistant.memory.claims import ME, Who
from assistant.memory.kin import KIN, POSSESSIVES

_CHARS = 200
_MY = frozenset("i me myself we je j nous on moi".split())
_MINE = "|".join(sorted(map(re.escape, POSSESSIVES), key=len, reverse=True))
_KIN = "|".join(sorted(map(re.escape, KIN), key=len, reverse=True))
_WHO = r"(?P<who>\w.{0,39}?)"
_DO, _BE = r"(?:do|does|did)", r"(?:am|is|are|was|were)"
_LIVE, _WORK = r"(?:live|lives|lived|reside|resides|resided)", r"(?:work|works|worked)"
_WHICH = r"(?:which|what)(?: (?:kind|sort|type) of)?"
_TOWN = r"(?:city|town|village|country|place|street)"
_FIRM = rf"(?:who|whom|{_WHICH} (?:company|firm|employer))"
_OU = r"(?:où(?: est-ce que?)?|dans quel(?:le)? (?:ville|pays|rue|village))"
_CHEZ = r"(?:où(?: est-ce que?)?|(?:chez|pour) qui(?: est-ce que?)?|(?:dans|pour) quelle (?:boîte|entreprise))"
_J = r"(?:je |j'|nous |on )"
_HABITE = (
    r"(?:habit(?:e|ais|ait|ons|ions)|vi(?:s|t|vais|vait)|log(?:e|eais|eait)|résid(?:e|ais|ait))"
)
_BOSSE = r"(?:(?:travaill|boss)(?:e|ais|ait|ons|ions))"

# What is asked for, and the words that ask for it whole. Without `who` it is the speaker's own.
_ASKED: tuple[tuple[str, str], ...] = (
    ("home", rf"where {_DO} {_WHO} {_LIVE}"),
    ("home", rf"where {_BE} {_WHO} (?:living|based)"),
    ("home", rf"where {_WHO} (?:{_LIVE}|{_BE} (?:living|based))"),
    ("home", rf"(?:in )?{_WHICH} {_TOWN} (?:{_DO} {_WHO} {_LIVE}|{_BE} (?P<whom>\w.{{0,39}}?) (?:living|based))(?: in)?"),
    ("home", rf"{_DO} {_WHO} live in \w.{{1,40}}"),
    ("employer", rf"where {_DO} {_WHO} {_WORK}"),
    ("employer", rf"where {_BE} {_WHO} (?:working|employed)"),
    ("employer", rf"where {_WHO} (?:{_WORK}|{_BE} (?:working|employed))"),
    ("employer", rf"(?:for |at )?{_FIRM} {_DO} {_WHO} {_WORK}(?: for| at| with)?"),
    ("employer", rf"(?:for |at )?{_FIRM} {_WHO} (?:work|works|worked)(?: for| at)"),
    ("employer", rf"who employ(?:s|ed) {_WHO}"),
    ("employer", rf"{_DO} {_WHO} work (?:at|for) \w.{{1,40}}"),
    ("job", rf"what {_DO} {_WHO} (?:do (?:for a living|for work|as a job)|work as)"),
    ("job", rf"what {_WHO} (?:do|does|did) for a living"),
    ("dislikes", rf"what {_DO} {_WHO} (?:hate|dislike|not like)"),
    ("dislikes", rf"what {_WHO} (?:hates?|hated|dislikes?|disliked)"),
    ("likes", rf"what {_DO} {_WHO} (?:like|love|enjoy)(?: to (?:do|eat|drink|read))?"),
    ("likes", rf"what {_WHO} (?:likes?|liked|loves?|loved|enjoys?|enjoyed)"),
    ("diet", rf"{_WHICH} diet {_DO} {_WHO} (?:follow|have)"),
    ("speaks", rf"{_WHICH}(?: languages?)? {_DO} {_WHO} speak"),
    ("car", rf"{_WHICH} car {_DO} {_WHO} (?:drive|have|own)"),
    ("car", rf"what {_DO} {_WHO} drive"),
    ("school", rf"{_WHICH} (?:school|university|college) {_DO} {_WHO} (?:go to|attend)"),
    ("name", rf"what {_BE} {_WHO} called"),
    ("name", r"who am i"),
    ("age", rf"how old {_BE} {_WHO}"),
    ("birthday", rf"(?:when|what day) (?:was|were) {_WHO} born"),
    ("birthplace", rf"where (?:was|were) {_WHO} born"),
    ("origin", rf"where (?:{_BE} {_WHO}|{_DO} (?P<whom>\w.{{0,39}}?) come) from"),
    ("allergy", rf"what {_BE} {_WHO} allergic to"),
    ("home", rf"(?:{_OU} )?{_J}{_HABITE}(?: où)?"),
    ("home", rf"{_OU} (?:habité|vis|vivais|habitais)-je"),
    ("home", rf"{_OU} (?:{_HABITE} {_WHO}|(?P<whom>\w.{{0,39}}?) {_HABITE}(?:-t-(?:il|elle))?)"),
    ("home", rf"{_WHO} {_HABITE} où"),
    ("employer", rf"{_CHEZ} {_J}{_BOSSE}"),
    ("employer", rf"{_J}{_BOSSE} (?:où|chez qui|pour qui)"),
    ("employer", rf"{_CHEZ} (?:travaillé|travaillais)-je"),
    ("employer", rf"{_CHEZ} (?:{_BOSSE} {_WHO}|(?P<whom>\w.{{0,39}}?) {_BOSSE}(?:-t-(?:il|elle))?)"),
    ("employer", rf"{_WHO} {_BOSSE} (?:où|chez qui|pour qui)"),
    ("employer", rf"qui emploie {_WHO}"),
    ("likes", rf"(?:qu'est-ce que? |ce que? ){_J}aim(?:e|ais)"),
    ("likes", rf"(?:qu'est-ce que? |ce que? ){_WHO} aim(?:e|ait)"),
    ("name", r"comment (?:est-ce que )?je m'appelle"),
    ("name", rf"comment (?:s'appel(?:le|ait) {_WHO}|(?P<whom>\w.{{0,39}}?) s'appel(?:le|ait))"),
    ("age", r"quel âge (?:ai-je|j'ai)|j'ai quel âge"),
    ("age", rf"quel âge (?:a {_WHO}|(?P<whom>\w.{{0,39}}?) a(?:-t-(?:il|elle))?)"),
    ("home", rf"wo (?:wohne|wohnst|wohnt|lebe|lebt) {_WHO}|d[óo]nde (?:vive|vivo) (?P<whom>\w.{{0,39}}?)|dove (?:abita|vive) (?P<wen>\w.{{0,39}}?)"),
    ("home", r"d[óo]nde vivo|dove (?:abito|vivo)"),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(rule, re.I)) for name, rule in _ASKED)

_ROLE = re.compile(
    rf"(?:who|what|qui)(?: {_BE}| est| était) (?:{_MINE}) (?P<role>{_KIN})"
    rf"|(?P<name>comment s'appel(?:le|ait)|what {_BE}) (?:{_MINE}) (?P<kin>{_KIN})(?(name)(?: called)?)",
    re.I,
)
_OF = re.compile(
    rf"(?:(?:what|which|who|when|where|how (?:much|big|tall|heavy|long)) {_BE} |"
    r"(?:quel(?:le)?s?|qui|quand|où) (?:est|sont|était|étaient) |c'(?:est|était) (?:quoi|quand|où|qui) )"
    r"?(?P<what>.+?)",
    re.I,
)
_MY_NOUN = re.compile(rf"(?:{_MINE}) (?P<noun>\w.{{1,39}})", re.I)
_ITS_NOUN = re.compile(r"(?P<who>\w.{0,39}?)'s (?P<noun>\w.{1,39})", re.I)
_DE = re.compile(r"(?:le |la |les |l')(?P<noun>\w.{1,39}?) (?:de |d')(?P<who>\w.{0,39})", re.I)
_THE = re.compile(r"(?:what|which|quel(?:le)?) (?:is|was|est|était) (?:the |le |la |l')(?P<noun>\w.{1,39})", re.I)  # fmt: skip
_FAVOURITE = re.compile(r"favou?rite \w+(?: \w+)?|\w+ préférée?s?")

_LEAD = re.compile(
    r"^(?:(?:so|and|but|ok|okay|well|hey|hi|hello|nestor|please|by the way|now|et|mais|alors|dis|salut|bonjour|"
    r"(?:can|could) you (?:tell|remind) me(?: of)?|(?:tell|remind) me(?: of| again)?|"
    r"do you (?:know|remember)|(?:i )?(?:forgot|forget)|what about|"
    r"(?:tu sais|sais-tu|dis-moi|rappelle-moi|peux-tu me (?:dire|rappeler)))\b[\s,:!]*)+",
    re.I,
)
_SHORT = (
    (re.compile(r"\b(what|where|who|when|how)'s\b", re.I), r"\1 is"),
    (re.compile(r"\bi'm\b", re.I), "I am"),
    (re.compile(r"\b(?:did|do) (\w.{0,39}?) use to\b", re.I), r"did \1"),
    (re.compile(r"\s+used to\b", re.I), ""),
)
_WHEN = re.compile(
    r"\s*\b(?:now|currently|still|these days|nowadays|at the moment|right now|already|again|then|back then|"
    r"exactly|actually|really|previously|formerly|in the past|maintenant|actuellement|en ce moment|"
    r"encore|autrefois|auparavant|déjà|jetzt|ahora)\b",
    re.I,
)
_BEFORE = re.compile(r"\s*\b(?:before|avant)\b(?P<than>.*)$", re.I)
_SPAN = re.compile(
    r"\s*\b(?:(?:back )?(?:in|during|en|depuis|since)(?: the)? (?:year )?(?:\w+ )?\d{4}|last \w+|\w+ \w+ ago|"
    r"yesterday|hier|l'année dernière|l'an dernier|le mois dernier|la semaine dernière|"
    r"l'(?:été|automne|hiver) dernier|il y a .+|(?:in|en) (?:spring|summer|autumn|winter|été|automne|hiver))$",
    re.I,
)
_OLD = re.compile(rf"\b((?:{_MINE})|\w+'s|l'|le|la|the) ?(?:old|previous|former|earlier|ex|anci?en(?:ne)?s?|précédente?)(?: |-)", re.I)  # fmt: skip
_NEW = re.compile(rf"\b((?:{_MINE})|\w+'s) (?:new|current|present|nouve(?:au|lle|l)|actuel(?:le)?)\b(?= )", re.I)  # fmt: skip
_GONE = re.compile(
    r"\b(?:did|was|were|used? to|lived|worked|liked|loved|hated|drove|habitais|habitait|vivais|vivait|"
    r"logeais|travaillais|travaillait|bossais|bossait|aimais|aimait|était|étaient|s'appelait|previously|"
    r"formerly|in the past|autrefois|auparavant)\b",
    re.I,
)
_BORN = frozenset({"birthday", "birthplace"})


class Asked(msgspec.Struct, frozen=True):
    """What a phrase is about."""

    who: Who | None = None
    """None: nobody that the phrase names by itself."""
    attribute: str | None = None
    past: bool = False
    """What was once, not what holds now."""
    before: str = ""
    """The value before which it was: `who was my boss before Tom`."""


def read(text: str) -> Asked:
    """Whose what: `where does my sister live` is (my sister, home). Nothing, where it says more."""
    if len(text) > _CHARS:
        return Asked()
    plain, past, before = _bare(text)
    who, name = _read(plain)
    if who is None or name is None:
        return Asked(past=past, before=before)
    return Asked(who, name, past and name not in _BORN, before)


def asked(text: str) -> Asked:
    """The one question that a message ends with; nothing, where it asks two, or none that is read whole."""
    clauses = [one.strip() for one in re.split(r"(?<=[?!.;\n])\s+", text.strip()) if one.strip()]
    questions = [one for one in clauses if one.endswith("?")]
    if len(questions) > 1 or (not questions and len(clauses) > 1):
        return Asked()
    return read(questions[0] if questions else text)


def _bare(text: str) -> tuple[str, bool, str]:
    """A question in its shortest form; whether it asks for what was, and before what."""
    plain = " ".join(text.replace("’", "'").split()).strip(" ?!.¿")
    plain = _LEAD.sub("", plain)
    past, before = bool(_GONE.search(plain)), ""
    for short, full in _SHORT:
        plain = short.sub(full, plain)
    if found := _BEFORE.search(plain):
        past, before, plain = True, found["than"].strip(" ?!."), plain[: found.start()]
    for rule in (_SPAN, _OLD):
        shorter = rule.sub(r"\1 " if rule is _OLD else "", plain).replace("l' ", "l'")
        past, plain = past or shorter != plain, shorter
    plain = _WHEN.sub("", _NEW.sub(r"\1", plain))
    return " ".join(plain.split()).strip(" ,?!."), past, before


def _read(plain: str) -> tuple[Who | None, str | None]:
    if found := _ROLE.fullmatch(plain):
        return ME, KIN[(found["role"] or found["kin"]).casefold()]
    for name, rule in _COMPILED:
        if found := rule.fullmatch(plain):
            said = [one for one in found.groupdict().values() if one] if rule.groups else []
            return (_whose(said[0]) if said else ME), name
    return _noun(plain)


def _noun(plain: str) -> tuple[Who | None, str | None]:
    """Of `my phone number`, `Ana's email`, `le numéro de ma sœur`, asked for or only named."""
    if found := _THE.fullmatch(plain):
        noun = key(found["noun"])
        if noun not in NOUNS and FUNCTIONAL.search(noun) and " " in noun and " of " not in noun:
            return ME, of_noun(noun)
    what = _OF.fullmatch(plain)
    if what is None:
        return None, None
    if (found := _MY_NOUN.fullmatch(what["what"])) and (name := _name(found["noun"])):
        return ME, name
    for rule in (_ITS_NOUN, _DE):
        found = rule.fullmatch(what["what"])
        if found and (name := _name(found["noun"])) and (who := _whose(found["who"])):
            # "My sister's name is Ana" says who my sister is.
            return (ME, who.role) if who.role and not who.name and name == "name" else (who, name)
    return None, None


def _name(noun: str) -> str | None:
    """The attribute that a noun names by itself."""
    plain = key(noun)
    if plain in KIN or len(plain.split()) > 4 or "'s" in plain or " of " in plain:
        return None
    if plain in NOUNS or _FAVOURITE.fullmatch(plain) or FUNCTIONAL.search(plain):
        return of_noun(plain)
    return None


def _whose(text: str) -> Who | None:
    plain = text.strip(" ,'")
    if plain.casefold() in _MY:
        return ME
    found = claims.who(plain)
    return None if found is None or found.pronoun else found
