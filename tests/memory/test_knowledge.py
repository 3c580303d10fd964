"""What a conversation may do to what is known: nothing true is lost by a turn of phrase."""

import pytest
from memory.talk import Talk

from assistant.memory import asking

# --- what a phrase asks for --------------------------------------------------------------------

WHOSE = [
    ("Where do I live?", "I", "home"),
    ("which city do we live in", "I", "home"),
    ("Tell me where I live.", "I", "home"),
    ("where I live", "I", "home"),
    ("Où est-ce que j'habite ?", "I", "home"),
    ("Où habite ma sœur ?", "ma sœur", "home"),
    ("Wo wohne ich?", "I", "home"),
    ("¿Dónde vivo?", "I", "home"),
    ("Where is my sister employed?", "my sister", "employer"),
    ("Who does Ana work for?", "Ana", "employer"),
    ("Chez qui travaille Ana ?", "Ana", "employer"),
    ("What do I do for a living?", "I", "job"),
    ("What car do I drive?", "I", "car"),
    ("How old am I?", "I", "age"),
    ("What's my phone number?", "I", "phone"),
    ("c'est quoi mon numéro ?", "I", "phone"),
    ("Ana's company?", "Ana", "employer"),
    ("l'adresse de ma sœur", "ma sœur", "address"),
    ("my favourite colour", "I", "favourite colour"),
    ("What's the wifi password?", "I", "wifi password"),
    ("Who is my boss?", "I", "boss"),
    ("What is my sister's name?", "I", "sister"),
]


@pytest.mark.parametrize(("text", "who", "attribute"), WHOSE)
def test_whose_what_is_asked_for(text, who, attribute):
    found = asking.asked(text)
    assert (found.who.shown, found.attribute, found.past) == (who, attribute, False)


@pytest.mark.parametrize(
    ("text", "attribute", "before"),
    [
        ("Where did I live in 2024?", "home", ""), ("Where did I use to live?", "home", ""),
        ("Where did I live last year?", "home", ""), ("J'habitais où avant ?", "home", ""),
        ("Which company did I work for before?", "employer", ""), ("my old number", "phone", ""),
        ("Who was my boss before Tom?", "boss", "Tom"), ("Qui était mon ancien chef ?", "boss", ""),
        ("What car did I drive before the Tesla?", "car", "the Tesla"),
    ],
)  # fmt: skip
def test_what_was_is_told_from_what_is(text, attribute, before):
    found = asking.read(text)
    assert (found.who.shown, found.attribute, found.past, found.before) == (
        "I",
        attribute,
        True,
        before,
    )


@pytest.mark.parametrize(
    "text",
    [
        "I'm working on a quiz: what is the capital of Australia?", "Which city is the Louvre in?",
        "I need help with a crossword: a city in Portugal, five letters?", "Where do you live?",
        "What's the name of the detective in the book I read?", "Which city near where I live is nice?",
        "What's the name of my wife's favourite singer?", "What's my wife's dog's name?", "my sister",
        "my diet, give me a steak", "my job for a minute", "What is the name?", "my number one priority",
        "Where do I live? And what is the capital of Australia?", "How do I live with it?", "", "?",
    ],
)  # fmt: skip
def test_what_is_not_asked_for_whole_is_asked_for_of_nobody(text):
    assert asking.asked(text) == asking.Asked()


# --- forgetting --------------------------------------------------------------------------------

IDIOMS = [
    ("I'm vegetarian", "Forget my diet, give me a good steak recipe"),
    ("I'm vegetarian", "Forget my diet. Give me a good steak recipe"),
    ("I'm vegetarian", "Forget my diet tonight"),
    ("I'm vegetarian", "Forget that I'm vegetarian, give me a steak recipe"),
    ("I'm vegetarian", "Forget that I'm vegetarian for a moment"),
    ("Je suis végétarien", "Oublie mon régime, donne-moi une recette de steak"),
    ("Je suis végétarien", "Oublie mon régime une minute"),
    ("I work as a nurse", "Forget my job for a minute, what hobby would suit me?"),
    ("I work as a nurse", "Can you forget my job and suggest a hobby?"),
    ("My birthday is 3 May", "Forget my birthday, when is Ana's birthday?"),
    ("My address is 5 rue X", "Delete my address from this letter: Bob, 5 rue X, Lyon"),
    ("Mon adresse est le 5 rue X", "Supprime mon adresse de la lettre"),
    ("My phone number is 12 34", "Erase my phone number from the signature above"),
    ("I live in Lyon", "Forget where I live, imagine I could live anywhere"),
    ("My name is Bob", "Forget my name: what would you call me?"),
]
UNSURE = [
    ("I'm vegetarian", "Forget that I'm vegetarian tonight"),
    ("I'm vegetarian", "Forget that I'm vegetarian because I want a steak"),
    ("Je suis végétarien", "Oublie que je suis végétarien ce soir"),
    ("I live in Lyon", "Forget where I live and who I am"),
    ("I live in Lyon", "Forget that I live in Lyon with Ana"),
    ("My phone number is 12 34", "Forget my phone number, I changed it"),
    ("My phone number is 12 34", "Forget my phone number, my address and my birthday"),
    ("My boss is Eva", "Forget my boss"),
]
SURE = [
    ("I'm vegetarian", "Forget that I'm vegetarian"),
    ("I'm vegetarian", "Forget my diet, please"),
    ("I live in Lyon", "Forget where I live."),
    ("My phone number is 12 34", "Please forget my phone number"),
    ("My phone number is 12 34", "delete my phone number from your memory"),
    ("My sister's number is 12 34", "Forget my sister's number"),
    ("Mon numéro est le 12 34", "Oublie mon numéro de téléphone"),
    ("Ana is my sister", "Forget that Ana is my sister"),
    ("My landlord is Mr. Castellan", "forget that my landlord is Mr. Castellan"),
    ("I live in the Netherlands", "forget that I live in the Netherlands"),
]


@pytest.mark.parametrize(("told", "said"), IDIOMS)
def test_an_idiom_erases_nothing_and_is_for_the_model(told, said):
    talk = Talk(told)
    assert talk.say(said) is None
    assert talk.live == [told]


@pytest.mark.parametrize(("told", "said"), UNSURE)
def test_what_is_not_named_whole_is_asked_about(told, said):
    talk = Talk(told)
    assert told in talk.say(said)
    assert talk.live == [told]
    talk.say("1")
    assert talk.live == []


@pytest.mark.parametrize(("told", "said"), SURE)
def test_what_is_named_whole_is_forgotten_at_once(told, said):
    talk = Talk(told)
    assert talk.say(said)
    assert talk.live == []


def test_my_old_number_is_not_my_number():
    talk = Talk("My phone number is 12 34", "My phone number is 56 78")
    assert "12 34" in talk.say("Forget my old phone number")
    talk.say("1")
    assert (talk.live, talk.closed) == (["My phone number is 56 78"], [])


# --- the switches ------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", [{"learns": False}, {"store": False}])
def test_where_nothing_is_learnt_a_correction_is_for_the_model(switches):
    talk = Talk("I live in Lyon")
    talk.say("Where do I live?")
    assert talk.say("No, it's Nice", **switches) is None
    assert (talk.live, talk.closed) == (["I live in Lyon"], [])


def test_where_memories_are_not_used_none_is_quoted():
    talk = Talk("My sister Ana lives in Lyon", "Ana hates mint", "My phone number is 12 34")
    for text in ("forget my sister", "forget mint", "forget the moon landing"):
        assert talk.say(text, tell=False) == (
            "Memories are not used here, so I cannot ask which one you mean. "
            "Say it where they are used; nothing was forgotten."
        )
    for text in ("What do you know about Ana?", "Where did Ana use to live?"):
        assert talk.say(text, tell=False) is None
    said = talk.say("Remember that Ana lives in Nice", tell=False)
    assert "no longer" in said
    assert "Lyon" not in said
    assert talk.live[-1] == "Ana lives in Nice"
    said = talk.say("undo", tell=False)
    assert "holds again" in said
    assert "Lyon" not in said
    assert "My sister Ana lives in Lyon" in talk.live
    assert "already" in talk.say("Remember that my sister lives in Lyon", tell=False)
    talk.say("forget my phone number", tell=False)
    assert "My phone number is 12 34" not in talk.live
