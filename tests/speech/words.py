"""How well a text was understood: words compared as they are spoken, not as they are written."""

from __future__ import annotations

import re

_NUMBERS = {
    "0": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six",
    "7": "seven", "8": "eight", "9": "nine", "10": "ten", "12": "twelve", "20": "twenty",
    "30": "thirty", "25": "twenty five", "45": "forty five",
}  # fmt: skip
_NOMBRES = {
    "1": "un", "2": "deux", "3": "trois", "4": "quatre", "5": "cinq", "6": "six", "7": "sept",
    "8": "huit", "9": "neuf", "10": "dix", "12": "douze", "20": "vingt", "30": "trente",
}  # fmt: skip


def words(text: str, language: str = "en") -> list[str]:
    """Lower case, without punctuation, numbers spelled out."""
    numbers = _NOMBRES if language == "fr" else _NUMBERS
    text = re.sub(r"(\d)\s?[:h]\s?00\b", r"\1", text.lower())
    found = re.findall(r"\d+|[^\W\d_]+", text.replace("’", "'"))
    return [word for one in found for word in numbers.get(one, one).split()]


def errors(said: str, heard: str, language: str = "en") -> tuple[int, int]:
    """Word errors (Levenshtein), and words that were said."""
    a, b = words(said, language), words(heard, language)
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1], len(a)


def wer(said: str, heard: str, language: str = "en") -> float:
    """Word error rate."""
    wrong, all_ = errors(said, heard, language)
    return wrong / all_
