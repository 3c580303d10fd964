"""Conversations that branch: an answer made again, a question written anew."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

Node = Mapping[str, Any]


class Path(msgspec.Struct, frozen=True):
    """One way through such a conversation."""

    parted: str
    """The node where it leaves those before it; empty for the first."""
    keys: tuple[str, ...]
    shown: bool
    """Whether it has what was shown last."""


def paths(
    nodes: Mapping[str, Node],
    current: str,
    parent: Callable[[Node], str],
    children: Callable[[Node], Sequence[Any]],
    role: Callable[[Node], str],
) -> Iterator[Path]:
    """The way along every node's first child, then a way for each other child, along first ones again.

    So what is shown, or was added since, changes no path that there was, and a path only ever grows.
    A branch begins at the last question it shares, so that nothing is lost and little is twice. Cycles
    and parents that are not there end a path.
    """
    below = _below(nodes, parent, children)
    shown = current if current in nodes else _last_leaf(nodes, below)
    seen: set[str] = set()
    begins = deque([*(key for key, node in nodes.items() if parent(node) not in nodes)])
    begins.extend(nodes)  # a cycle has no root
    todo, left = begins, deque[str]()
    while todo or left:
        start = (left or todo).popleft()
        if start in seen:
            continue
        shared = _shared(start, nodes, seen, parent, role)
        fresh: list[str] = []
        key = start
        while key and key not in seen:
            seen.add(key)
            fresh.append(key)
            key, *others = below.get(key) or [""]
            left.extend(others)
        yield Path(start if len(seen) > len(fresh) else "", (*shared, *fresh), shown in fresh)


def _below(
    nodes: Mapping[str, Node],
    parent: Callable[[Node], str],
    children: Callable[[Node], Sequence[Any]],
) -> dict[str, list[str]]:
    """Each node's children, in the order that it lists them; after these, what names it its parent."""
    listed = {
        key: {one: at for at, one in enumerate(_texts(children(nodes[key])))} for key in nodes
    }
    below: dict[str, list[str]] = {}
    for key, node in nodes.items():
        below.setdefault(parent(node), []).append(key)
    for key, found in below.items():
        order = listed.get(key, {})
        found.sort(key=lambda one: order.get(one, len(order)))
    return below


def _texts(found: Sequence[Any]) -> list[str]:
    return [one for one in found if isinstance(one, str)]


def _shared(
    start: str,
    nodes: Mapping[str, Node],
    seen: set[str],
    parent: Callable[[Node], str],
    role: Callable[[Node], str],
) -> list[str]:
    """What lies before a branch, from the last question on."""
    path: list[str] = []
    met = {start}
    key = parent(nodes[start])
    while key in seen and key not in met:
        path.append(key)
        met.add(key)
        if role(nodes[key]) in ("user", ""):
            break
        key = parent(nodes[key])
    return path[::-1]


def _last_leaf(nodes: Mapping[str, Node], below: Mapping[str, list[str]]) -> str:
    return next((key for key in list(nodes)[::-1] if key not in below), "")
