"""Words for people by what they are to somebody, in six languages, and the roles they name."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_WORDS: dict[str, str] = {
    "sister": "sister, sœur, soeur, frangine, schwester, hermana, sorella, irmã",
    "brother": "brother, frère, frangin, bruder, hermano, fratello, irmão",
    "mother": "mother, mom, mum, mama, mère, maman, mutter, madre, mamá, mamma, mãe",
    "father": "father, dad, daddy, papa, père, vater, padre, papá, papà, pai",
    "wife": "wife, femme, épouse, ehefrau, frau, esposa, mujer, moglie, mulher",
    "husband": "husband, mari, époux, ehemann, mann, esposo, marido, marito",
    "partner": "partner, girlfriend, boyfriend, compagnon, compagne, copain, copine, freund, "
               "freundin, novio, novia, pareja, fidanzato, fidanzata, namorado, namorada",
    "daughter": "daughter, fille, tochter, hija, figlia, filha",
    "son": "son, fils, sohn, hijo, figlio, filho",
    "child": "child, kid, enfant, kind, niño, niña, bambino, bambina, criança",
    "grandmother": "grandmother, grandma, granny, nana, grand-mère, mamie, mémé, großmutter, oma, "
                   "abuela, nonna, avó",
    "grandfather": "grandfather, grandpa, grand-père, papi, papy, pépé, großvater, opa, abuelo, "
                   "nonno, avô",
    "aunt": "aunt, auntie, tante, tata, tía, zia, tia",
    "uncle": "uncle, oncle, tonton, onkel, tío, zio, tio",
    "cousin": "cousin, cousine, primo, prima, cugino, cugina",
    "niece": "niece, nièce, nichte, sobrina, nipote, sobrinha",
    "nephew": "nephew, neveu, neffe, sobrino, sobrinho",
    "friend": "friend, best friend, ami, amie, amigo, amiga, amico, amica",
    "boss": "boss, manager, patron, patronne, chef, cheffe, chefin, jefe, jefa, capo, chefe",
    "colleague": "colleague, coworker, co-worker, collègue, kollege, kollegin, compañero, colega",
    "neighbour": "neighbour, neighbor, voisin, voisine, nachbar, nachbarin, vecino, vecina, vicino, vizinho",
    "landlord": "landlord, landlady, propriétaire, vermieter, vermieterin, casero, padrone, senhorio",
    "doctor": "doctor, gp, physician, médecin, docteur, arzt, ärztin, hausarzt, médico, medico",
    "dentist": "dentist, dentiste, zahnarzt, zahnärztin, dentista",
    "teacher": "teacher, prof, professeur, lehrer, lehrerin, profesor, profesora, professore",
    "dog": "dog, chien, chienne, hund, perro, cane, cão, cachorro",
    "cat": "cat, chat, chatte, katze, kater, gato, gatto",
    "roommate": "roommate, flatmate, colocataire, coloc, mitbewohner, mitbewohnerin",
}  # fmt: skip

KIN: dict[str, str] = {
    unicodedata.normalize("NFC", word.strip()): role
    for role, words in _WORDS.items()
    for word in words.split(",")
}
"""A word in lower case, and the role it names."""

ROLES = frozenset({"mother", "father", "wife", "husband", "partner", "boss", "landlord", "doctor", "dentist"})  # fmt: skip
"""Roles that one person has at a time."""

POSSESSIVES: dict[str, str] = {
    word: language
    for language, words in {
        "en": "my our",
        "fr": "mon ma mes notre nos",
        "de": "mein meine meinen meinem meiner unser unsere",
        "es": "mi mis nuestra nuestro",
        "it": "mio mia miei mie nostro nostra",
        "pt": "meu minha meus minhas nosso nossa",
    }.items()
    for word in words.split()
}
"""What stands before such a word when it is the speaker's own."""


def roles(words: Sequence[str]) -> dict[int, str]:
    """The roles that words, in lower case, name, by where each begins; a part of a longer word is none."""
    found: dict[int, str] = {}
    at = 0
    while at < len(words):
        pair = words[at : at + 2]
        both = KIN.get(" ".join(pair)) or KIN.get("-".join(pair))
        role = both or KIN.get(words[at])
        if role and list(words[at + 1 : at + 3]) != ["in", "law"]:
            found[at] = role
        at += 2 if both else 1
    return found
