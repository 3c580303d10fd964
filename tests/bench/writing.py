"""What Write For Me makes of twenty texts, English and French, with the model that is in use.

Real daemon, real model, greedy: the same model gives the same figures. `fix` counts the planted mistakes
that are gone and looks whether every other word, name and number is still there; `shorten` whether it is
shorter with its names and numbers; `translate` whether it is in the other language with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.bench.progress import say
from tests.bench.table import Row
from tests.running import RunningDaemon, events

# operation, language asked for, text, what must be gone, what must be there
TEXTS = (
    ("fix", "", "I recieved you're letter on 14 March and Mrs Okafor have allready answered.",
     ["recieved", "you're", "have allready"], ["14 March", "Okafor", "received", "already"]),
    ("fix", "", "The invoce of 1,249.50 EUR were sent to Novatek GmbH last weak.",
     ["invoce", "were sent", "last weak"], ["1,249.50", "Novatek GmbH", "invoice", "last week"]),
    ("fix", "", "She dont know wether the meeting are on Tuesday or Thrusday.",
     ["dont", "wether", "are on", "Thrusday"], ["whether", "Tuesday"]),
    ("fix", "", "Please definately call Priya at 0170 5551234 tommorow.",
     ["definately", "tommorow"], ["Priya", "0170 5551234", "definitely", "tomorrow"]),
    ("fix", "", "Their are to many peoples in the room B12.",
     ["Their are", "to many", "peoples"], ["There are", "too many", "B12"]),
    ("fix", "", "We was happy too see that the servers is back at 08:15.",
     ["We was", "too see", "servers is"], ["08:15", "servers are"]),
    ("fix", "", "Je vous ecris pour confirmé notre rendez vous du 12 mai avec Madame Lefèvre.",
     ["ecris", "confirmé", "rendez vous"], ["12 mai", "Lefèvre", "écris", "confirmer"]),
    ("fix", "", "Les enfant est parti a l'école de Nantes avec leur sacs.",
     ["Les enfant est", "parti a ", "leur sacs"], ["Nantes", "enfants"]),
    ("fix", "", "Il a manger trois pomme et il ai malade.",
     ["a manger", "trois pomme et", "il ai"], ["mangé", "pommes"]),
    ("fix", "", "Sa fait 45,90 euros, merci de payé avant vendredi.",
     ["Sa fait", "de payé"], ["45,90", "vendredi", "payer"]),
    ("shorten", "", ("I am writing to you today because I wanted to ask whether it would perhaps be possible for"
     " you to send me the final version of the report for Acme Corp before Friday 9 May, since we need to"
     " print it before the meeting and the printer needs at least two days for it."),
     [], ["Acme", "9 May"]),
    ("shorten", "", ("After having thought about it for quite a long time and having talked to Mira and to several"
     " other people, I have come to the conclusion that I would prefer to take the train at 7:40 rather"
     " than drive, mainly because of the traffic."), [], ["7:40"]),
    ("shorten", "", ("The boiler in the flat has been making strange noises for about three weeks now, in particular"
     " at night, and although the plumber came by on 2 June and said that everything was fine, it has become"
     " even louder since then."), [], ["boiler"]),
    ("shorten", "", ("Je me permets de vous écrire afin de vous informer que, suite à un problème technique"
     " survenu hier soir, la livraison de votre commande 88213 ne pourra malheureusement pas avoir lieu avant"
     " le mardi 17 juin, et nous vous prions de bien vouloir nous en excuser."), [], ["88213", "17 juin"]),
    ("shorten", "", ("Comme nous en avions déjà parlé au téléphone la semaine dernière, je voudrais vous demander si"
     " vous seriez d'accord pour que Paul participe lui aussi à la réunion de jeudi."), [], ["Paul", "jeudi"]),
    ("translate", "fr", "The meeting with Dr. Novak is on Monday at 10:30.", ["The meeting", "Monday"],
     ["Novak", "10:30", "lundi"]),
    ("translate", "fr", "Please do not open the window, it is very cold outside.", ["window", "Please"],
     ["fenêtre"]),
    ("translate", "fr", "I bought three books in Berlin for 42 euros.", ["bought", "books"],
     ["Berlin", "42", "livres"]),
    ("translate", "en", "Le train pour Marseille part à 18:05 du quai 7.", ["Le train", "quai"],
     ["Marseille", "18:05", "7", "train"]),
    ("translate", "en", "Ma sœur ne viendra pas dimanche parce qu'elle est malade.", ["sœur", "dimanche"],
     ["sister", "Sunday"]),
)  # fmt: skip


def written(daemon: RunningDaemon, operation: str, language: str, text: str) -> dict:
    """`result` and `receipt` of one text."""
    body = {"text": text, "operation": operation, "language": language}
    with daemon.api.stream("POST", "/api/v1/write", json=body) as response:
        response.read() if response.is_error else None
        assert response.status_code == 200, response.text
        seen = {name: data for _, name, data in events(response.iter_lines())}
    return {"receipt": seen["receipt"], **seen["result"]}


def judged(operation: str, text: str, gone: list[str], there: list[str], result: str) -> dict:
    """Counts of what came true."""
    numbers = set(re.findall(r"\d+", text))
    return {
        "gone": sum(one not in result for one in gone),
        "of_gone": len(gone),
        "there": sum(one in result for one in there),
        "of_there": len(there),
        "numbers_kept": numbers <= set(re.findall(r"\d+", result)),
        "shorter": len(result) < len(text),
    }


def measure(folder: Path, _runs: int) -> Iterator[Row]:
    """One pass: greedy decoding says the same each time."""
    folder.mkdir(parents=True, exist_ok=True)
    say(f"writing: {len(TEXTS)} texts")
    daemon = RunningDaemon(folder / "home", model="starter").up()
    try:
        rows = []
        for operation, language, text, gone, there in TEXTS:
            made = written(daemon, operation, language, text)
            marks = judged(operation, text, gone, there, made["text"])
            rows.append(marks | {"operation": operation, "asked": text, "result": made["text"]})
    finally:
        daemon.stop()
    for operation in ("fix", "shorten", "translate"):
        yield from _told(operation, [row for row in rows if row["operation"] == operation])


def _told(operation: str, rows: list[dict]) -> Iterator[Row]:
    counted = [("numbers kept", "numbers_kept", len(rows)), ("shorter", "shorter", len(rows))]
    counted += [
        (name, key, sum(row[of] for row in rows))
        for name, key, of in (
            ("words gone that had to go", "gone", "of_gone"),
            ("words there that had to be", "there", "of_there"),
        )
    ]
    for name, key, of in counted:
        if of and (key != "shorter" or operation == "shorten"):
            found = sum(row[key] for row in rows)
            texts = [{"text": row["asked"], "result": row["result"]} for row in rows]
            yield Row(
                f"{operation}: {name}", "%", [100 * found / of], note=f"{found} of {of}",
                details={"texts": texts},
            )  # fmt: skip
