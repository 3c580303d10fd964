"""Conversations that branch: an answer made again, a question written anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]


def paths(
    nodes: Mapping[str, Node],
    current: str,
    parent: Callable[[Node], str],
    role: Callable[[Node], str],
) -> Iterator[tuple[str, list[str]]]:
    """The path of the leaf shown last, from the root; then those of the other branches.

    Each comes with the node where it leaves those before it, empty for the first. A branch begins at
    the last question it shares, so that nothing is lost and little is twice. Cycles and parents that
    are not there end a path.
    """
    seen: set[str] = set()
    for leaf in _leaves(nodes, current, parent):
        path: list[str] = []
        met: set[str] = set()
        key = leaf
        while key in nodes and key not in met:
            path.append(key)
            met.add(key)
            if key in seen and role(nodes[key]) in ("user", ""):
                break
            key = parent(nodes[key])
        if fresh := [key for key in path[::-1] if key not in seen]:
            yield fresh[0] if seen else "", path[::-1]
            seen |= met


def _leaves(
    nodes: Mapping[str, Node], current: str, parent: Callable[[Node], str]
) -> Iterator[str]:
    inner = {parent(node) for node in nodes.values()}
    leaves = [key for key in nodes if key not in inner]
    if current in nodes:
        yield current
    yield from (leaves if current in nodes else leaves[::-1])
    yield from nodes  # a cycle has no leaf
