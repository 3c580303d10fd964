"""A room of its own: a private PulseAudio with a virtual microphone and a virtual loudspeaker."""

import contextlib
import os
import subprocess
import threading
import time

import numpy as np


class Room:
    """`say` is heard by the microphone; `heard` is what the loudspeaker gave. Samples at 16 kHz."""

    def __init__(self, folder):
        self._folder = folder
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._socket = folder / "p"
        self.env = {
            "XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_SINK": "speaker", "PULSE_SOURCE": "microphone",
        }  # fmt: skip
        self._all: list[subprocess.Popen] = []
        self._heard = bytearray()

    def open(self):
        self._socket.unlink(missing_ok=True)
        self._run(
            "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
            "--disallow-exit",
            "-L", f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}",
            "-L", "module-null-sink sink_name=speaker rate=48000",
            "-L", "module-null-sink sink_name=air rate=48000",
            "-L", "module-remap-source master=air.monitor source_name=microphone",
        )  # fmt: skip
        deadline = time.monotonic() + 10
        while self._call("pactl", "info").returncode:
            assert time.monotonic() < deadline, "no PulseAudio"
            time.sleep(0.05)
        # A null sink that nobody plays into gives its monitor two seconds at a time.
        self._air = self._breathe(20)
        self._run("pacat", "--device=speaker", "--latency-msec=20", "/dev/zero")
        ears = self._run(
            "parec", "--device=speaker.monitor", "--rate=16000", "--channels=1", "--format=s16le",
            "--latency-msec=20", stdout=subprocess.PIPE,
        )  # fmt: skip
        threading.Thread(target=self._listen, args=(ears.stdout,), daemon=True).start()
        return self

    def close(self):
        """All devices go at once."""
        for one in reversed(self._all):
            one.kill()
            one.wait()
            if one.stdout:
                one.stdout.close()
        self._all.clear()

    def pace(self, milliseconds):
        """From now on the microphone gives its sound in pieces of so long."""
        self._air.kill()
        self._air.wait()
        self._all.remove(self._air)
        self._air = self._breathe(milliseconds)

    def _breathe(self, milliseconds):
        return self._run("pacat", "--device=air", f"--latency-msec={milliseconds}", "/dev/zero")

    def deafen(self):
        """What the loudspeaker gives is not heard any more."""
        ears = next(one for one in self._all if one.stdout)
        ears.kill()
        ears.wait()

    def say(self, samples):
        """Returns when it was said."""
        # A player that stutters on a busy machine cuts words in two; what it is late by does no harm.
        command = ["pacat", "--device=air", "--latency-msec=200", "--rate=16000", "--channels=1"]
        subprocess.run(
            [*command, "--format=s16le"], input=np.asarray(samples, "<i2").tobytes(),
            env=os.environ | self.env, check=True, timeout=60,
        )  # fmt: skip

    def heard(self):
        """All that the loudspeaker gave since the last call, from the first sound to the last."""
        samples = np.frombuffer(bytes(self._heard[: len(self._heard) // 2 * 2]), "<i2")
        self._heard.clear()
        loud = np.flatnonzero(np.abs(samples.astype(int)) > 200)
        return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]

    def quiet(self, seconds):
        """Whether something was heard since the last call of `heard`, and then nothing for so long."""
        samples, loud = self._loud()
        return bool(len(loud)) and samples - int(loud[-1]) >= seconds * 16_000

    def now(self):
        """A place in what the loudspeaker gave, for `after`; until `heard` is called."""
        return len(self._heard) // 2

    def after(self, place):
        """Seconds of the loudspeaker's own time from there to the last sound; below 0 if it came before."""
        _, loud = self._loud()
        return (int(loud[-1]) - place) / 16_000 if len(loud) else -np.inf

    def _loud(self):
        samples = np.frombuffer(bytes(self._heard[: len(self._heard) // 2 * 2]), "<i2")
        return len(samples), np.flatnonzero(np.abs(samples.astype(int)) > 200)

    def loud(self):
        """Whether the last tenth of a second had any sound."""
        last = np.frombuffer(bytes(self._heard[-3200:][: len(self._heard[-3200:]) // 2 * 2]), "<i2")
        return bool(len(last)) and int(np.abs(last.astype(int)).max()) > 200

    def _listen(self, stream):
        with contextlib.suppress(ValueError, OSError):
            while piece := stream.read1(4096):
                self._heard += piece

    def _run(self, *command, **more):
        with open(self._folder / "log", "ab") as log:
            one = subprocess.Popen(
                command, env=os.environ | self.env, stdin=subprocess.DEVNULL, stderr=log,
                **{"stdout": log} | more,
            )  # fmt: skip
        self._all.append(one)
        return one

    def _call(self, *command):
        return subprocess.run(command, env=os.environ | self.env, capture_output=True, timeout=10)
