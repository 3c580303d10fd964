"""What stands in a window, read from a picture of it by Tesseract, on this machine.

Nothing is written to disk but Tesseract's own short-lived input.
"""

from __future__ import annotations

from typing import Any

from assistant.clients.desktop import selection
from assistant.errors import ExtraMissing, NoDisplay

READ_S = 20.0
"""For one picture."""
_SCALE = 2
"""Text on screens is small for Tesseract, which was made for 300 dots an inch."""


def text_of(shot: Any) -> str:
    """What a picture says; empty if nothing can be read. Takes seconds.

    Raises ExtraMissing without pytesseract or Tesseract.
    """
    try:
        import pytesseract
    except ImportError as exc:
        raise ExtraMissing("pytesseract is not installed.") from exc
    grown = shot.convert("L").resize((shot.width * _SCALE, shot.height * _SCALE))
    try:
        return str(pytesseract.image_to_string(grown, timeout=READ_S))
    except pytesseract.TesseractNotFoundError as exc:
        raise ExtraMissing(
            "Tesseract, which reads pictures, is not installed.",
            "Install it: apt-get install tesseract-ocr, or brew install tesseract.",
        ) from exc
    except RuntimeError:  # it took too long
        return ""


def taken(window: int, display_name: str | None = None) -> Any:
    """A picture of a window, as it is on the screen now (a Pillow image).

    Raises ExtraMissing without Pillow; Refused as `selection.check` does; NoDisplay.
    """
    try:
        from PIL import ImageGrab
    except ImportError as exc:
        raise ExtraMissing("Pillow is not installed.") from exc
    display = selection.connect(display_name)
    try:
        selection.check(display, selection.window(display, window))
        root = display.screen().root
        size = display.create_resource_object("window", window).get_geometry()
        corner = root.translate_coords(window, 0, 0)
        whole = root.get_geometry()
        left, top = max(0, -corner.x), max(0, -corner.y)
        box = (
            left, top,
            min(whole.width, left + size.width), min(whole.height, top + size.height),
        )  # fmt: skip
        return ImageGrab.grab(bbox=box, xdisplay=display_name)
    except OSError as exc:
        raise NoDisplay("No picture can be taken of this screen.") from exc
    finally:
        display.close()
