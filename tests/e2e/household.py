"""A phone in a network of its own: a namespace of Linux, joined to this one by a cable that can be pulled."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from browsing import PHONE, Visitor, executable

HOST, GUEST = "10.77.213.1", "10.77.213.2"


def run(*command, check=True):
    """One command of the system; its output, or with `check=False` how it ended."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
    return done.stdout if check else done


def within(space, *command, check=True):
    """The same in a namespace."""
    return run("ip", "netns", "exec", space, *command, check=check)


def needed():
    """Skip where no such network can be made. CI as root installs the programs: there they are missed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a network namespace takes Linux and root")
    for program, package in (("ip", "iproute2"), ("certutil", "libnss3-tools")):
        if not shutil.which(program):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no `{program}`: {package}")
    try:
        with Cable():
            pass
    except AssertionError as exc:
        pytest.skip(f"no network namespace can be made here: {exc}")


class Cable:
    """From here through a switch to the phone, each in a namespace of its own.

    Pulled out at the phone's end: this machine's own interface does not notice, nor do browsers here.
    """

    def __init__(self):
        number = os.getpid() % 100_000
        self.space, self.street = f"nestor-phone-{number}", f"nestor-street-{number}"
        self.here, self.there = f"nst{number}a", f"nst{number}b"

    def __enter__(self):
        try:
            self._lay()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _lay(self):
        for space in (self.space, self.street):
            run("ip", "netns", "add", space)
            # Addresses that come a second later make a browser drop what it is loading.
            _quiet(lambda *words, space=space: within(space, *words), "default")
        within(self.street, "ip", "link", "add", "switch", "type", "bridge")
        within(self.street, "ip", "link", "set", "switch", "up")
        for wire in (self.here, self.there):
            port = f"p{wire[-1]}"
            run(
                "ip",
                "link",
                "add",
                wire,
                "type",
                "veth",
                "peer",
                "name",
                port,
                "netns",
                self.street,
            )
            within(self.street, "ip", "link", "set", port, "master", "switch", "up")
        run("ip", "link", "set", self.there, "netns", self.space)
        _quiet(run, self.here)
        run("ip", "addr", "add", f"{HOST}/24", "dev", self.here)
        run("ip", "link", "set", self.here, "up")
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "addr", "add", f"{GUEST}/24", "dev", self.there)
        self.mend()

    def __exit__(self, *_):
        run("ip", "link", "del", self.here, check=False)
        for space in (self.space, self.street):
            run("ip", "netns", "del", space, check=False)

    def inside(self, *command, check=True):
        """A command of the phone's."""
        return within(self.space, *command, check=check)

    def cut(self):
        self.inside("ip", "link", "set", self.there, "down")

    def mend(self):
        self.inside("ip", "link", "set", self.there, "up")


def _quiet(call, interface):
    """No IPv6 there, if there is any."""
    switch = f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"
    call("sh", "-c", f"[ ! -e {switch} ] || echo 1 > {switch}")


class Phone(Visitor):
    """A browser of the phone's, in its network, with what it keeps from one start to the next."""

    def __init__(self, kind, cable, folder, url, **options):
        folder.mkdir(exist_ok=True)
        program = folder / "browser"
        program.write_text(
            f'#!/bin/sh\necho $$ > "{folder}/pid"\n'
            f'exec ip netns exec {cable.space} "{executable()}" "$@"\n'
        )
        program.chmod(0o700)
        self.context = kind.launch_persistent_context(
            folder / "profile", executable_path=str(program), args=["--no-sandbox"], timeout=20_000,
            env=os.environ | {"HOME": str(folder)}, **({"locale": "en-GB"} | PHONE | options),
        )  # fmt: skip
        self.context.set_default_timeout(10_000)
        self.page = self.context.pages[0] if self.context.pages else self.context.new_page()
        self.watch(url)


@contextlib.contextmanager
def patience(folder, seconds):
    """End the phone's browser if it takes longer: what waits for it fails then, and does not hang."""

    def lose():
        with contextlib.suppress(OSError, ValueError):
            os.killpg(int((folder / "pid").read_text()), signal.SIGKILL)

    timer = threading.Timer(seconds, lose)
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()


def trust(folder, authority):
    """Install an authority, as a phone's settings do."""
    store = folder / ".pki" / "nssdb"
    store.mkdir(parents=True)
    file = folder / "authority.pem"
    file.write_text(authority)
    run("certutil", "-d", f"sql:{store}", "-N", "--empty-password")
    run("certutil", "-d", f"sql:{store}", "-A", "-t", "C,,", "-n", "nestor", "-i", str(file))


@contextlib.contextmanager
def closing(visitor):
    """Close it in any case."""
    try:
        yield visitor
    finally:
        visitor.close()
