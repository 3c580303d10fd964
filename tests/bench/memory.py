"""The memory against its peers and limits: the groups of measurements, in the order they are run."""

from __future__ import annotations

from tests.bench import evidence, ingest, languages, precision, scale, swapping
from tests.bench.engine import Group

GROUPS: dict[str, Group] = {
    "evidence": evidence.measure,
    "languages": languages.measure,
    "precision": precision.measure,
    "scale": scale.measure,
    "ingest": ingest.measure,
    "swap": swapping.measure,
}
