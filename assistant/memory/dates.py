"""Names of months, days, seasons, lengths and numbers in English, French, German and Spanish.

In lower case and without accents, as `plain` makes a text.
"""

from __future__ import annotations

import unicodedata
from typing import Final


def plain(text: str) -> str:
    """In lower case, without accents, with the plain apostrophe."""
    apart = unicodedata.normalize("NFD", text.lower().replace("’", "'"))  # noqa: RUF001
    return "".join(one for one in apart if not unicodedata.combining(one))


def _numbered(lines: tuple[str, ...], first: int) -> dict[str, int]:
    return {name: number for number, names in enumerate(lines, first) for name in names.split()}


MONTHS: Final = _numbered(
    (
        "january jan janvier januar enero", "february feb fevrier februar febrero",
        "march mar mars marz marzo", "april apr avril abril", "may mai mayo", "june jun juin juni junio",
        "july jul juillet juli julio", "august aug aout agosto",
        "september sep sept septembre septiembre", "october oct octobre oktober octubre",
        "november nov novembre noviembre", "december dec decembre dezember diciembre",
    ),
    1,
)  # fmt: skip
DAYS: Final = _numbered(
    (
        "monday lundi montag lunes", "tuesday mardi dienstag martes",
        "wednesday mercredi mittwoch miercoles", "thursday jeudi donnerstag jueves",
        "friday vendredi freitag viernes", "saturday samedi samstag sonnabend sabado",
        "sunday dimanche sonntag domingo",
    ),
    0,
)  # fmt: skip
SEASONS: Final = {
    name: first
    for first, names in {
        3: "spring printemps fruhling fruhjahr primavera", 6: "summer ete sommer verano",
        9: "autumn fall automne herbst otono", 12: "winter hiver invierno",
    }.items()
    for name in names.split()
}  # fmt: skip
HOLIDAYS: Final = {
    name: when
    for when, names in {
        (12, 24, 3): "christmas|xmas|noel|weihnachten|navidad|navidades",
        (
            12,
            31,
            2,
        ): "new year's eve|new year's|new year|nouvel an|reveillon|silvester|neujahr|nochevieja|ano nuevo",
    }.items()
    for name in names.split("|")
}
"""Month, day, and how many days."""

UNITS: Final = (
    (("day", "jour", "tag", "dia"), 1),
    (("week", "semaine", "woche", "semana"), 7),
    (("fortnight",), 14),
    (("month", "mois", "monat", "mes"), 30),
    (("year", "an", "jahr"), 365),
)
"""What a unit begins with, and its days."""
UNIT: Final = (
    r"(days?|weeks?|fortnights?|months?|years?|jours?|semaines?|mois|annees?|ans?|tage?n?|wochen?|"
    r"monate?n?|jahre?n?|dias?|semanas?|mes(?:es)?|anos?)"
)
NUMBERS: Final[dict[str, float]] = {
    name: number
    for number, names in {
        0.5: "half a|half an|une demi|einem halben|ein halbes|medio|media",
        1: "a|an|one|un|une|ein|eine|einem|einer|uno|una", 2: "two|deux|zwei|dos",
        3: "three|trois|drei|tres", 4: "four|quatre|vier|cuatro", 5: "five|cinq|funf|cinco",
        6: "six|sechs|seis", 7: "seven|sept|sieben|siete", 8: "eight|huit|acht|ocho",
        9: "nine|neuf|neun|nueve", 10: "ten|dix|zehn|diez", 15: "quinze|quince",
    }.items()
    for name in names.split("|")
}  # fmt: skip
VAGUE: Final = {
    "a couple of": 2, "couple of": 2, "un par de": 2, "a few": 3, "few": 3, "some": 3, "quelques": 3,
    "ein paar": 3, "einigen": 3, "unos": 3, "unas": 3, "algunos": 3, "algunas": 3, "several": 4,
    "plusieurs": 4, "mehreren": 4, "varios": 4, "varias": 4,
}  # fmt: skip
"""Of which nobody says how many exactly."""
NUMBER: Final = r"(\d{1,3}|" + "|".join(sorted((*NUMBERS, *VAGUE), key=len, reverse=True)) + ")"

NAMES: Final = frozenset(
    (*MONTHS, *DAYS, "février", "août", "décembre", "märz", "miércoles", "sábado")
)
"""Of months and days, as they are written in lower case."""


def days_of(unit: str) -> int:
    """How many days a word that UNIT finds stands for."""
    # "semana" begins as "semaine" does not, and "an" as "anos": the first that fits is right.
    return next(days for begins, days in UNITS if unit.startswith(begins))


def number_of(words: str) -> float:
    """What words that NUMBER finds stand for."""
    return float(words) if words.isdigit() else NUMBERS.get(words) or float(VAGUE[words])
