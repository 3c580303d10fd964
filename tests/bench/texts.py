"""What the models are asked: made up, and the same on every run."""

from __future__ import annotations

import random

HELPER = "You are a helpful assistant. Answer at length."

_KINDS = ("lonely", "cheerful", "forgetful", "stubborn", "curious", "retired", "clumsy", "patient")
_PEOPLE = ("lighthouse keeper", "baker", "train driver", "beekeeper", "violin maker", "ferry captain",
           "gardener", "watchmaker")  # fmt: skip
_PLACES = ("Brittany", "the Azores", "northern Norway", "the Alps", "Lisbon", "the Danube delta",
           "a desert town", "the Outer Hebrides")  # fmt: skip


def story(run: int, stream: int) -> list[dict[str, str]]:
    """Messages that ask for a long text; no two (run, stream) below 64 and 8 are alike."""
    kind, person = _KINDS[stream % 8], _PEOPLE[run % 8]
    place = _PLACES[(run // 8 + stream) % 8]
    ask = f"Write a long story about a {kind} {person} in {place}, with many details."
    return [{"role": "system", "content": HELPER}, {"role": "user", "content": ask}]


# By trial: of these the starter model finds no end. Of lists, dates or stories it does, within 2,100 tokens.
_SUBJECTS = ("numbers", "strings", "dictionaries")


def module(run: int) -> list[dict[str, str]]:
    """Messages that ask for an answer of more than 3,000 tokens; run 3 asks what run 0 asked."""
    ask = (
        f"Write a Python module about {_SUBJECTS[run % 3]} with 120 small functions, function_1 to "
        "function_120, each with a docstring and a different body. Write all of them."
    )
    return [{"role": "system", "content": HELPER}, {"role": "user", "content": ask}]


_WHO = ("The mayor", "A neighbour", "Our teacher", "The old sailor", "My cousin", "The committee",
        "A traveller", "The librarian", "The youngest son", "Nobody in the village")  # fmt: skip
_DID = ("remembered", "described", "painted", "repaired", "forgot about", "argued over", "admired",
        "measured", "inherited", "gave away")  # fmt: skip
_WHAT = ("the broken mill", "a wooden bridge", "the harbour wall", "two silver spoons", "the map of 1874",
         "a field of barley", "the school bell", "an empty wine cellar", "the northern road")  # fmt: skip
_WHEN = ("before the first snow", "during the long drought", "on market day", "after the flood",
         "while the others slept", "in the spring of that year", "without saying why")  # fmt: skip


def essay(seed: int, tokens: int) -> str:
    """Prose of about so many tokens; another seed, another text from its first words on."""
    rng = random.Random(seed)
    sentences = [f"Chapter {rng.randint(100, 999)}."]
    # A sentence is 18 tokens of Qwen's vocabulary on average.
    while 18 * len(sentences) < tokens:
        parts = (rng.choice(_WHO), rng.choice(_DID), rng.choice(_WHAT), rng.choice(_WHEN))
        sentences.append(" ".join(parts) + f" in {rng.randint(1700, 1999)}.")
    return " ".join(sentences)


_NAMES = (
    "Ana Quintela", "Bertrand Lacroix", "Chiara Bellandi", "Dmitri Orlov", "Elske Hoekstra",
    "Fergus Malloy", "Greta Sandvik", "Hamza Benali", "Ingrid Thorsen", "Joaquim Pacheco",
    "Katya Sokolova", "Leopold Brunner", "Mireille Delcourt", "Nuno Teixeira",
)  # fmt: skip
_JOBS = ("potter", "nurse", "surveyor", "pianist", "plumber", "translator", "welder")
_CITIES = ("Porto", "Ghent", "Turin", "Riga", "Bergen", "Galway", "Graz", "Fez", "Malmö")
_MEALS = ("lentil soup", "grilled sardines", "mushroom risotto", "pancakes", "roast leek")
_GIFTS = ("a brass telescope", "a wool blanket", "two concert tickets", "a chess set")
_CARS = ("a blue Peugeot", "a rusty pickup", "an electric scooter", "a green camper van")
_FEARS = ("peanuts", "cat hair", "penicillin", "birch pollen", "shellfish")

RECALLED = 5
TOPICS = len(_NAMES)


def facts() -> list[str]:
    """Five memories about each of fourteen people."""
    out = []
    for at, name in enumerate(_NAMES):
        rng = random.Random(at)
        job, city, hour = rng.choice(_JOBS), rng.choice(_CITIES), rng.randint(6, 10)
        out += [
            f"{name} works as a {job} in {city} and starts at {hour} in the morning.",
            f"{name} likes {rng.choice(_MEALS)} best, with a glass of cold cider.",
            f"{name} has a birthday on {rng.randint(1, 28)} May; we gave {rng.choice(_GIFTS)}.",
            f"{name} drives {rng.choice(_CARS)}, bought for {rng.randint(11, 99)}00 euros.",
            f"{name} is allergic to {rng.choice(_FEARS)} and always carries a yellow pill box.",
        ]
    return out


# Worded by trial: for these questions the recall finds a person's five memories and no others.
_QUESTION = "Who is {name}?"
_ENDING = " Five words."


def question(chat: int, turn: int) -> str:
    """Turn `turn` (from 0) of chat `chat`: about another person each turn, in another order each chat."""
    return draft(chat, turn) + _ENDING


def draft(chat: int, turn: int) -> str:
    """The same question without its last words."""
    return _QUESTION.format(name=_NAMES[(3 * chat + turn) % TOPICS])


TYPOS = """\
Last sumer we spent two weeks in a smal village on the coast of Portugal. The house belonged to an \
old fisherman who had movd to the city to live with his daugther. It had thick white wals, a blue \
door and a garden full of lemon trees. Every mornig we walked down to the harbour to buy bread and \
to watch the boats come back. The fishermen were frendly and told us storys about storms, about \
enormous octopuses and about a captain who had lost his hat in three diferent oceans.

On the third day it raind so hard that the road to the village was closed. We stayed inside, played \
cards and read the books that we found on the shelfs. Most of them were about birds. My brother, who \
had never been intrested in birds before, learned the names of fourty species and spent the rest of \
the holiday looking for them with a pair of borowed binoculars. He saw eleven of them and was very \
proud of it.

In the evenings we cooked fish on the terace and listend to the sea. Our neighbour, a retired music \
teacher, sometimes came over with her guitar and a botle of sweet wine. She sang songs from the \
islands where she was born, and she explaned what the words ment. When we left, she gave us a basket \
of lemons and made us promiss to come back. We still have her adress on the kitchen wall, and this \
year we will write to her before the end of Febuary."""

FIX = (
    "Fix the typos in this page. Change nothing else, and write the whole page again with the "
    "typos fixed, and nothing besides.\n\n"
)
