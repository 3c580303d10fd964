"""The window: one device, few tries, both screens, one token."""

import asyncio
import secrets

import pytest

from assistant.config import LIMITS
from assistant.core.devices import Devices
from assistant.core.pairing import Grant, Pairing, check_characters, typed
from assistant.errors import LanRefused, PairingRefused
from assistant.types import Network

NONCE = "n" * 22


class Store:
    """Devices in a dict."""

    def __init__(self):
        self.rows = {}

    async def all(self):
        await asyncio.sleep(0)
        return list(self.rows.values())

    async def revoked(self):
        return []

    async def add(self, device, token_id, digest):
        await asyncio.sleep(0)
        self.rows[device.id] = (device, token_id, digest)

    async def revoke(self, device_id):
        await asyncio.sleep(0)
        del self.rows[device_id]

    async def used(self, device_id, moment):
        pass


class Lan:
    """Opens when asked to, unless `refuses`."""

    def __init__(self, refuses=False):
        self.network, self.refuses, self.settled = None, refuses, 0

    async def open(self, interface=""):
        if self.refuses:
            raise LanRefused
        self.network = Network(("192.168.1.5:7718", "[fd00::2]:7718"), "ab" * 32, "PEM")
        return self.network

    async def settle(self):
        self.settled += 1


class Household:
    def __init__(self, refuses=False):
        self.moment = 1000.0
        self.store, self.lan = Store(), Lan(refuses)
        self.devices = Devices(self.store)
        self.pairing = Pairing(self.devices, self.lan, lambda: self.moment)

    def claim(self, proof, nonce=NONCE, name="phone"):
        return self.pairing.claim(proof, nonce, name, "phone")


@pytest.fixture
async def house(monkeypatch):
    import msgspec

    from assistant.core import pairing

    monkeypatch.setattr(pairing, "LIMITS", msgspec.structs.replace(LIMITS, pair_poll_s=0.05))
    made = Household()
    yield made
    await made.pairing.cancel()


async def test_a_phone_is_let_in(house):
    opened = await house.pairing.start(Grant(("chat", "memory.read"), ("work/*",)))
    assert len(opened.secret) >= 22  # 128 bits
    assert len(typed(opened.code)) == 8
    assert opened.url.startswith("https://192.168.1.5:7718/#pair&v=1&a=[fd00::2]:7718&f=abab")
    assert opened.url.endswith(opened.secret)
    waiting = await house.claim(opened.secret)
    assert (waiting.state, waiting.token) == ("waiting", "")
    seen = house.pairing.state()
    assert (seen.state, seen.check, seen.name) == ("claimed", waiting.check, "phone")
    assert waiting.check == check_characters("ab" * 32, waiting.salt, NONCE, "phone")
    device = await house.pairing.accept(waiting.check[:4].lower() + "-" + waiting.check[4:])
    assert (device.scopes, device.classes) == (("chat", "memory.read"), ("work/*",))
    answer = await house.claim(opened.secret)
    assert answer.device == device
    assert answer.authority == "PEM"
    assert house.devices.key(answer.token.split("_")[1]).device == device
    with pytest.raises(PairingRefused):  # the token is handed over once
        await house.claim(opened.secret)
    assert house.pairing.state().state == "closed"


async def test_the_first_answer_brings_the_characters_at_once(house, monkeypatch):
    """A phone has to show them before its owner can compare anything."""
    import msgspec

    from assistant.core import pairing

    monkeypatch.setattr(pairing, "LIMITS", msgspec.structs.replace(LIMITS, pair_poll_s=30))
    opened = await house.pairing.start(Grant())
    async with asyncio.timeout(5):
        first = await house.claim(opened.secret)
    asking = asyncio.create_task(house.claim(opened.secret))
    await asyncio.sleep(0.02)
    assert not asking.done()
    await house.pairing.accept(first.check)
    assert (await asking).token


async def test_who_waits_hears_the_owners_yes_at_once(house):
    opened = await house.pairing.start(Grant())
    check = (await house.claim(opened.code)).check
    asking = asyncio.create_task(house.claim(opened.code))
    await asyncio.sleep(0.01)
    await house.pairing.accept(check)
    assert (await asking).token


async def test_of_a_hundred_who_claim_at_once_one_wins(house, figure):
    """Tailscale TS-2025-007: a one-off key that was used twice."""
    opened = await house.pairing.start(Grant())
    claims = [house.claim(opened.secret, secrets.token_urlsafe(16), f"d{n}") for n in range(100)]
    done = await asyncio.gather(*claims, return_exceptions=True)
    won = [one for one in done if not isinstance(one, Exception)]
    figure("100 claims of a pairing at once: won", str(len(won)), "1")
    assert len(won) == 1
    assert all(isinstance(one, PairingRefused) for one in done if isinstance(one, Exception))
    assert len({str(one) for one in done if isinstance(one, Exception)}) == 1
    await house.pairing.accept(won[0].check)
    assert len(house.store.rows) == 1


async def test_five_wrong_codes_and_the_window_is_closed_for_the_right_one_too(house):
    opened = await house.pairing.start(Grant())
    for _ in range(LIMITS.pair_tries):
        with pytest.raises(PairingRefused):
            await house.claim("WRONG-CODE", secrets.token_urlsafe(16))
    with pytest.raises(PairingRefused):
        await house.claim(opened.code)
    with pytest.raises(PairingRefused):
        await house.claim(opened.secret)
    assert house.pairing.state().state == "closed"


async def test_wrong_codes_of_all_devices_count_together_and_a_new_window_has_a_new_code(house):
    first = await house.pairing.start(Grant())
    for number in range(4):
        with pytest.raises(PairingRefused):
            await house.claim(f"0000-000{number}", secrets.token_urlsafe(16))
    assert house.pairing.state().tries_left == 1
    second = await house.pairing.start(Grant())
    assert first.code != second.code
    with pytest.raises(PairingRefused):
        await house.claim(first.secret)
    assert (await house.claim(second.secret)).state == "waiting"


async def test_the_window_closes_by_itself(house):
    opened = await house.pairing.start(Grant())
    assert opened.expires_in_s == 120
    house.moment += 119.9
    assert house.pairing.state().state == "open"
    house.moment += 0.2
    assert house.pairing.state().state == "closed"
    with pytest.raises(PairingRefused):
        await house.claim(opened.secret)


async def test_a_yes_to_other_characters_lets_nobody_in(house):
    opened = await house.pairing.start(Grant())
    with pytest.raises(PairingRefused):
        await house.pairing.accept("")
    check = (await house.claim(opened.secret)).check
    for wrong in ("", "00000000", check[:-1], check + "0"):
        with pytest.raises(PairingRefused):
            await house.pairing.accept(wrong)
    assert house.store.rows == {}
    await house.pairing.accept(check)
    with pytest.raises(PairingRefused):
        await house.pairing.accept(check)
    assert len(house.store.rows) == 1


async def test_a_device_that_never_took_its_token_is_let_out_again(house):
    opened = await house.pairing.start(Grant())
    await house.pairing.accept((await house.claim(opened.secret)).check)
    assert len(house.store.rows) == 1
    await house.pairing.cancel()
    assert house.store.rows == {}
    assert house.lan.settled


async def test_another_device_cannot_ask_for_the_first_ones_token(house):
    opened = await house.pairing.start(Grant())
    await house.pairing.accept((await house.claim(opened.secret)).check)
    with pytest.raises(PairingRefused):
        await house.claim(opened.secret, "m" * 22)
    assert (await house.claim(opened.secret)).token


async def test_without_a_network_there_is_no_window():
    house = Household(refuses=True)
    with pytest.raises(LanRefused):
        await house.pairing.start(Grant())
    assert house.pairing.state().state == "closed"


@pytest.mark.parametrize("said", ["abcd-1230", "ABCD 1230", "abcdi23o", "ABCDL230", " abcd1230 "])
def test_a_code_may_be_typed_as_people_do(said):
    assert typed(said) == "ABCD1230"


def test_the_characters_differ_if_anything_does():
    said = {check_characters(*four) for four in (
        ("f", "s", "n", "p"), ("g", "s", "n", "p"), ("f", "t", "n", "p"), ("f", "s", "m", "p"),
        ("f", "s", "n", "q"),
    )}  # fmt: skip
    assert len(said) == 5
    assert all(len(one) == 8 for one in said)
