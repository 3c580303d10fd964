"""What guesses of a draft model are worth. Pure: from chances and prices that were measured.

Prices are in batches of one row of the model that answers: what a token costs without a guess.
"""

from __future__ import annotations

from assistant.engine.lookup import Cost
from assistant.engine.trust import tokens


def best(most: int, cost: Cost, *, sure: float, holds: float, step: float) -> tuple[int, float]:
    """How many guesses, of at most `most`, give most tokens per second; and how many times as many as none.

    `sure` is the chance that the draft model is sure enough of its next token to go on, `holds` that
    such a guess holds, `step` the price of a step of it. 0 and 1.0 where guesses do not pay.
    """
    size, gain = 0, 1.0
    spent = stopped = 0.0
    reach = chance = said = 1.0
    for count in range(1, most + 1):
        spent += reach * step
        # Not sure of this one: what came before it is checked, in a batch of `count` rows.
        stopped += reach * (1.0 - sure) * cost(count)
        reach *= sure
        chance *= sure * holds
        said += chance
        speed = said / (spent + stopped + reach * cost(count + 1))
        if speed > gain:
            size, gain = count, speed
    return size, gain


def worth_checking(count: int, cost: Cost, *, holds: float, spent: float) -> int:
    """How many of `count` guesses that were paid for already are best put into the batch."""
    return max(range(count + 1), key=lambda size: tokens(holds, size) / (cost(size + 1) + spent))
