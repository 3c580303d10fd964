"""Runs inside a peer's own environment: `python store_peer.py PEER FOLDER`. Needs numpy and that peer alone.

The folder has texts.json, texts.npy, questions.json, questions.npy (vectors made outside) and plan.json:
`{"batch": rows at a time, "k": …, "bytes": false}`. Writes result.json: ids found for each question
(places in texts.json), seconds to ingest, milliseconds a question.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


class Chromadb:
    """As it comes, cosine."""

    def __init__(self, folder: Path, _texts: Any, _vectors: Any) -> None:
        import chromadb

        settings = chromadb.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(str(folder), settings)
        self._rows = client.create_collection("rows", metadata={"hnsw:space": "cosine"})

    def add(self, first: int, texts: list[str], vectors: Any) -> None:
        ids = [str(first + n) for n in range(len(texts))]
        self._rows.add(ids=ids, embeddings=vectors, documents=texts)

    def search(self, _text: str, vector: Any, k: int) -> list[int]:
        found = self._rows.query(query_embeddings=[vector], n_results=k)
        return [int(one) for one in found["ids"][0]]


class Lancedb:
    """As it comes, without an index: exact."""

    def __init__(self, folder: Path, _texts: Any, vectors: Any) -> None:
        import lancedb
        import pyarrow as pa

        self._pa = pa
        self._schema = pa.schema([
            ("id", pa.int64()), ("text", pa.string()),
            ("vector", pa.list_(pa.float32(), vectors.shape[1])),
        ])  # fmt: skip
        self._rows = lancedb.connect(folder).create_table("rows", schema=self._schema)

    def add(self, first: int, texts: list[str], vectors: Any) -> None:
        flat = self._pa.array(vectors.ravel(), self._pa.float32())
        columns = [
            self._pa.array(range(first, first + len(texts)), self._pa.int64()),
            self._pa.array(texts),
            self._pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        ]
        self._rows.add(self._pa.Table.from_arrays(columns, schema=self._schema))

    def search(self, _text: str, vector: Any, k: int) -> list[int]:
        found = self._rows.search(vector).distance_type("cosine").limit(k).select(["id"]).to_list()
        return [row["id"] for row in found]


class Txtai:
    """Its hybrid of words and vectors, content kept."""

    def __init__(self, _folder: Path, _texts: Any, _vectors: Any) -> None:
        from txtai import Embeddings

        self._known: dict[str, Any] = {}

        def transform(texts: list[Any]) -> Any:
            return np.stack([self._known[str(text)] for text in texts])

        self._rows = Embeddings(
            {"method": "external", "transform": transform, "content": True, "hybrid": True}
        )
        self._begun = False

    def add(self, first: int, texts: list[str], vectors: Any) -> None:
        self._known.update(zip(texts, vectors))
        rows = [(first + n, text, None) for n, text in enumerate(texts)]
        (self._rows.upsert if self._begun else self._rows.index)(rows)
        self._begun = True

    def search(self, text: str, vector: Any, k: int) -> list[int]:
        self._known[text] = vector
        return [int(row["id"]) for row in self._rows.search(text, k)]


class Mem0:
    """`infer=False`, its local Qdrant; a batch is one call with many messages."""

    def __init__(self, folder: Path, _texts: Any, vectors: Any) -> None:
        os.environ.update(MEM0_TELEMETRY="False", OPENAI_API_KEY="none", MEM0_DIR=str(folder / "m"))
        from mem0 import Memory

        store = {
            "path": str(folder / "q"),
            "embedding_model_dims": vectors.shape[1],
            "on_disk": True,
        }
        self._rows = Memory.from_config(
            {
                "vector_store": {"provider": "qdrant", "config": store},
                "history_db_path": str(folder / "history.db"),
            }
        )
        self._known: dict[str, Any] = {}
        self._rows.embedding_model = self
        self._places: dict[str, int] = {}

    def embed(self, text: str, *_: Any, **__: Any) -> list[float]:
        return list(map(float, self._known[text]))

    def embed_batch(self, texts: list[str], *_: Any, **__: Any) -> list[list[float]]:
        return [self.embed(text) for text in texts]

    def add(self, first: int, texts: list[str], vectors: Any) -> None:
        self._known.update(zip(texts, vectors))
        for n, text in enumerate(texts):
            self._places.setdefault(text, first + n)
        messages = [{"role": "user", "content": text} for text in texts]
        self._rows.add(messages, user_id="u", infer=False)

    def search(self, text: str, vector: Any, k: int) -> list[int]:
        self._known[text] = vector
        found = self._rows.search(text, filters={"user_id": "u"}, top_k=k)["results"]
        return [self._places[row["memory"]] for row in found]


class Llm:
    """A collection of the `llm` tool: vectors and texts in SQLite, a search over all of them in Python."""

    def __init__(self, folder: Path, _texts: Any, _vectors: Any) -> None:
        import llm
        from sqlite_utils import Database

        known: dict[str, Any] = {}

        class Given(llm.EmbeddingModel):
            model_id = "given"

            def embed_batch(self, items: Any, **_: Any) -> Any:
                return (known[item].tolist() for item in items)

        folder.mkdir(parents=True)
        self._known = known
        self._rows = llm.Collection("rows", Database(folder / "rows.db"), model=Given())

    def add(self, first: int, texts: list[str], vectors: Any) -> None:
        self._known.update(zip(texts, vectors))
        rows = [(str(first + n), text) for n, text in enumerate(texts)]
        self._rows.embed_multi(rows, store=True, batch_size=len(rows))

    def search(self, _text: str, vector: Any, k: int) -> list[int]:
        return [int(one.id) for one in self._rows.similar_by_vector(vector.tolist(), k)]


PEERS = {"chromadb": Chromadb, "lancedb": Lancedb, "txtai": Txtai, "mem0": Mem0, "llm": Llm}


def main(name: str, folder: Path) -> None:
    """Ingest, ask, write what came out."""
    plan, texts, questions = (
        json.loads((folder / f"{part}.json").read_text("utf-8"))
        for part in ("plan", "texts", "questions")
    )
    rows, asked = np.load(folder / "texts.npy"), np.load(folder / "questions.npy")
    peer = PEERS[name](folder / name, texts, rows)
    begun = time.perf_counter()
    for start in range(0, len(texts), plan["batch"]):
        end = start + plan["batch"]
        peer.add(start, texts[start:end], rows[start:end])
    ingest = time.perf_counter() - begun
    found, spent = [], []
    for text, vector in zip(questions, asked):
        begun = time.perf_counter()
        found.append(peer.search(text, vector, plan["k"]))
        spent.append(1000 * (time.perf_counter() - begun))
    result = {"ingest_s": ingest, "found": found, "ms": spent}
    (folder / "result.json").write_text(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)  # some keep threads of their own alive


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
