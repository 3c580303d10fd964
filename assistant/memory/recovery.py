"""The database key as people print, keep and type it: 56 letters and digits, the last few a checksum."""

from __future__ import annotations

import base64
import hashlib

from assistant.errors import RecoveryKeyInvalid
from assistant.memory.keys import KEY_BYTES

CHECK_BYTES = 3
"""One mistake in 16 million is not noticed. With the key this makes 280 bits: 56 characters of five."""
GROUP = 4
CHARACTERS = (KEY_BYTES + CHECK_BYTES) * 8 // 5

# Crockford's alphabet: no letter that looks like a digit, and none that two people spell differently.
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_WRITE = str.maketrans(_BASE32, _CROCKFORD)
_READ = str.maketrans(_CROCKFORD, _BASE32)
_ALIKE = str.maketrans("OIL", "011")


def write(secret: bytes) -> str:
    """The key in groups of four, to be printed."""
    text = base64.b32encode(secret + _check(secret)).decode().translate(_WRITE)
    return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def read(typed: str) -> bytes:
    """The key that was typed. Case, spaces and hyphens do not count; O is 0, I and L are 1.

    Raises RecoveryKeyInvalid, saying what was mistyped as far as that can be told.
    """
    text = "".join(typed.replace("-", "").split()).upper().translate(_ALIKE)
    for at, character in enumerate(text):
        if character not in _CROCKFORD:
            raise RecoveryKeyInvalid(
                f"Group {at // GROUP + 1} has a character that is in no recovery key."
            )
    if len(text) != CHARACTERS:
        raise RecoveryKeyInvalid(
            f"The recovery key has {CHARACTERS} letters and digits; {len(text)} were typed."
        )
    data = base64.b32decode(text.translate(_READ))
    secret, check = data[:KEY_BYTES], data[KEY_BYTES:]
    if check != _check(secret):
        raise RecoveryKeyInvalid("A character of the recovery key was mistyped, or two swapped.")
    return secret


def _check(secret: bytes) -> bytes:
    return hashlib.sha256(b"nestor recovery key" + secret).digest()[:CHECK_BYTES]
