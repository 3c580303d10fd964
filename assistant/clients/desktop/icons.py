"""The icon in each of its states, drawn here: no font, no theme, no file that a panel cannot see.

A light letter on a dark tile with a light edge, so that it stands out on light and on dark panels. States
differ by shape as well as by colour.
"""

from __future__ import annotations

import functools
import math
import struct
import zlib
from collections.abc import Callable, Sequence

from assistant.clients.desktop.status import Shown

SIZES = (16, 22, 32, 48)
"""Pixels a side: what panels ask for. They take the next larger one and shrink it."""

Point = tuple[float, float]
Colour = tuple[int, int, int]
Distance = Callable[[float, float], float]
"""From a point to a shape's edge, in the picture's units (0 to 1); negative inside."""

TILE: Colour = (0x1F, 0x5F, 0x5B)
CREAM: Colour = (0xFD, 0xF8, 0xEE)
AMBER: Colour = (0xF2, 0xB4, 0x5A)
GREY: Colour = (0x4A, 0x50, 0x56)
_EDGE = 0.05
# The letter of clients/web/icon.svg, there in 512ths.
_LETTER = tuple(
    (x / 512, y / 512)
    for x, y in ((150, 366), (150, 158), (194, 158), (312, 296), (312, 158), (362, 158), (362, 366),
                 (318, 366), (200, 228), (200, 366))
)  # fmt: skip
_BADGE = (0.70, 0.70)
_BADGE_R = 0.27
_COLOURS: dict[Shown, Colour] = {
    "recording": (0xD6, 0x2B, 0x2B),
    "sharing": (0x7A, 0x3F, 0xC8),
    "listening": (0x1E, 0x8E, 0x3E),
    "waiting": CREAM,
    "error": (0xE0, 0x8A, 0x00),
    "thinking": (0x1D, 0x5F, 0xA8),
}


def png(shown: Shown, size: int) -> bytes:
    """As a PNG file."""
    pixels = rgba(shown, size)
    rows = b"".join(b"\0" + pixels[at : at + 4 * size] for at in range(0, len(pixels), 4 * size))
    head = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def argb(shown: Shown, size: int) -> bytes:
    """As StatusNotifierItem wants it: ARGB in network byte order."""
    pixels = bytearray(rgba(shown, size))
    red, green, blue, alpha = (bytes(pixels[i::4]) for i in range(4))
    pixels[0::4], pixels[1::4], pixels[2::4], pixels[3::4] = alpha, red, green, blue
    return bytes(pixels)


@functools.cache
def rgba(shown: Shown, size: int) -> bytes:
    """Rows from the top, four bytes a pixel, alpha not multiplied in."""
    layers = _layers(shown)
    out = bytearray()
    for row in range(size):
        for column in range(size):
            out += _pixel(layers, (column + 0.5) / size, (row + 0.5) / size, size)
    return bytes(out)


Layer = tuple[Distance, Colour | None]
"""A shape and its colour; None cuts it out of what lies below."""


def _pixel(layers: Sequence[Layer], x: float, y: float, size: int) -> bytes:
    red = green = blue = alpha = 0.0  # colours times alpha
    for distance, colour in layers:
        cover = min(1.0, max(0.0, 0.5 - distance(x, y) * size))
        if cover == 0.0:
            continue
        rest = 1.0 - cover
        one = colour or (0, 0, 0)
        solid = cover if colour else 0.0
        red, green, blue = (
            c * rest + o * solid for c, o in zip((red, green, blue), one, strict=True)
        )
        alpha = alpha * rest + solid
    if alpha == 0.0:
        return b"\0\0\0\0"
    return bytes(
        (round(red / alpha), round(green / alpha), round(blue / alpha), round(alpha * 255))
    )


def _layers(shown: Shown) -> list[Layer]:
    tile = GREY if shown == "offline" else TILE
    layers: list[Layer] = [
        (_box(0.5, 0.5, 0.49, 0.49, 0.22), CREAM),
        (_box(0.5, 0.5, 0.49 - _EDGE, 0.49 - _EDGE, 0.22 - _EDGE), tile),
        (_polygon(_LETTER), CREAM),
    ]
    if shown == "idle":
        layers.append((_disc(0.75, 0.29, 0.06), AMBER))
    elif shown == "offline":
        layers += [
            (_line((0.1, 0.9), (0.9, 0.1), 0.09), None),
            (_line((0.1, 0.9), (0.9, 0.1), 0.045), CREAM),
        ]
    else:
        layers += _badge(shown)
    return layers


def _badge(shown: Shown) -> list[Layer]:
    x, y = _BADGE
    colour = _COLOURS[shown]
    if shown == "error":
        around = [(x, y - 0.30), (x + 0.28, y + 0.25), (x - 0.28, y + 0.25)]
        return [
            (_grown(_polygon(around), 0.05), None),
            (_polygon(around), colour),
            (_line((x, y - 0.08), (x, y + 0.07), 0.035), CREAM),
            (_disc(x, y + 0.18, 0.04), CREAM),
        ]
    shapes: list[Layer] = [(_disc(x, y, _BADGE_R + 0.05), None), (_disc(x, y, _BADGE_R), colour)]
    if shown == "thinking":
        shapes += [(_disc(x + step, y, 0.05), CREAM) for step in (-0.14, 0.0, 0.14)]
    elif shown in ("listening", "waiting"):
        drawn = CREAM if shown == "listening" else _COLOURS["listening"]
        shapes += [
            (_line((x, y - 0.10), (x, y + 0.01), 0.06), drawn),
            (_line((x - 0.1, y + 0.15), (x + 0.1, y + 0.15), 0.025), drawn),
            (_line((x, y + 0.08), (x, y + 0.15), 0.025), drawn),
        ]
    elif shown == "sharing":
        shapes += [(_box(x, y, 0.15, 0.11, 0.03), CREAM), (_box(x, y, 0.10, 0.06, 0.01), colour)]
    else:
        shapes.append((_disc(x, y, 0.11), CREAM))
    return shapes


# --- shapes: signed distances ----------------------------------------------------------------


def _disc(x: float, y: float, radius: float) -> Distance:
    return lambda px, py: math.hypot(px - x, py - y) - radius


def _box(x: float, y: float, wide: float, high: float, corner: float) -> Distance:
    """Half of its width and height around its middle."""

    def distance(px: float, py: float) -> float:
        dx, dy = abs(px - x) - wide + corner, abs(py - y) - high + corner
        return math.hypot(max(dx, 0.0), max(dy, 0.0)) + min(max(dx, dy), 0.0) - corner

    return distance


def _line(a: Point, b: Point, radius: float) -> Distance:
    """With round ends."""
    return lambda px, py: _to_segment(px, py, a, b) - radius


def _polygon(points: Sequence[Point]) -> Distance:
    edges = list(zip(points, [*points[1:], points[0]], strict=True))

    def distance(px: float, py: float) -> float:
        inside = False
        for (ax, ay), (bx, by) in edges:
            if (ay > py) != (by > py) and px < (bx - ax) * (py - ay) / (by - ay) + ax:
                inside = not inside
        away = min(_to_segment(px, py, a, b) for a, b in edges)
        return -away if inside else away

    return distance


def _grown(shape: Distance, by: float) -> Distance:
    return lambda px, py: shape(px, py) - by


def _to_segment(px: float, py: float, a: Point, b: Point) -> float:
    (ax, ay), (bx, by) = a, b
    dx, dy = bx - ax, by - ay
    along = ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)
    at = min(1.0, max(0.0, along))
    return math.hypot(px - ax - at * dx, py - ay - at * dy)
