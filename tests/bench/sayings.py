"""What is said to the speech benchmarks. Made for them; nobody's recording."""

from __future__ import annotations

QUESTIONS = (
    "What should I cook for dinner tonight?",
    "Tell me how to water a small garden.",
    "Why is the sky blue in the morning?",
    "How do I write a letter to my landlord?",
    "What is a good way to learn a language?",
)

ENGLISH = (
    *QUESTIONS,
    "Please remind me to buy milk and bread tomorrow morning.",
    "The train to the coast leaves at seven in the morning.",
    "My sister will meet us at the station with her new car.",
    "In the evening there is a concert in the small church.",
    "The hotel is on the main street, next to the library.",
    "Turn off the light in the kitchen before you go to bed.",
    "Write a short note to the teacher about the school trip.",
    "We should pack warm clothes, because the wind can be strong.",
    "Please read the last message from my brother again.",
    "Set a timer for ten minutes and tell me when it is over.",
    "The meeting was moved to Thursday afternoon at four.",
    "I left my umbrella under the table in the restaurant.",
    "Which of my friends has a birthday this month?",
    "The doctor said that I should walk more and sit less.",
    "Put the book about birds on the list for the library.",
    "After lunch we can walk along the beach to the old lighthouse.",
    "How long does it take to drive to the airport from here?",
    "The cat sleeps on the warm stones behind the house.",
    "Can you play some quiet music while I work?",
    "Add apples, cheese and rice to the shopping list.",
)

FRENCH = (
    "Rappelle-moi d'acheter du lait et du pain demain matin.",
    "Quel temps fera-t-il demain à Paris ?",
    "Le train pour la mer part à sept heures du matin.",
    "Ma sœur nous attend à la gare avec sa nouvelle voiture.",
    "Après le déjeuner, nous pouvons marcher sur la plage.",
    "Le soir, il y a un concert dans la petite église.",
    "L'hôtel se trouve dans la rue principale, à côté de la bibliothèque.",
    "Je voudrais envoyer un message à mon frère.",
)

WAKING = ("Hey Jarvis!", "Hey Jarvis, what time is it?", "Hey Jarvis, turn on the light.")

NEARLY = (
    "Hey Travis, come here.", "Hey Charlie!", "The harvest was good.", "Hey, Marvin is late.",
    "Have a nice day, Janice.", "A jar of jam is on the table.", "Her service was fine.",
    "They carve this stone.",
)  # fmt: skip
