"""Damaged, hostile and endless files cost themselves; the rest is read, and the daemon's side lives."""

from __future__ import annotations

import asyncio
import os
import random
import signal

import pytest
from memory.ingest import made
from memory.ingest.waiting import added, texts, until

from assistant.memory.ingest.documents import Document
from assistant.memory.ingest.reader import Reader
from assistant.worker.supervisor import Timing

GOOD = Document("text", b"a good wombat")


async def outcomes(reader, documents):
    """(texts, problem) of each document."""
    found = [([], "") for _ in documents]
    async for at, part in reader.read(documents):
        said, problem = found[at]
        found[at] = (said + [p.text for p in part.passages], part.problem or problem)
    return found


@pytest.fixture
async def reader():
    one = Reader(seconds=20)
    yield one
    await one.close()


@pytest.mark.parametrize(
    ("known", "data", "reason"),
    [
        ("docx", made.zip_bomb(), "memory"),
        ("docx", made.entity_bomb(), ""),
        ("docx", b"PK\x03\x04 junk", "damaged"),
        ("docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 encrypted", "password"),
        ("pdf", b"%PDF-1.7 junk", "damaged"),
        ("pdf", made.pdf("x")[:200], "damaged"),
        ("html", b"<div>" * 200_000 + b"deep", None),
        ("html", b"<" * 100_000, None),
        ("mail", made.nested_mail(), None),
        ("mail", b"\xff" * 1000, None),
        ("calendar", b"BEGIN:VCALENDAR\n" * 5000, ""),
        ("calendar", b"junk", ""),
        ("contacts", b"BEGIN:VCARD\nN:x", ""),
        ("contacts", b"junk", ""),
        ("text", b"MZ\0\0binary", "not a text file"),
        ("text", b"  \n \n", "no text"),
        ("code", b"x" * 3_000_000, None),
        ("markdown", b"> " * 50_000 + b"x", None),
        ("markdown", b"[" * 50_000, None),
    ],
)
async def test_a_hostile_file_costs_itself(reader, known, data, reason):
    bad, good = await outcomes(reader, [Document(known, data), GOOD])
    assert good == (["a good wombat"], "")
    if reason is not None:
        assert bad[1]
        assert reason in bad[1]
        assert bad[0] == []
    assert not any("root:" in text for text in bad[0])


async def test_mutated_files_never_take_the_process_along(reader):
    chance = random.Random(7)
    whole = [
        ("pdf", made.pdf("one", "two")), ("docx", made.word((1, "A"), (0, "b"))),
        ("mail", made.letter(1, "a@localhost", "s", "body")), ("calendar", made.CALENDAR),
        ("contacts", made.CONTACTS), ("html", b"<h1>a</h1><table><tr><td>b</table>" * 9),
    ]  # fmt: skip
    documents = []
    for known, data in whole:
        for _ in range(30):
            bad = bytearray(data)
            for _ in range(chance.randint(1, 12)):
                bad[chance.randrange(len(bad))] = chance.randrange(256)
            documents.append(Document(known, bytes(bad[: chance.randint(len(bad) // 2, len(bad))])))
    found = await outcomes(reader, [*documents, GOOD])
    assert found[-1] == (["a good wombat"], "")
    assert all(said or problem for said, problem in found)


async def test_a_reader_that_hangs_is_ended(monkeypatch):
    reader = Reader(seconds=0.6, timing=Timing(stop=0.3, backoff=0.05, backoff_most=0.1))
    try:
        await outcomes(reader, [GOOD])
        hang = asyncio.create_task(outcomes(reader, [Document("text", b"x\n\n" * 9_000_000), GOOD]))
        await asyncio.sleep(0.2)
        os.kill(reader.status().pid, signal.SIGSTOP)
        slow, good = await hang
        assert "too long" in slow[1]
        assert good == (["a good wombat"], "")
    finally:
        await reader.close()


async def test_a_reader_that_dies_is_asked_once_more_then_the_file_is_given_up():
    reader = Reader(timing=Timing(stop=0.3, backoff=0.05, backoff_most=0.1))
    try:
        await outcomes(reader, [GOOD])
        big = Document("text", b"word \n\n" * 2_000_000)
        reading = asyncio.create_task(outcomes(reader, [big, GOOD]))
        killed = set()
        while len(killed) < 2 and not reading.done():
            pid = reader.status().pid
            if pid and pid not in killed and reader.status().state == "running":
                await asyncio.sleep(0.05)
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.01)
        dead, good = await reading
        assert "died" in dead[1]
        assert good == (["a good wombat"], "")
        assert reader.status().crashes == 2
    finally:
        await reader.close()


async def test_bad_files_are_listed_with_reasons_and_good_ones_are_there(following, folder):
    root = folder({
        "good.txt": "a good wombat", "bomb.docx": made.zip_bomb(), "broken.pdf": b"%PDF-1.7 junk",
        "empty.md": "", "noise.txt": os.urandom(2000) + b"\0",
        "key.txt": "-----BEGIN RSA PRIVATE KEY-----\nabc",
    })  # fmt: skip
    async with following() as service:
        source = await added(service, root)
        assert (source.files, source.failed, source.job.errors) == (1, 5, 5)
        files, _ = await service.sources.files(source.id, state="failed")
        reasons = {file.path: file.problem for file in files}
        assert set(reasons) == {"bomb.docx", "broken.pdf", "empty.md", "noise.txt", "key.txt"}
        assert "private key" in reasons["key.txt"]
        assert all(reasons.values())
        # What failed is not tried again, until its bytes change.
        starts = service.sources.reader.status().starts
        (root / "broken.pdf").write_bytes(made.pdf("a repaired quokka"))

        async def repaired():
            return "a repaired quokka" in await texts(service)

        await until(repaired)
        assert service.sources.reader.status().starts == starts
        assert (await service.sources.get(source.id)).failed == 4
        # A file that becomes unreadable takes its old text along: that is not in it any more.
        (root / "good.txt").write_bytes(b"\0\1\2")

        async def dropped():
            return await texts(service) == ["a repaired quokka"]

        await until(dropped)


async def test_what_is_damaged_in_part_is_there_in_part_and_says_so(following, folder):
    root = folder({
        "people.vcf": made.CONTACTS + b"BEGIN:VCARD\r\nFN:Half\r\nTEL:+33",
        "days.ics": made.CALENDAR.replace(b"END:VTODO\r\n", b""),
        "mail.mbox": made.mbox(made.letter(1, "a@localhost", "one", "Hello.\n\nFrom here we go to Porto.")),
    })  # fmt: skip
    async with following() as service:
        source = await added(service, root)
        assert (source.files, source.failed) == (3, 0)
        files, _ = await service.sources.files(source.id)
        assert {file.path: file.problem for file in files} == {
            "people.vcf": "1 of its cards could not be read whole.",
            "days.ics": "1 of its entries could not be read whole.",
            "mail.mbox": "",
        }
        said = await texts(service)
        for text in ("Contact: Half", "Renew the passport", "From here we go to Porto."):
            assert any(text in one for one in said), text


async def test_what_is_passed_over_is_counted(following, folder, tmp_path):
    outside = folder({"outside.txt": "outside wombat"}, "Outside")
    root = folder({
        "a.txt": "alpha", ".env": "KEY=1", "id_rsa": "x", "server.pem": "x", ".hidden.md": "hidden",
        ".ssh/notes.txt": "x", "node_modules/x.js": "x", "image.png": b"x", "build/out.txt": "x",
        "drafts/b.md": "x", "keep/c.txt": "gamma", ".gitignore": "build/\n*.tmp.txt\n", "d.tmp.txt": "x",
        "sub/.nestorignore": "secret*\n!secret-not.txt", "sub/secretive.txt": "x",
        "sub/secret-not.txt": "delta",
    })  # fmt: skip
    (root / "loop").symlink_to(root)
    (root / "way-out").symlink_to(outside)
    (root / "out.txt").symlink_to(outside / "outside.txt")
    os.mkfifo(root / "pipe.txt")
    big = root / "big.txt"
    with big.open("wb") as file:
        file.truncate(64 << 20)
    async with following() as service:
        source = await added(service, root, ignore=["drafts/"])
        assert sorted(await texts(service)) == ["alpha", "delta", "gamma"]
        assert source.skipped == {
            "keys and passwords": 4, "hidden": 3, "made by programs": 1, "format not read": 1,
            "ignored": 4, "links": 3, "no plain files": 1, "too large": 1,
        }  # fmt: skip


async def test_a_folder_that_becomes_a_link_is_not_followed(tmp_path, folder):
    from assistant.memory.ingest.faults import Unreadable
    from assistant.memory.ingest.opening import open_below

    outside = folder({"f.txt": "outside"}, "Outside")
    root = folder({"sub/f.txt": "inside", "g.txt": "inside"})
    with open_below(root, "sub/f.txt") as file:
        assert file.read() == b"inside"
    (root / "sub/f.txt").unlink()
    (root / "sub").rmdir()
    (root / "sub").symlink_to(outside)
    (root / "g.txt").unlink()
    (root / "g.txt").symlink_to(outside / "f.txt")
    for path in ("sub/f.txt", "g.txt", "../Outside/f.txt", "./../Outside/f.txt", "/etc/passwd"):
        with pytest.raises(Unreadable):
            open_below(root, path)
