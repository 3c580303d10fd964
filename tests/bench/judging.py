"""`python -m tests.bench.judging [minutes] [on]`: teach the judge, and write what ships.

That is memory/judge_e5.msgpack; with `on` it is taught on from there, else from the embedder. What it is
judged by, near_misses.txt, it has not seen. Weights are rounded to the 4 bits they ship with at every step,
the gradient goes past the rounding (straight-through, Bengio et al. 2013); rounded at the end only, they
know nothing more. A run is another one each time, as it ends by the clock.
"""

from __future__ import annotations

import hashlib
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import torch

from assistant.memory.judge import SEPARATOR, SHIPPED, Taught
from assistant.memory.scan import Floats
from tests.bench.layers import Linear, Model, Tokens, padded, read
from tests.bench.pairs import Lines, Pair, lines, nearest
from tests.bench.precision import near_misses
from tests.bench.progress import say

MINUTES, BATCH, SHUFFLED = 50.0, 64, 1_024
RATE, HEAD_RATE, LEAST, WARM_STEPS = 1.5e-4, 2e-3, 0.02, 60
ON = 0.4
"""Of the rates, for what has learned before: more makes it forget that first."""
SMOOTH = 0.02
KEPT = 0.95


def main() -> None:
    """Teach, write, and print how well near misses are told from answers."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    torch.manual_seed(1)
    model = _begun(on="on" in sys.argv[2:])
    every = lines()
    teach(model, Lines(every, nearest(every)), minutes, ON if "on" in sys.argv[2:] else 1.0)
    content = msgspec.msgpack.encode(model.shipped())
    SHIPPED.write_bytes(content)
    print("SHA256, which memory/judge.py must know:", hashlib.sha256(content).hexdigest())
    print("AUC and share silent where 95 % are attempted:", *told_apart(model))


def _begun(*, on: bool) -> Model:
    if not on:
        return Model(read())
    taught = msgspec.msgpack.decode(SHIPPED.read_bytes(), type=Taught)
    model = Model(read().laid_over(taught))
    model.set_head(taught)
    return model


def teach(model: Model, some: Lines, minutes: float, rate: float = 1.0) -> None:
    """Changes the model until the time is over; by one step at least."""
    rng, tokens, begun = random.Random(1), Tokens(model.weights), time.monotonic()
    for module in model.modules():
        if isinstance(module, Linear):
            module.rounds = True
    head = list(model.head.parameters())
    others = [one for name, one in model.named_parameters() if not name.startswith("head.")]
    groups = [{"params": others, "lr": rate * RATE}, {"params": head, "lr": rate * HEAD_RATE}]
    steps = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98))

    def pace(step: int) -> float:
        part = min(1.0, (time.monotonic() - begun) / 60 / minutes)
        return min(1.0, (step + 1) / WARM_STEPS) * max(LEAST, 0.5 * (1 + math.cos(math.pi * part)))

    schedule = torch.optim.lr_scheduler.LambdaLR(steps, pace)
    model.train()
    while True:
        for number, (batch, answers) in enumerate(_batches(some.round(rng), tokens, rng)):
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(*padded(batch))
            wanted = torch.tensor(answers) * (1 - 2 * SMOOTH) + SMOOTH
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), wanted)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            steps.step()
            steps.zero_grad()
            schedule.step()
            if time.monotonic() - begun > 60 * minutes:
                return
            if number % 100 == 99:
                say(
                    f"{(time.monotonic() - begun) / 60:.0f} of {minutes:.0f} minutes, loss {loss:.3f}"
                )


def _batches(
    pairs: Sequence[Pair], tokens: Tokens, rng: random.Random
) -> Iterator[tuple[list[list[int]], list[float]]]:
    """Pairs of about one length."""
    found = []
    for start in range(0, len(pairs), SHUFFLED):
        part = pairs[start : start + SHUFFLED]
        rows = tokens([_joined(question, note) for question, note, _ in part])
        order = sorted(range(len(part)), key=lambda n: len(rows[n]))
        for at in range(0, len(order), BATCH):
            some = order[at : at + BATCH]
            found.append(([rows[n] for n in some], [part[n][2] for n in some]))
    rng.shuffle(found)
    yield from found


def told_apart(model: Model) -> tuple[float, float]:
    """AUC on near misses, and the share of them below what KEPT of the answers reach."""
    life, tokens = near_misses(), Tokens(model.weights)
    pairs = list(life.asked)
    notes = [note for _, note in life.asked for _ in range(2)]
    pairs += zip(life.never, notes, strict=True)
    model.eval()
    with torch.no_grad():
        parts = [
            model(*padded(tokens([_joined(*pair) for pair in pairs[at : at + BATCH]])))
            for at in range(0, len(pairs), BATCH)
        ]
    logits: Floats = torch.cat(parts).numpy()
    right, wrong = logits[: len(life.asked)], logits[len(life.asked) :]
    area = float((right[:, None] > wrong).mean())
    bound = np.quantile(right, 1 - KEPT)
    return round(area, 3), round(float((wrong < bound).mean()), 2)


def _joined(question: str, note: str) -> str:
    return f"query: {question}{SEPARATOR}{note}"


if __name__ == "__main__":
    main()
