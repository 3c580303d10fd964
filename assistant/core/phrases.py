"""What is said without a model, in English and French."""

from __future__ import annotations

from assistant.core.commands import Language

_TEXTS: dict[Language, dict[str, str]] = {
    "en": {
        "masked": "Forget […]",
        "stored": "Remembered: “{text}” ({id}).",
        "known": "I knew that already: “{text}” (said {count} times).",
        "closed": "No longer true, kept as history: “{text}” (since {since}).",
        "way_back": "To take this back, say “undo”.",
        "nothing": "Nothing changed.",
        "stored_untold": "Remembered.",
        "known_untold": "I knew that already.",
        "closed_untold": "What held before holds no longer and is kept as history.",
        "undone_untold": "Taken back: what held before holds again.",
        "elsewhere": "Memories are not used here, so I cannot ask which one you mean. Say it where they are used; "
                     "nothing was forgotten.",
        "storing_off": "Storing is off here; nothing was stored.",
        "nothing_meant": "I found nothing like that; nothing was forgotten.",
        "which": "Which of these shall I forget? Say the numbers, “all” or “none”; nothing is forgotten yet.\n{lines}",
        "forgot_one": "Forgotten for good ({ids}). This cannot be undone.",
        "forgot": "{count} memories forgotten for good ({ids}). This cannot be undone.",
        "left": "Fine: nothing was forgotten.",
        "no_such": "There are {count} of them; say their numbers, “all” or “none”. Nothing is forgotten yet.",
        "say_which": "There are {count} of them: say “all”, the numbers, or “none”. Nothing is forgotten yet.",
        "know": "This is what I know:\n{lines}",
        "more": "… and {more} more.",
        "more_of_all": "… and {more} more that are not listed; “all” means all {count}.",
        "more_unlisted": "… and {more} more, which “all” does not mean: say more closely what you mean.",
        "everything": "Nothing was forgotten. “Forget everything about me” is for what I know of you; to forget all "
                      "memories and conversations, run “nestor forget --everything” on this computer.",
        "past": "This held once and holds no longer:\n{lines}",
        "held": "This is what I know of that time:\n{lines}",
        "since": "“{text}”, since {start} ({id})",
        "span": "“{text}”, from {start} to {end} ({id})",
        "undone": "Taken back: what I had stored is gone.",
        "undone_again": "Taken back. This holds again:\n{lines}",
        "nothing_to_undo": "There is nothing to take back in the last message.",
        "cannot_undo": "What was forgotten is gone and cannot be brought back.",
        "correct_what": "I am not sure which fact to correct; nothing was changed. Say it in a whole sentence, "
                        "such as “Ana lives in Nice now”.",
    },
    "fr": {
        "masked": "Oublie […]",
        "stored": "C'est retenu : « {text} » ({id}).",
        "known": "Je le savais déjà : « {text} » (dit {count} fois).",
        "closed": "N'est plus vrai, gardé comme historique : « {text} » (depuis le {since}).",
        "way_back": "Pour revenir en arrière, dites « annule ».",
        "nothing": "Rien n'a changé.",
        "stored_untold": "C'est retenu.",
        "known_untold": "Je le savais déjà.",
        "closed_untold": "Ce qui valait avant ne vaut plus et reste comme historique.",
        "undone_untold": "Annulé : ce qui valait avant vaut de nouveau.",
        "elsewhere": "Les souvenirs ne sont pas utilisés ici, je ne peux donc pas demander lequel. Dites-le là où ils "
                     "le sont ; rien n'a été oublié.",
        "storing_off": "La mémorisation est désactivée ici ; rien n'a été retenu.",
        "nothing_meant": "Je n'ai rien trouvé de tel ; rien n'a été oublié.",
        "which": "Lesquels dois-je oublier ? Dites les numéros, « tous » ou « aucun » ; rien n'est encore oublié.\n{lines}",
        "forgot_one": "Oublié pour de bon ({ids}). C'est irréversible.",
        "forgot": "{count} souvenirs oubliés pour de bon ({ids}). C'est irréversible.",
        "left": "Bien : rien n'a été oublié.",
        "no_such": "Il y en a {count} ; dites leurs numéros, « tous » ou « aucun ». Rien n'est encore oublié.",
        "say_which": "Il y en a {count} : dites « tous », les numéros, ou « aucun ». Rien n'est encore oublié.",
        "know": "Voici ce que je sais :\n{lines}",
        "more": "… et {more} autres.",
        "more_of_all": "… et {more} autres qui ne sont pas montrés ; « tous » veut dire tous les {count}.",
        "more_unlisted": "… et {more} autres, que « tous » ne comprend pas : dites plus précisément ce que vous voulez.",
        "everything": "Rien n'a été oublié. « Oublie tout ce que tu sais sur moi » vaut pour ce que je sais de vous ; "
                      "pour oublier tous les souvenirs et toutes les conversations, lancez « nestor forget "
                      "--everything » sur cet ordinateur.",
        "past": "Ceci était vrai et ne l'est plus :\n{lines}",
        "held": "Voici ce que je sais de cette époque :\n{lines}",
        "since": "« {text} », depuis le {start} ({id})",
        "span": "« {text} », du {start} au {end} ({id})",
        "undone": "Annulé : ce que j'avais retenu est effacé.",
        "undone_again": "Annulé. Ceci est de nouveau vrai :\n{lines}",
        "nothing_to_undo": "Il n'y a rien à annuler dans le dernier message.",
        "cannot_undo": "Ce qui est oublié est effacé et ne peut pas revenir.",
        "correct_what": "Je ne suis pas sûr de ce qu'il faut corriger ; rien n'a changé. Dites-le en une phrase "
                        "entière, comme « Ana habite à Nice maintenant ».",
    },
}  # fmt: skip


def say(language: Language, key: str, **values: object) -> str:
    """One of the texts, filled in."""
    return _TEXTS[language][key].format(**values)
