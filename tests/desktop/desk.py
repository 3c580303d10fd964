"""A desktop of one's own: a display, a window manager, a session bus, a panel with a tray, notifications."""

from __future__ import annotations

import contextlib
import subprocess
import time

from PIL import Image
from Xlib import X
from Xlib.display import Display
from Xlib.error import XError

from .screen import Screen

WATCHER = "org.kde.StatusNotifierWatcher"
NOTIFICATIONS = "org.freedesktop.Notifications"
PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=8;x=500;y=684"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
"""
DUNST = """[global]
    font = DejaVu Sans 10
    width = 340
    origin = top-right
    offset = 16x16
    mouse_left_click = do_action, close_current
    show_indicators = no
    markup = full
"""
BACKGROUND = 0x3A5A78


class Desk(Screen):
    """Nothing of the panel runs until `show_panel`, and no notification is drawn until `show_notices`."""

    def __init__(self, folder):
        super().__init__(folder)
        self.config = folder / ".config"
        panel = self.config / "xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml"
        panel.parent.mkdir(parents=True)
        panel.write_text(PANEL)
        (folder / "dunstrc").write_text(DUNST)
        self.env |= {
            "XDG_CONFIG_HOME": str(self.config), "XDG_DATA_HOME": str(folder / ".local"),
            "XDG_SESSION_TYPE": "x11", "XDG_CURRENT_DESKTOP": "XFCE",
        }  # fmt: skip
        with open(folder / "bus.log", "ab") as log:
            self._bus = subprocess.Popen(
                ["dbus-daemon", "--session", "--nofork", "--print-address"],
                stdout=subprocess.PIPE, stderr=log, text=True, env=self.env,
            )  # fmt: skip
        self.bus = self._bus.stdout.readline().strip()
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self.bus
        self._panel = self._notices = None
        self.paint(BACKGROUND)

    def has_name(self, name):
        """Whether a program on the bus goes by this name."""
        asked = self.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner", name)
        return "boolean true" in asked

    def call(self, to, path, method, *strings):
        """What dbus-send prints for a call whose arguments are strings."""
        command = ["dbus-send", "--session", "--print-reply", f"--dest={to}", path, method]
        return self.run(*command, *(f"string:{one}" for one in strings)).decode()

    def icons(self):
        """What the tray host says it shows."""
        told = self.call(
            WATCHER, "/StatusNotifierWatcher", "org.freedesktop.DBus.Properties.Get",
            WATCHER, "RegisteredStatusNotifierItems",
        )  # fmt: skip
        return [line.split('"')[1] for line in told.splitlines() if "string" in line]

    def show_panel(self):
        if self._panel is None:
            self._panel = self.start("xfce4-panel", "--disable-wm-check")
        self.until(lambda: self.has_name(WATCHER))

    def hide_panel(self):
        if self._panel is not None:
            self._end(self._panel)
            self._panel = None
        self.until(lambda: not self.has_name(WATCHER))

    def show_notices(self):
        if self._notices is None:
            self._notices = self.start("dunst", "-config", f"{self.env['HOME']}/dunstrc")
        self.until(lambda: self.has_name(NOTIFICATIONS))

    def hide_notices(self):
        if self._notices is not None:
            self._end(self._notices)
            self._notices = None

    def click(self, x, y, button=1):
        self.run("xdotool", "mousemove", str(x), str(y))
        time.sleep(0.1)
        self.run("xdotool", "click", str(button))

    def picture(self, box=None):
        """The screen, or the part of it inside (left, top, right, bottom)."""
        with self._display() as display:
            root = display.screen().root
            about = root.get_geometry()
            got = root.get_image(0, 0, about.width, about.height, X.ZPixmap, 0xFFFFFFFF)
        seen = Image.frombytes("RGB", (about.width, about.height), got.data, "raw", "BGRX")
        return seen.crop(box) if box else seen

    def paint(self, colour):
        """The wallpaper."""
        with self._display() as display:
            root = display.screen().root
            root.change_attributes(background_pixel=colour)
            root.clear_area()
            display.sync()

    def windows(self, kind):
        """(left, top, right, bottom) of the visible windows of this class."""
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--class", kind], env=self.env,
            capture_output=True, text=True, timeout=10,
        ).stdout.split()  # fmt: skip
        boxes = []
        for window in found:
            with contextlib.suppress(subprocess.CalledProcessError):  # it may just have closed
                told = self.run("xdotool", "getwindowgeometry", "--shell", window).decode()
                at = dict(line.split("=") for line in told.split())
                left, top = int(at["X"]), int(at["Y"])
                boxes.append((left, top, left + int(at["WIDTH"]), top + int(at["HEIGHT"])))
        return boxes

    def focused(self, kind):
        """Whether a window of this class has the focus."""
        found, active = (
            subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=10)
            for command in (
                ["xdotool", "search", "--onlyvisible", "--class", kind],
                ["xdotool", "getactivewindow"],
            )
        )
        return active.stdout.strip() in found.stdout.split()

    def menus(self):
        """The boxes of what is drawn above all windows and no window manager knows: menus."""
        found = set()
        with self._display() as display:
            for one in display.screen().root.query_tree().children:
                with contextlib.suppress(XError):  # it closes just now
                    about = one.get_attributes()
                    at = one.get_geometry()
                    if (
                        about.override_redirect
                        and about.map_state == X.IsViewable
                        and at.width > 60
                    ):
                        found.add((at.x, at.y, at.x + at.width, at.y + at.height))
        return found

    @contextlib.contextmanager
    def _display(self):
        display = Display(self.name)
        try:
            yield display
        finally:
            display.close()

    def _end(self, one):
        one.terminate()
        one.wait(10)
        self.started.remove(one)

    def stop(self):
        super().stop()
        self._bus.terminate()
        self._bus.wait(10)
        self._bus.stdout.close()
