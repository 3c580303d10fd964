"""Pure: the text of a vCard file to its cards, each read by itself, whatever is wrong with its neighbours."""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Iterator, Set

import msgspec

from assistant.memory.ingest.faults import Unreadable
from assistant.memory.ingest.formats.decode import decode
from assistant.memory.ingest.passages import cleaned

_EDGE = re.compile(r"(BEGIN|END)\s*:\s*([\w-]+)\s*", re.IGNORECASE)
_LINE = re.compile(r'(?:[\w-]+\.)?([\w-]+)((?:;(?:"[^"]*"|[^":;])*)*):(.*)', re.DOTALL)
_PARAM = re.compile(r';((?:"[^"]*"|[^";])*)')
_AGENT = re.compile(r"(?:[\w-]+\.)?AGENT[^:]*:\s*", re.IGNORECASE)
_FIELD = re.compile(r"(?:^|(?<=;))((?:[^\\;]|\\.|\\$)*)(?:;|$)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CODES = frozenset({"QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT"})
"""What version 2.1 may name without saying `ENCODING=`."""


class Line(msgspec.Struct, frozen=True):
    """A property: its name in capitals, its value decoded, and what was said about it."""

    name: str
    value: str
    kinds: tuple[str, ...] = ()

    def parts(self) -> list[str]:
        """Of a structured value, without escapes."""
        return [plain(part) for part in _FIELD.findall(self.value)]


class Card(msgspec.Struct, frozen=True):
    """What could be read of a card."""

    lines: tuple[Line, ...]
    whole: bool
    """Nothing that was asked for is missing."""


def cards(text: str, wanted: Set[str]) -> Iterator[Card]:
    """Every card with the properties of these names, in order."""
    held: list[str] | None = None
    nested = ""
    for line in _unfolded(text):
        kind, what = _edge(line)
        begins = (kind, what) == ("BEGIN", "VCARD")
        if held is None:
            held = [] if begins else None
        elif begins and not (held and _AGENT.fullmatch(held[-1])):
            yield _card(held, wanted, whole=False)
            held, nested = [], ""
        elif kind == "BEGIN":
            nested = what
        elif kind == "END" and what == nested:
            nested = ""
        elif kind == "END" and what == "VCARD":
            yield _card(held, wanted, whole=True)
            held, nested = None, ""
        elif not kind and not nested:
            held.append(line)
    if held is not None:  # cut off: nobody knows whether its last line is whole
        yield _card(held[:-1], wanted, whole=False)


def plain(text: str) -> str:
    """Without escapes."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], text)


def _unfolded(text: str) -> Iterator[str]:
    """Lines as they were before they were broken: by a blank at the next, or `=` in quoted-printable."""
    held: list[str] = []
    quoted = False
    for line in text.split("\n"):
        if held and quoted and held[-1].endswith("=") and not _EDGE.fullmatch(line):
            held[-1] = held[-1][:-1]
            held.append(line.rstrip())
        elif held and line[:1] in (" ", "\t"):
            held.append(line[1:])
        else:
            yield "".join(held)
            held, quoted = [line], "quoted-printable" in line.lower()
    yield "".join(held)


def _edge(line: str) -> tuple[str, str]:
    found = _EDGE.fullmatch(line)
    return (found[1].upper(), found[2].upper()) if found else ("", "")


def _card(held: list[str], wanted: Set[str], *, whole: bool) -> Card:
    lines: list[Line] = []
    passed = False
    """The line before was of no interest; pictures go on below without being marked."""
    for text in held:
        found = _LINE.fullmatch(text)
        name = found[1].upper() if found else ""
        if found and name in wanted:
            line = _line(name, found[2], found[3])
            lines += [line] if line else []
            whole = whole and line is not None
        elif not found and text.strip() and not passed:
            whole = False
        passed = name not in wanted if found else passed
    return Card(tuple(lines), whole)


def _line(name: str, raw: str, value: str) -> Line | None:
    """None: its value cannot be read."""
    named: dict[str, list[str]] = {}
    for param in _PARAM.findall(raw):
        key, equals, said = param.partition("=")
        key = key.strip().upper()
        if not equals:
            key, said = ("ENCODING" if key in _CODES else "TYPE"), key
        named.setdefault(key, []).extend(said.replace('"', "").split(","))
    text = _decoded(value, named)
    if text is None:
        return None
    if "X-APPLE-OMIT-YEAR" in named:
        text = "--" + text[4:].lstrip("-")
    kinds = tuple(one.strip().lower() for one in named.get("TYPE", []) if one.strip())
    return Line(name, cleaned(text), kinds)


def _decoded(value: str, named: dict[str, list[str]]) -> str | None:
    coding = named.get("ENCODING", [""])[0].strip().upper()
    try:
        if coding in ("QUOTED-PRINTABLE", "Q"):
            data = quopri.decodestring(value.encode())
        elif coding in ("BASE64", "B"):
            data = binascii.a2b_base64(value)
        else:
            return value
        return decode(data, named.get("CHARSET", [""])[0].strip())
    except (binascii.Error, ValueError, Unreadable):
        return None
