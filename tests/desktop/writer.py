"""A process with the Write For Me window and its hotkeys, as the resident one has. Run as a program.

It says what happens, a line each: `ready <window>`, `shown`, `hidden`, `wish <what is asked for>`,
`told <title>: <text>`.
"""

import asyncio
import json
import sys
import threading
import time

import msgspec

from assistant.clients.desktop import remember, selection, theme, write
from assistant.clients.desktop.actions import Actions
from assistant.clients.desktop.hotkeys import chosen
from assistant.clients.desktop.key_listener import PynputHotkeys
from assistant.clients.desktop.rewriting import Rewriting
from assistant.clients.desktop.tk_thread import TkThread
from assistant.clients.desktop.toast import Toast
from assistant.config import load_paths, load_settings


def say(*words):
    print(*words, flush=True)


def outer(inner):
    """Tk's window for the window manager, around the one it draws in."""
    display = selection.connect()
    found = display.create_resource_object("window", inner).query_tree().parent.id
    display.close()
    return found


asked = Rewriting.write


def recorded(rewriting, text, wish, told):
    given = {name: value for name, value in msgspec.to_builtins(wish).items() if value}
    say("wish", json.dumps(given))
    return asked(rewriting, text, wish, told)


def main():
    Rewriting.write = recorded
    paths = load_paths()
    settings = load_settings(paths)
    tk = TkThread()
    write_for_me = write.build(tk, paths, settings)
    actions = Actions()
    write.register(actions, write_for_me, tk)
    toast = Toast(tk, theme.palette(settings.theme))
    remember.register(actions, remember.Remember(paths, toast.show))
    pressed = [0.0]

    def shown(e):
        return e.widget is toast._top and say(
            "toast", toast._title.cget("text"), f"{time.perf_counter() - pressed[0]:.4f}"
        )

    toast._top.bind("<Map>", shown, add=True)
    top = write_for_me._view._top
    status = write_for_me._view._status
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def heard(press):
        if press.down:
            pressed[0] = time.perf_counter()
            asyncio.run_coroutine_threadsafe(actions.run(press.action), loop)

    told = [""]

    def opened(e):
        if e.widget is top:
            say("shown")
            told[0] = ""  # what it says is told again, the same or not

    top.bind("<Map>", opened, add=True)

    def look():
        now = str(status.cget("text"))
        if now != told[0]:
            told[0] = now
            say("status", now.replace("\n", " "))
        tk.root.after(20, look)

    look()
    wanted = chosen({"write": settings.hotkey_write, "remember": settings.hotkey_remember})
    started = asyncio.run_coroutine_threadsafe(PynputHotkeys().start(wanted, heard), loop)
    refused = started.result(10)
    assert refused == {}, refused
    say("ready", outer(top.winfo_id()), wanted["write"])
    threading.Thread(target=lambda: (sys.stdin.read(), tk.stop()), daemon=True).start()
    tk.run()


main()
