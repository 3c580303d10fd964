"""A process with the quick-ask window and its hotkey, as the resident one has. Run as a program.

It says what happens, a line each: `ready <window>`, `shown <seconds since the key>`, `offered` (something can
be attached), `loaded` (earlier questions), `lost`. What it sends ahead goes into the file it is given.
"""

import asyncio
import sys
import threading
import time

from assistant.clients.desktop import quick, selection
from assistant.clients.desktop.hotkeys import chosen
from assistant.clients.desktop.key_listener import PynputHotkeys
from assistant.clients.desktop.questions import Questions
from assistant.clients.desktop.tk_thread import TkThread, on_display_lost
from assistant.clients.desktop.window import Window
from assistant.clients.http import Client
from assistant.config import load_paths, load_settings
from assistant.errors import NoDisplay


def say(*words):
    print(*words, flush=True)


warm = Client.warm


class Actions:
    def __init__(self):
        self.by_name = {}

    def register(self, name, work):
        self.by_name[name] = work


def recorded(client, conversation=None, draft=""):
    with open(sys.argv[1], "a") as file:
        file.write(f"{conversation}: {draft}\n")
    return warm(client, conversation, draft)


def saying(kind, name, what):
    """Have this method say something once it is done."""
    work = getattr(kind, name)

    def said(self, *arguments):
        work(self, *arguments)
        if words := what(*arguments):
            say(words)

    setattr(kind, name, said)


def outer(inner):
    """Tk's window for the window manager, around the one it draws in."""
    display = selection.connect()
    found = display.create_resource_object("window", inner).query_tree().parent.id
    display.close()
    return found


def main():
    Client.warm = recorded
    saying(Window, "offer", lambda offered, attached: "offered" if offered else "")
    saying(Questions, "load", lambda questions: "loaded")
    paths = load_paths()
    settings = load_settings(paths)
    tk = TkThread()
    on_display_lost(lambda: say("lost", NoDisplay().message))
    quick_ask = quick.build(tk, paths, settings)
    actions = Actions()
    quick.register(actions, quick_ask, tk)
    window = quick_ask._view
    pressed = []

    def heard(press):
        if press.down:
            pressed.append(time.perf_counter())
            actions.by_name["ask"]()

    def visible(event):
        if event.widget is window._top and pressed:
            say("shown", time.perf_counter() - pressed.pop())

    window._top.bind("<Map>", visible, add=True)
    hotkeys = PynputHotkeys()
    wanted = chosen({"ask": settings.hotkey_ask})
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    refused = asyncio.run_coroutine_threadsafe(hotkeys.start(wanted, heard), loop).result(10)
    assert refused == {}, refused
    say("ready", outer(window._top.winfo_id()))
    threading.Thread(target=lambda: (sys.stdin.read(), tk.stop()), daemon=True).start()
    tk.run()


main()
