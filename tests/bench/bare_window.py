"""The least that a program can do: grab a key, map a bare window on it, unmap it on the next."""

import select
import sys

from Xlib import XK, X
from Xlib.display import Display

display = Display()
screen = display.screen()
code = display.keysym_to_keycode(XK.string_to_keysym("space"))
screen.root.grab_key(code, X.ControlMask | X.Mod1Mask, False, X.GrabModeAsync, X.GrabModeAsync)
window = screen.root.create_window(
    160, 116, 680, 105, 0, screen.root_depth, background_pixel=screen.white_pixel
)
window.set_wm_normal_hints(flags=1, x=160, y=116)  # 1: USPosition
hints = display.get_atom("_MOTIF_WM_HINTS")
window.change_property(hints, hints, 32, [2, 0, 0, 0, 0])
display.sync()
print("ready", window.id, flush=True)
shown = False
while True:
    ready, _, _ = select.select([display.fileno(), sys.stdin], [], [])
    if sys.stdin in ready:
        break
    while display.pending_events():
        if display.next_event().type == X.KeyPress:
            shown = not shown
            (window.map if shown else window.unmap)()
            display.sync()
