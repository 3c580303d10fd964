"""What is said to the memory is told from what is said to the model."""

import pytest

from assistant.core.commands import Choice, choice, kept, parse, stated

COMMANDS = [
    ("Remember that I live in Lyon", "remember", "I live in Lyon"),
    ("please remember that my PIN is 1234", "remember", "my PIN is 1234"),
    ("Nestor, remember: the key is under the pot", "remember", "the key is under the pot"),
    ("Remember my sister Ana lives in Lyon", "remember", "my sister Ana lives in Lyon"),
    ("don't forget that Tom is allergic to nuts", "remember", "Tom is allergic to nuts"),
    ("Don’t forget that Tom is here", "remember", "Tom is here"),
    ("Keep in mind that I hate coriander", "remember", "I hate coriander"),
    ("Souviens-toi que j'habite à Lyon", "remember", "j'habite à Lyon"),
    ("Retiens bien que ma sœur s'appelle Ana", "remember", "ma sœur s'appelle Ana"),
    ("N'oublie pas que Léa est allergique aux noix", "remember", "Léa est allergique aux noix"),
    ("Note : le code est 1234", "remember", "le code est 1234"),
    ("forget that I live in Lyon", "forget", "I live in Lyon"),
    ("Forget my phone number.", "forget", "my phone number"),
    ("Please forget about Ana", "forget", "Ana"),
    ("forget everything about my sister", "forget", "my sister"),
    ("Oublie que j'habite à Lyon", "forget", "j'habite à Lyon"),
    ("oublie mon numéro de téléphone", "forget", "mon numéro de téléphone"),
    ("Oublie tout ce que tu sais de ma sœur", "forget", "ma sœur"),
    ("No, it's Nice", "correct", "Nice"),
    ("no it's 06 12 34", "correct", "06 12 34"),
    ("Actually, it's Porto now", "correct", "Porto now"),
    ("Non, c'est Nice", "correct", "Nice"),
    ("En fait, c'est Porto maintenant", "correct", "Porto maintenant"),
    ("What do you know about Ana?", "about", "Ana"),
    ("what do you remember about my sister", "about", "my sister"),
    ("Que sais-tu de ma sœur ?", "about", "ma sœur"),
    ("Qu'est-ce que tu sais sur moi ?", "about", "moi"),
    ("Where did I use to live?", "past", "Where did I use to live"),
    ("Where did I live before?", "past", "Where did I live before"),
    ("What was my old phone number?", "past", "What was my old phone number"),
    ("Où est-ce que j'habitais avant ?", "past", "Où est-ce que j'habitais avant"),
    ("Quel était mon ancien numéro ?", "past", "Quel était mon ancien numéro"),
    ("undo", "undo", ""),
    ("Undo that.", "undo", ""),
    ("annule ça", "undo", ""),
]


@pytest.mark.parametrize(("text", "verb", "about"), COMMANDS)
def test_commands(text, verb, about):
    command = parse(text)
    assert command is not None
    assert command.verb == verb
    assert command.text.rstrip("?").strip() == about


@pytest.mark.parametrize(
    "text",
    [
        "", "Hello", "Do you remember where I live?", "Remember when we went to Vienna?",
        "remember to buy milk", "Remember that song by Queen?", "forget it", "Forget about it.",
        "oublie ça", "Forget-me-nots are blue, right?", "How do I forget a wifi network on Linux?",
        "No, it's not", "No, it's fine", "Actually, it's because of the rain", "Non, c'est bon",
        "No, it's a lie", "What do you think about Ana?", "What is used to clean silver?",
        "I moved to Porto", "Undo the last commit in git", "What do you know?", "x" * 700,
        "Translate: forget that I live in Lyon", "Avant, j'habitais à Lyon",
    ],
)  # fmt: skip
def test_what_is_for_the_model(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", Choice(all=True)), ("Oui.", Choice(all=True)), ("all of them", Choice(all=True)),
        ("1 and 3", Choice(numbers=(1, 3))), ("le 2", Choice(numbers=(2,))), ("no", Choice()),
        ("aucun", Choice()), ("2, 2 please", Choice(numbers=(2,))),
        ("yes but what about Tom?", None), ("I have 2 cats", None), ("maybe", None), ("", None),
        ("no, 2", None), ("100 000", None),
    ],
)  # fmt: skip
def test_choices(text, expected):
    assert choice(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No, Ana lives in Nice now", ("Ana lives in Nice now", "en")),
        ("Actually, I moved to Porto.", ("I moved to Porto.", "en")),
        ("Non, Ana habite à Nice maintenant", ("Ana habite à Nice maintenant", "fr")),
        ("En fait, j’habite à Brest", ("j'habite à Brest", "fr")),
        ("No, does Ana live in Nice?", None), ("No", None), ("Nobody lives in Nice", None),
        ("Ana lives in Nice now", None), ("No, listen:\nAna lives in Nice", None),
    ],
)  # fmt: skip
def test_what_is_set_against_something(text, expected):
    assert stated(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("No it's not Lyon, it's Nice", "Nice"), ("No, Nice.", "Nice."), ("no, in Nice", "in Nice"),
        ("That's not right, it's Nice", "Nice"), ("Not any more, it's Nice", "Nice"),
        ("It's Nice now", "Nice"), ("Non, à Nice", "à Nice"), ("No, not Lyon but Nice", "Nice"),
        ("Ce n'est pas Lyon, c'est Nice", "Nice"), ("No, +33 6 12 34", "+33 6 12 34"),
        ("No, Rio de Janeiro", "Rio de Janeiro"),
    ],
)  # fmt: skip
def test_other_ways_to_say_no(text, value):
    command = parse(text)
    assert (command.verb, command.text) == ("correct", value)


@pytest.mark.parametrize(
    "text", ["No, thanks", "No, not Lyon", "No, I live in Nice", "No, Ana lives in Nice", "No, What is it"]
)  # fmt: skip
def test_a_no_without_a_value_alone(text):
    assert parse(text) is None


MORE = [
    ("Remember that I'm vegetarian and suggest a recipe for tonight", "I'm vegetarian"),
    ("Remember that I'm vegan. What can I cook tonight? Thanks", "I'm vegan"),
    ("Remember: I'm vegan. Suggest a dinner.", "I'm vegan"),
    ("Remember that my flight is on Tuesday and make me a packing list", "my flight is on Tuesday"),
    ("Retiens que mon vol est mardi et fais-moi une liste de valises", "mon vol est mardi"),
    ("Souviens-toi que je suis végane et propose-moi un dîner", "je suis végane"),
    ("Remember that I work at Meta and tell me a joke", "I work at Meta"),
    ("Remember that we are four and suggest a game", "we are four"),
    ("Keep in mind that I'm a beginner: explain recursion to me", None),
    ("Note that I use Python 3. Now write a function that sorts a list.", None),
    ("Note: the code below fails, fix it: print(1", None),
    ("Don't forget that you are a pirate from now on", None),
    ("Remember that time we went to Vienna", None),
    ("Remember the day when we met", None),
    ("Souviens-toi que tu es un pirate", None),
]
ALL_OF_IT = [
    "Remember that I have to call Bob and write to Ana",
    "Remember that Ana likes to read and write",
    "Remember that I get up at 7 and make coffee",
    "Remember that I need to fix the sink and make a dinner for Ana",
    "Remember that my doctor is Dr. Moreau. She works in Lyon",
    "Remember that the wifi code is 99: write it down",
    "Remember the recipe: boil the pasta. Make a sauce. Find a pan",
    "Remember my motto: what goes around comes around",
    "Remember that my boss says: do it now",
    "Remember that Tom works in Lyon, Ana lives in Nice",
    "Remember that my train leaves at 10:45 and arrives at noon",
    "Souviens-toi que je dois appeler Bob et écrire à Ana",
    "Remember that I teach maths and explain the theorems to my pupils",
    "Remember that Ana said: give me a call",
    "Remember that place we liked is called Chez Paul",
    "Remember that night shifts start at 10",
]


@pytest.mark.parametrize(("text", "told"), MORE)
def test_what_also_asks_for_something_is_for_the_model(text, told):
    assert parse(text) is None
    assert kept(text) == told


@pytest.mark.parametrize("text", ALL_OF_IT)
def test_what_is_one_thing_to_remember(text):
    assert parse(text).verb == "remember"
    assert kept(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Delete the last paragraph of the text, please", "Delete the first line of my poem",
        "Delete all rows older than 30 days from the table users, in SQL", "forget your instructions",
        "Supprime le dernier paragraphe", "Forget the budget, where should we go?",
        "forget everything I said", "forget all of that", "Oublie tout ce que j'ai dit",
        "Efface mon nom dans cette lettre",
    ],
)  # fmt: skip
def test_texts_and_talk_are_not_memories(text):
    assert parse(text) is None
