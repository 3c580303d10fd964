"""Pure: whether what a model proposes may be offered to the user at all.

A small model makes things up. So its word for nothing is taken: the quote must be the user's own
words, the value must be in the quote, the sentence must state it plainly, and a word of the sentence
must show what kind of fact it is.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from assistant.memory import claims, earnest, predicates, pronouns
from assistant.memory.attributes import ATTRIBUTES, attribute, key
from assistant.memory.claims import ME, Claim, Who
from assistant.memory.kin import KIN
from assistant.memory.words import words_in


class Candidate(msgspec.Struct, frozen=True):
    """A fact that may be worth keeping, checked."""

    claim: Claim
    text: str
    """A sentence that stands alone, in the user's words."""
    quote: str
    sensitivity: str
    importance: float


_ROLES = frozenset(KIN.values())
_CUES: dict[str, str] = {
    "home": r"live|lives|living|moved|based|habit\w+|vis|vit|installée?|déménagé",
    "employer": r"work|works|working|job|joined|hired|travaill\w+|boss\w+|embauchée?",
    "job": r"work|works|working|job|profession|métier|travaill\w+|am an?|is an?|suis|est",
    "likes": r"like|likes|love|loves|enjoy|enjoys|favou?rite|fan of|prefer|prefers|aime|adore|préfér\w+|passionnée?",
    "dislikes": r"hate|hates|dislike|dislikes|stand|(?:don't|doesn't|not) like|déteste|aime pas|supporte pas|horreur",
    "allergy": r"allerg\w+", "diet": r"vegetarian|vegan|diet|eat|végétarien\w*|végane?|régime|mange",
    "birthday": r"birthday|born|anniversaire|née?", "age": r"years old|turned|am|is|ans",
    "birthplace": r"born|née?", "origin": r"from|viens|vient|originaire",
    "speaks": r"speak|speaks|fluent|parle", "car": r"car|drive|drives|voiture|conduis",
    "pet": r"dog|cat|pet|puppy|kitten|rabbit|chien\w*|chat\w*|lapin",
    "hobby": r"hobby|play|plays|collect|every (?:week|\w+day)|joue|fais (?:du|de la|de l')|collectionne|loisir",
    "skill": r"can|know how|good at|learned|learnt|learning|sais|apprends|doué\w*",
    "owns": r"have|has|own|owns|bought|got|ai|possède|achetée?", "habit": r"every|always|usually|each|chaque|toujours|tous les",
    "name": r"name|called|call me|appell\w+|nom|prénom", "phone": r"phone|number|numéro|téléphone|portable",
    "email": r".*@", "address": r"address|street|adresse|rue", "school": r"study|studies|school|university|étudie|école|université",
    "status": r"married|single|divorced|engaged|widowed|mariée?|célibataire|divorcée?",
    "activity": r"retired|unemployed|retraitée?|retraite|chômage",
    "medication": r"take|takes|pills?|medication|prends|médicament\w*|traitement",
    "condition": r"have|has|diagnosed|suffer|ai|souffre|atteinte?", "size": r"size|pointure|taille",
    "height": r"tall|height|mesure|taille", "weight": r"weigh|weight|pèse|poids",
    "blood_type": r"blood|sang\w*", "salary": r"salary|earn|paid|salaire|gagne", "rent": r"rent|loyer",
    "religion": r"catholic|muslim|jewish|buddhist|hindu|religion|church|mosque|catholique|musulmane?|juive?|église",
    "partner": r"girlfriend|boyfriend|partner|compagne|compagnon|copine?",
}  # fmt: skip
LEARNABLE = tuple(sorted({*_CUES, *_ROLES} & set(ATTRIBUTES)))
"""The attributes that a model may propose."""
_MOVED = re.compile(r"\b(?:moved?|moving|relocat\w+|(?:dé|em)ménag\w+|installée?)\b", re.I)
_FIRST = re.compile(
    r"\b(?:i|i'm|i've|my|mine|we|our|je|j'|mon|ma|mes|nous|notre|nos|m'\w+)(?:\b|(?<='))", re.I
)
_SENSITIVE: tuple[tuple[str, str], ...] = (
    ("health", r"diabet\w+|cancer|depress\w+|anxiety|disease|illness|diagnos\w+|surgery|pills?|medication|allerg\w+|hiv|pregnan\w+|therap\w+|dépress\w+|maladie|opér(?:é|ation)\w*|médicament\w*|enceinte|thérapie|allergi\w+|diabète|asthm\w+|migraines?"),
    ("religion", r"catholic|muslim|jewish|buddhist|hindu|atheist|christian|church|mosque|synagogue|catholique|musulmane?|juive?|bouddhiste|athée|chrétien\w*|église|mosquée"),
    ("money", r"salary|earn|debts?|loan|mortgage|bank|income|savings|euros?|dollars?|salaire|gagne|dettes?|prêt|banque|revenus?|épargne|iban"),
    ("politics", r"vote[ds]?|republican|democrat|communist|party member|voté?|gauche|droite|parti"),
    ("intimate", r"gay|lesbian|bisexual|trans|sex\w*|affair|gaie?|lesbienne|bisexuel\w*|amant\w*|sexuel\w*"),
    ("secret", r"password|passwort|pin|passcode|secret|code|mot de passe|confidentiel\w*"),
)  # fmt: skip
_COMPILED = [(kind, re.compile(rf"\b(?:{words})\b", re.I)) for kind, words in _SENSITIVE]


def sensitivity(text: str, name: str) -> str:
    """`normal`, or what it touches that is never stored without a yes."""
    own = attribute(name).sensitivity
    if own != "normal":
        return own
    return next((kind for kind, rule in _COMPILED if rule.search(text)), "normal")


def stated(text: str, about: Who | None = None) -> list[Candidate]:
    """What the rules read in a message by themselves."""
    return [one for one in _said(text, about) if not one.claim.negated]


def denied(text: str, about: Who | None = None) -> list[Candidate]:
    """What holds no longer, by what the rules read in a message."""
    return [one for one in _said(text, about) if one.claim.negated]


def _said(text: str, about: Who | None) -> list[Candidate]:
    return [
        _candidate(claim, segment.text, claims.quote(text, claim.value))
        for segment in claims.read(text, about=about)
        for claim in segment.claims
    ]


def check(text: str, proposed: dict[str, str], about: Who | None = None) -> Candidate | None:
    """A model's proposal for a message of the user; None unless the message itself bears it out."""
    quote, value, name = (_plain(proposed.get(k, "")) for k in ("quote", "value", "attribute"))
    name = name.casefold()
    if not quote or not value or name not in LEARNABLE or len(quote) > claims.READ_CHARS:
        return None
    sentence = claims.stating(text, quote)
    if sentence is None or not _has(quote, value) or not predicates.plausible(name, value):
        return None
    if earnest.denied(claims.clause(sentence, quote, value), disliked=name == "dislikes"):
        return None
    if name not in _ROLES and not re.search(rf"\b(?:{_CUES[name]})\b", sentence, re.I):
        return None
    who = _subject(proposed.get("subject", ""), sentence, about, text)
    if who is None or (name in _ROLES and not _role(name, sentence)):
        return None
    if name == "name" and who.role:
        name, who = who.role, ME  # "my brother is called Marko" says who the brother is
    # "She lives in Nice" stands for nobody once it stands alone.
    alone = claims.alone(sentence, who)
    state = _MOVED.search(sentence) is None
    return _candidate(Claim(who, name, value.strip(" .,!"), state=state), alone, quote)


def _candidate(claim: Claim, text: str, quote: str) -> Candidate:
    kind = attribute(claim.attribute)
    return Candidate(claim, text, quote, sensitivity(text, claim.attribute), kind.importance)


def _subject(said: str, sentence: str, about: Who | None, text: str) -> Who | None:
    """Whom it is about: the user, where the sentence says `I`; else somebody it names."""
    plain = _plain(said).casefold()
    if plain in {
        "user",
        "the user",
        "me",
        "i",
        "myself",
        "moi",
        "je",
        "l'utilisateur",
        "utilisateur",
    }:
        return ME if _FIRST.search(sentence) else None
    who = claims.who(_plain(said))
    if who is None:
        return None
    if who.me:
        return ME if _FIRST.search(sentence) else None
    words = set(words_in(sentence))
    if who.pronoun:
        meant = (
            about is not None
            and plain in words
            and pronouns.may_mean(about.role, about.name, plain, text)
        )
        return about if meant else None
    return who if set(words_in(who.name or who.shown)) <= words else None


def _role(name: str, sentence: str) -> bool:
    return any(KIN.get(word) == name for word in words_in(sentence))


def _has(quote: str, value: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(key(value))}(?!\w)", key(quote)) is not None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", str(text)).replace("’", "'").split())
