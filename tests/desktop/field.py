"""A window with one Tk field. What it holds is written to a file, from the moment it has the focus on.

Run as a program.
"""

import sys
import tkinter
from pathlib import Path

kind, text, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
root = tkinter.Tk(className=sys.argv[4] if len(sys.argv) > 4 else "Field")
root.title("A field — é")
root.geometry("400x200+50+50")
if kind == "text":
    field = tkinter.Text(root, undo=True)
    field.insert("1.0", text)
    field.edit_reset()
    hold = lambda: field.get("1.0", "end-1c")  # noqa: E731
else:
    field = tkinter.Entry(root, show="•")
    field.insert(0, text)
    hold = field.get
field.pack(expand=True, fill="both")


def tell():
    # Whole or not at all: whoever reads it in between must not see an empty one.
    draft = out.with_name(out.name + ".draft")
    draft.write_bytes(hold().encode())
    draft.replace(out)
    root.after(50, tell)


def focus():
    if root.focus_get() is field and field.winfo_viewable():
        tell()
    else:
        field.focus_force()
        root.after(50, focus)


root.after(200, focus)
root.mainloop()
