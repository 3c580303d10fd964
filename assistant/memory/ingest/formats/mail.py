"""E-mail (RFC 5322, MIME): the head in words, then the text. Attachments are named, not read."""

from __future__ import annotations

import contextlib
import email
import email.policy
import re
from collections.abc import Iterator
from datetime import datetime
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime

from assistant.memory.ingest.faults import DAMAGED, EMPTY, Unreadable
from assistant.memory.ingest.formats import html
from assistant.memory.ingest.formats.decode import declared_in, decode, meant
from assistant.memory.ingest.passages import Block, Place, cleaned, paragraphs
from assistant.types import timestamp

_PARTS = 200
_BODY = re.compile(rb"\r?\n\r?\n")
_SHOWN = ("From", "To", "Cc", "Subject", "Date")


def blocks(data: bytes) -> Iterator[Block]:
    """The head with the names of what is attached, then a block a paragraph. Raises Unreadable."""
    message = email.message_from_bytes(_with_plain_head(data), policy=email.policy.default)
    heads = {name: _header(message, name) for name in _SHOWN}
    plain, rich, attached = _parts(message)
    if not any(heads.values()) and not plain and not rich:
        raise Unreadable(DAMAGED if data.strip() else EMPTY)
    moment = _moment(message)
    place = Place(
        message=_header(message, "Message-ID")[:200],
        subject=heads["Subject"][:200],
        sender=_sender(heads["From"])[:200],
    )
    lines = [f"{name}: {value}" for name, value in heads.items() if value]
    if attached:
        lines.append("Attachments: " + ", ".join(attached))
    yield Block("\n".join(lines), place, moment)
    for text in _texts(plain, rich):
        yield Block(text, place, moment)


def _with_plain_head(data: bytes) -> bytes:
    """With a head in UTF-8, which is what the library reads beside ASCII."""
    end = _BODY.search(data)
    head = data[: end.start()] if end else data
    try:
        head.decode()
    except UnicodeDecodeError:
        with contextlib.suppress(Unreadable):
            return decode(head, declared_in(head)).encode() + data[len(head) :]
    return data


def _texts(plain: list[str], rich: list[str]) -> Iterator[str]:
    for text in plain:
        for paragraph, _ in paragraphs(cleaned(text)):
            yield paragraph
    if not plain:
        for text in rich:
            for block in html.text_blocks(text):
                yield block.text


def _parts(message: Message) -> tuple[list[str], list[str], list[str]]:
    """Plain texts, HTML texts, and the names of attachments."""
    plain: list[str] = []
    rich: list[str] = []
    attached: list[str] = []
    todo: list[Message] = [message]
    for _ in range(_PARTS):
        if not todo:
            break
        part = todo.pop(0)
        if part.is_multipart():
            children = part.get_payload()
            todo[:0] = [one for one in children if isinstance(one, Message)]
        elif name := _file_name(part):
            attached.append(name)
        elif part.get_content_type() == "text/plain":
            plain.append(_text(part))
        elif part.get_content_type() == "text/html":
            rich.append(_text(part))
    return [one for one in plain if one.strip()], [one for one in rich if one.strip()], attached


def _file_name(part: Message) -> str:
    try:
        name = part.get_filename() or ""
        attachment = part.get_content_disposition() == "attachment"
    except (ValueError, TypeError, LookupError, AttributeError):
        return "unnamed"
    return " ".join(name.split())[:120] or ("unnamed" if attachment else "")


def _text(part: Message) -> str:
    try:
        data = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        return ""
    if not isinstance(data, bytes):
        return ""
    try:
        return decode(data, part.get_content_charset() or "")
    except Unreadable:
        return ""


def _header(message: Message, name: str) -> str:
    """One line of text; empty where there is none or it cannot be read."""
    try:
        return " ".join(meant(str(message.get(name, ""))).split())[:2_000]
    except Exception:  # noqa: BLE001 - the library's header parser fails in many ways on junk
        return ""


def _sender(value: str) -> str:
    name, address = parseaddr(value)
    return re.sub(r"[\"<>]", "", name).strip() or address or "unknown"


def _moment(message: Message) -> str:
    said = _header(message, "Date")
    try:
        moment = parsedate_to_datetime(said)
        return timestamp(moment) if isinstance(moment, datetime) else ""
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
