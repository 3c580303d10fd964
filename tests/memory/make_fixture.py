"""Makes the fixture of the present schema: `python tests/memory/make_fixture.py`.

Writes m<number>.db and m<number>.key beside this file, once: the fixture of a schema that was
released stays as it is. Every schema needs one (test_migrating.py).
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from assistant.config import Settings, load_paths
from assistant.memory import migrations
from assistant.memory.service import open_memory
from assistant.types import NewMemory, Recalled

HERE = Path(__file__).parent


async def fill(home: Path) -> Path:
    """The same small life as in m001.db, with a summary and something forgotten where the schema has them."""
    paths = load_paths({"NESTOR_HOME": str(home)})
    paths.make()
    service = await open_memory(paths, Settings(embedder="fake", key_store="file"))
    store, chats = service.memories, service.conversations
    sister = await store.add(NewMemory("My sister lives in Lyon", kind="fact"))
    sister = await store.edit(sister.id, text="My sister lives in Porto")
    await store.add_many([NewMemory("I like tea"), NewMemory("The bus was late", thread="t")])
    chat = await chats.create("Where?", "system")
    await chats.start_turn(chat.id, "t_1", "Where does my sister live?", "m")
    recalled = [Recalled(sister.id, sister.text, 1.0, "fact", sister.said_at)]
    turn = await chats.finish_turn(
        "t_1", status="done", reply="In Porto.", context=sister.text, recalled=recalled
    )
    stored = await chats.add_summary(
        chat.id, [turn], after="", text="About a sister.", tokens=4, model="m"
    )
    assert stored
    regretted = await store.add(NewMemory("Never to be seen again"))
    await store.forget(ids=[regretted.id])
    while (await store.count()).pending:
        await asyncio.sleep(0.02)
    await service.close()
    return home


def main() -> None:
    number = max(step.name for step in migrations.steps._migrations)[:4]
    target = HERE / f"{number}.db"
    if target.exists():
        raise SystemExit(f"{target.name} is there already")
    with tempfile.TemporaryDirectory() as folder:
        home = asyncio.run(fill(Path(folder)))
        shutil.copy(home / "data/memory.db", target)
        shutil.copy(home / "config/database.key", HERE / f"{number}.key")


if __name__ == "__main__":
    main()
