"""The same text in other tokens."""

import pytest

from assistant.engine.alignment import align

# 0 is a control token; the others spell.
PIECES = {0: b"", 1: b"he", 2: b"llo", 3: b"hello", 4: b" wor", 5: b"ld", 6: b" world", 7: b"l", 8: b"o",
          9: b"\xc3", 10: b"\xa9", 11: b"\xc3\xa9", 12: b"!", 13: b"?"}  # fmt: skip


def text(tokens):
    return [PIECES[t] if t else 0 for t in tokens]


@pytest.mark.parametrize(
    ("held", "wanted", "out"),
    [
        ([1, 2, 6], [3, 4, 5, 12], [1, 2, 6, 12]),
        ([3, 6, 0, 3], [1, 2, 4, 5, 0, 3, 12], [3, 6, 0, 3, 12]),
        ([9, 10, 12], [11, 13], [9, 10, 13]),
        ([3], [3, 6], [3, 6]),
        ([], [3], [3]),
        ([3, 12], [3, 13], [3, 13]),
        ([1, 2], [1, 7, 7, 8], [1, 2]),
        # Not across a control token, and not half a token.
        ([3, 0], [1, 2, 6], [3, 6]),
        ([0, 3], [3], [3]),
        ([3, 6], [1, 2, 4], [3, 4]),
        ([1], [3], [3]),
    ],
)
def test_what_both_say_is_said_in_the_tokens_that_are_held(held, wanted, out):
    found = align(held, wanted, PIECES.__getitem__)
    assert found == out
    joined = [b"".join(part for part in text(side) if part) for side in (found, wanted)]
    assert joined[0] == joined[1]
    assert found.count(0) == wanted.count(0)
