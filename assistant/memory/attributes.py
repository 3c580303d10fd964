"""What a fact can be about: a closed list, and for each whether a new value replaces the old one."""

from __future__ import annotations

import re
import unicodedata

import msgspec

from assistant.memory.kin import KIN, ROLES


class Attribute(msgspec.Struct, frozen=True):
    """One kind of fact."""

    name: str
    single: bool
    """Whether there is one value at a time; else values accumulate."""
    sensitivity: str = "normal"
    """Anything else is never stored without a yes: health, religion, money, politics, intimate, secret."""
    importance: float = 0.6


def _all(single: bool, names: str, sensitivity: str = "normal", importance: float = 0.6) -> list[Attribute]:  # fmt: skip
    return [Attribute(name, single, sensitivity, importance) for name in names.split()]


ATTRIBUTES: dict[str, Attribute] = {
    one.name: one
    for one in (
        *_all(True, "name home", importance=0.9),
        *_all(True, "birthday age origin birthplace phone email address language", importance=0.8),
        *_all(True, "job employer school car timezone size height time_zone partner"),
        *_all(True, "diet status activity", importance=0.8),
        *_all(True, "pregnancy weight blood_type doctor dentist", "health", 0.8),
        *_all(True, "religion", "religion"),
        *_all(True, "salary bank rent insurance", "money"),
        *_all(True, "politics", "politics"),
        *_all(True, "orientation", "intimate"),
        *_all(True, "password pin code", "secret", 0.8),
        *_all(False, "likes dislikes", importance=0.6),
        *_all(False, "speaks hobby pet skill owns goal habit plan event is knows"),
        *_all(False, "allergy condition medication", "health", 0.9),
        *(Attribute(role, role in ROLES, importance=0.8) for role in sorted(set(KIN.values()))),
    )
}

OPPOSITE = {"likes": "dislikes", "dislikes": "likes"}

# "my phone number", "son numéro de téléphone": nouns people say, and what they are about.
NOUNS: dict[str, str] = {
    noun.strip(): attribute
    for attribute, nouns in {
        "allergy": "allergy, allergies, allergie",
        "phone": "phone, phone number, mobile, mobile number, cell number, number, téléphone, "
                 "numéro, numéro de téléphone, portable, nummer, telefonnummer, handynummer, número, "
                 "número de teléfono, teléfono, móvil, numero, numero di telefono, telefone",
        "email": "email, e-mail, email address, e-mail address, mail, adresse mail, adresse e-mail, adresse email",
        "address": "address, postal address, adresse, adresse postale, dirección, indirizzo, endereço",
        "birthday": "birthday, birth date, date of birth, anniversaire, date de naissance, geburtstag, cumpleaños, compleanno",
        "age": "age, âge",
        "name": "name, full name, first name, nom, prénom",
        "home": "home town, hometown, city, town, ville",
        "job": "job, profession, occupation, métier, travail, profession actuelle",
        "employer": "employer, company, employeur, entreprise, boîte",
        "school": "school, university, college, école, université, fac",
        "car": "car, voiture, auto",
        "blood_type": "blood type, blood group, groupe sanguin",
        "size": "shoe size, size, pointure, taille de chaussures",
        "height": "height, taille",
        "weight": "weight, poids",
        "salary": "salary, pay, wage, income, salaire, paie, revenu",
        "rent": "rent, loyer",
        "bank": "bank, banque",
        "religion": "religion, faith, foi",
        "doctor": "doctor, gp, family doctor, médecin, médecin traitant, docteur",
        "dentist": "dentist, dentiste",
        "language": "mother tongue, native language, first language, langue maternelle",
        "diet": "diet, régime",
        "timezone": "time zone, timezone, fuseau horaire",
    }.items()
    for noun in nouns.split(",")
}  # fmt: skip

NEW = frozenset(
    """new current present latest nouveau nouvel nouvelle actuel actuelle neue neuer neues aktuelle aktueller nuevo
    nueva actual nuovo nuova attuale novo nova atual""".split()
)
"""Before a noun, what tells it from the one of before; it is the same kind of fact."""
_NEW = re.compile(
    rf"^(?:brand )?(?:{'|'.join(sorted(NEW))}) (?!year|york|zealand|delhi|jersey|orleans|england|mexico)|"
    r" (?:actuel(?:le)?|actual|attuale|atual)$"
)

FUNCTIONAL = re.compile(
    r"(?:number|password|code|name|size|address|date|birthday|colou?r|type|group|id|pin|plate|"
    r"username|deadline|book|film|movie|song|food|dish|team|sport|band|drink|"
    r"numéro|mot de passe|nom|taille|adresse|couleur|identifiant|plaque|livre|chanson|plat|équipe)$"
)
_SECRET = re.compile(r"\b(?:password|passwd|pin|passcode|mot de passe|code secret|alarm code)\b")

_SAME = {
    "vegetarian": "vegetarian végétarien végétarienne vegetarier vegetarierin vegetariano vegetariana",
    "vegan": "vegan vegane végane végan végétalien végétalienne veganer vegano vegana",
    "pescatarian": "pescatarian pescetarian pescétarien pescétarienne",
    "gluten-free": "gluten-free coeliac celiac cœliaque coeliaque",
    "pregnant": "pregnant enceinte", "unemployed": "unemployed chômage",
    "diabetic": "diabetic diabétique", "asthmatic": "asthmatic asthmatique",
    "married": "married marié mariée", "single": "single célibataire",
    "divorced": "divorced divorcé divorcée", "engaged": "engaged fiancé fiancée",
    "widowed": "widowed veuf veuve", "retired": "retired retraité retraitée retraite",
}  # fmt: skip
_CANON = {form: word for word, forms in _SAME.items() for form in forms.split()} | {
    "gluten free": "gluten-free", "lactose-intolerant": "lactose intolerant",
    "intolérant au lactose": "lactose intolerant", "intolérante au lactose": "lactose intolerant",
}  # fmt: skip
_ARTICLE = re.compile(
    r"^(?:(?:a|an|the|my|our|le|la|les|un|une|des|du|de la|mon|ma|mes|some)\s+|l['’]|d['’])"
)


def attribute(name: str) -> Attribute:
    """The attribute of that name. A free one replaces its value only where its noun says so."""
    known = ATTRIBUTES.get(name)
    if known is not None:
        return known
    words = name.replace("_", " ")
    return Attribute(
        name,
        single=bool(FUNCTIONAL.search(words)),
        sensitivity="secret" if _SECRET.search(words) else "normal",
    )


def of_noun(noun: str) -> str:
    """The attribute that a noun names: of the closed list, or the noun itself."""
    plain = _NEW.sub("", key(noun))
    return NOUNS.get(plain, KIN.get(plain, plain))


def key(value: str) -> str:
    """What two values share that say the same: case, articles, accents' composition and end signs go."""
    text = unicodedata.normalize("NFC", value).casefold().replace("’", "'")
    text = " ".join(text.split()).strip(" .,!?;:\"'«»()")
    text = _ARTICLE.sub("", text)
    return _CANON.get(text, text)
