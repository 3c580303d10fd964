"""A display of one's own: Xvfb and openbox, on a number the server chooses."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

import pytest

NEEDS = ("Xvfb", "openbox", "xclip", "xdotool")


class Screen:
    def __init__(self, folder):
        missing = [name for name in NEEDS if shutil.which(name) is None]
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")
        reading, writing = os.pipe()
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1000x700x24", "-nolisten", "tcp",
             "-noreset"],
            pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(writing)
        with os.fdopen(reading) as told:
            self.name = f":{told.readline().strip()}"
        self.env = os.environ | {
            "DISPLAY": self.name, "HOME": str(folder), "GTK_MODULES": "", "NO_AT_BRIDGE": "1",
            "GSETTINGS_BACKEND": "memory", "XDG_RUNTIME_DIR": str(folder), "LANG": "C.UTF-8",
        }  # fmt: skip
        self.started = []
        self.start("openbox")
        time.sleep(0.5)

    def start(self, *command):
        with open(os.path.join(self.env["HOME"], "output.log"), "ab") as out:
            one = subprocess.Popen(command, env=self.env, stdout=out, stderr=out)
        self.started.append(one)
        return one

    def run(self, *command, **rest):
        return subprocess.run(
            command, env=self.env, capture_output=True, timeout=20, check=True, **rest
        ).stdout

    def key(self, *keys):
        self.run("xdotool", "key", "--clearmodifiers", *keys)
        time.sleep(0.15)

    def until(self, what, seconds=8):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := what():
                return found
            time.sleep(0.05)
        raise AssertionError("it did not come to be")

    def active(self):
        """The active window's number; empty while there is none, as when one has just gone."""
        command = ("xdotool", "getactivewindow")
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=20
        ).stdout.strip()

    def copy(self, data, target):
        subprocess.run(
            ["xclip", "-selection", "clipboard", "-t", target], input=data, env=self.env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10, check=True,
        )  # fmt: skip

    def pasted(self, target):
        return self.run("xclip", "-selection", "clipboard", "-t", target, "-o")

    def stop(self):
        for one in [*reversed(self.started), self.server]:
            one.terminate()
            one.wait(10)
