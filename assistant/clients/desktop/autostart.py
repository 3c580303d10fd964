"""Starting the icon with the session, if the user wants it: a file, or on Windows a value, of this user's."""

from __future__ import annotations

import os
import plistlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assistant.config import write_private
from assistant.errors import DesktopError

_HANDED_ON = ("NESTOR_HOME", "NESTOR_MODELS")
_RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"
_NAME = "Nestor"


class Autostart:
    """Of one platform and one user."""

    def __init__(
        self, platform: str = sys.platform, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._platform, self._environ = platform, environ

    @property
    def on(self) -> bool:
        """Whether the icon starts with the session."""
        if self._platform == "win32":
            return _windows_value() is not None
        return self._file.exists()

    def set(self, *, on: bool) -> None:
        """Start it with the session, or not. Raises DesktopError."""
        try:
            if self._platform == "win32":
                _set_windows_value(" ".join(f'"{word}"' for word in self._command) if on else None)
            elif on:
                write_private(self._file, self._content().encode())
            else:
                self._file.unlink(missing_ok=True)
        except OSError as exc:
            raise DesktopError(
                "The session's settings could not be changed.",
                "Check the disk and its permissions.",
            ) from exc

    @property
    def _command(self) -> list[str]:
        # -P: a file of the folder it is started in must not stand in for a module of ours.
        return [sys.executable, "-P", "-m", "assistant", "tray"]

    @property
    def _kept(self) -> dict[str, str]:
        return {name: self._environ[name] for name in _HANDED_ON if self._environ.get(name)}

    @property
    def _file(self) -> Path:
        home = Path(self._environ.get("HOME") or Path.home())
        if self._platform == "darwin":
            return home / "Library/LaunchAgents/org.nestor.Nestor.plist"
        config = self._environ.get("XDG_CONFIG_HOME") or home / ".config"
        return Path(config) / "autostart" / "nestor.desktop"

    def _content(self) -> str:
        if self._platform == "darwin":
            told: dict[str, Any] = {
                "Label": "org.nestor.Nestor",
                "ProgramArguments": self._command,
                "EnvironmentVariables": self._kept,
                "RunAtLoad": True,
            }
            return plistlib.dumps(told).decode()
        words = [f"{name}={value}" for name, value in self._kept.items()]
        command = ["env", *words, *self._command] if words else self._command
        return (
            "[Desktop Entry]\nType=Application\nName=Nestor\n"
            "Comment=A private assistant on your own machine\n"
            f"Exec={' '.join(map(_quoted, command))}\nTerminal=false\nNoDisplay=true\n"
            "X-GNOME-Autostart-enabled=true\n"
        )


def _quoted(word: str) -> str:
    """As the desktop entry specification wants it: within quotes, four characters take a backslash.

    Backslashes are read twice (string, then command), and `%` is doubled.
    """
    for one in ("\\", '"', "`", "$"):
        word = word.replace(one, "\\\\" + one if one != "\\" else "\\\\\\\\")
    return '"' + word.replace("%", "%%") + '"'


def _windows_value() -> str | None:
    if sys.platform != "win32":
        return None
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, _RUN_KEY) as key:
            return str(winreg.QueryValueEx(key, _NAME)[0])
    except FileNotFoundError:
        return None


def _set_windows_value(value: str | None) -> None:
    if sys.platform != "win32":
        return
    import winreg

    with winreg.CreateKey(winreg.HKEY_CURRENT_USER, _RUN_KEY) as key:
        if value is not None:
            winreg.SetValueEx(key, _NAME, 0, winreg.REG_SZ, value)
        elif _windows_value() is not None:
            winreg.DeleteValue(key, _NAME)
