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


@pytest.mark.parametrize(
    "text",
    [
        "Forget what I told you about Ana",
        "Oublie ce que je t'ai dit sur Ana",
        "forget all about Ana",
    ],
)
def test_what_i_told_you_about_somebody_is_asked_about(text):
    talk = Talk("Ana lives in Lyon", "Ana likes tea", "I live in Brest")
    talk.say(text)
    talk.say("tous" if "Oublie" in text else "all")
    assert talk.live == ["I live in Brest"]


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


# --- "no, it's …" ------------------------------------------------------------------------------

WORLD = [
    ("I work at Google", "I'm working on a quiz: what is the capital of Australia?", "No, it's Canberra"),
    ("I live in Lyon", "I need help with a crossword: a city in Portugal, five letters?", "No, it's Porto"),
    ("I live in Lyon", "Which city is the Louvre in?", "No, it's Paris"),
    ("I live in Lyon", "Where do kangaroos live?", "No, it's Australia"),
    ("I live in Lyon", "Where do I live? And what is the capital of Australia?", "No, it's Canberra"),
    ("I live in Lyon", "Which town near where I live is nice?", "No, it's Vienne"),
    ("I live in Lyon", "Translate into French: Where do I live?", "No, it's Où"),
    ("I live in Lyon", "Where did I live in 2024?", "No, it's Nice"),
    ("I live in Lyon", "Where do I live?", "No, it's Monday"),
    ("I live in Lyon", "Where do I live?", "No, thanks"),
    ("I live in Lyon", "Where do I live?", "No, Thanks"),
    ("I live in Lyon", "Where do I live?", "No, Ana lives in Nice"),
    ("I live in Lyon", "Where do I live?", "No, not Lyon"),
    ("My name is Bob", "What's the name of the detective in the book I read?", "No, it's Hercule Poirot"),
    ("My name is Bob", "What's the name of my wife's favourite singer?", "No, it's Adele"),
    ("My phone number is 12 34", "What's my phone number?", "No, it's 2 in the morning"),
    ("My phone number is 12 34", "What's my old phone number?", "No, it's 56 78"),
    ("My birthday is 3 May", "When is my birthday?", "No, it's 2 in the morning"),
    ("J'habite à Lyon", "Dans quelle ville est le Louvre ?", "Non, c'est Paris"),
    ("I'm vegetarian", "What's my diet?", "No, it's raining"),
    ("My favourite colour is blue", "What's my favourite colour?", "No, it's over"),
]  # fmt: skip
CORRECTED = [
    ("I live in Lyon", "Where do I live?", "No it's not Lyon, it's Nice", "I live in Nice"),
    ("I live in Lyon", "Where do I live?", "No, Nice.", "I live in Nice"),
    ("I live in Lyon", "Hey, do you know where I live?", "no, in Nice", "I live in Nice"),
    ("I live in Lyon", "Where do I live?", "That's not right, it's Nice", "I live in Nice"),
    ("I live in Lyon", "Where do I live?", "Not any more, it's Nice", "I live in Nice"),
    ("I live in Lyon", "Where do I live?", "It's Nice now", "I live in Nice"),
    ("I live in Lyon", "Where do I live?", "Wrong. Nice now.", "I live in Nice"),
    ("I live in Lyon", "Where do I live?", "No, not Lyon but Rio de Janeiro", "I live in Rio de Janeiro"),
    ("J'habite à Lyon", "Où est-ce que j'habite ?", "Non, à Nice", "J'habite à Nice"),
    ("J'habite à Lyon", "Où est-ce que j'habite ?", "Non, en Italie", "J'habite en Italie"),
    ("J'habite à Lyon", "J'habite où ?", "Non, ce n'est pas Lyon, c'est Nice", "J'habite à Nice"),
    ("My phone number is 12 34", "What's my phone number?", "No, 56 78", "My phone is 56 78"),
    ("My boss is Eva", "Who is my boss?", "No, it's Tom", "My boss is Tom"),
    ("Ana lives in Lyon", "Thanks. Where does Ana live?", "No, it's Nice", "Ana lives in Nice"),
    ("My name is Bob", "What's my name?", "No, it's Rob", "My name is Rob"),
    ("I'm vegetarian", "What's my diet?", "No, it's vegan", "I am vegan"),
    ("My birthday is 3 May", "When's my birthday?", "No, May 5", "My birthday is May 5"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "asked", "said"), WORLD)
def test_an_answer_about_the_world_changes_no_fact(told, asked, said):
    talk = Talk(told)
    talk.say(asked, recalled=talk.ids(told))
    assert talk.say(said) is None
    assert (talk.live, talk.closed) == ([told], [])


@pytest.mark.parametrize(("told", "asked", "said", "now"), CORRECTED)
def test_what_was_asked_for_whole_is_corrected(told, asked, said, now):
    talk = Talk(told)
    talk.say(asked)
    assert talk.say(said)
    assert (talk.live, talk.closed) == ([now], [told])


def test_what_was_just_told_without_a_model_is_corrected_too():
    talk = Talk()
    talk.say("Remember that I live in Lyon")
    talk.say("No, it's Nice")
    talk.say("No, Porto")
    assert (talk.live, talk.closed) == (["I live in Porto"], ["I live in Lyon", "I live in Nice"])
    talk.tell("Tom lives in Brest")
    assert "Porto" in talk.say("What do you know about me?")
    assert talk.say("No, Tom!") is None
    talk.say("What do you know about Tom?")
    talk.say("No, it's Caen")
    assert talk.live == ["I live in Porto", "Tom lives in Caen"]


def test_of_several_that_were_told_none_is_guessed():
    talk = Talk("Ana lives in Lyon", "Ana likes tea")
    assert "Lyon" in talk.say("What do you know about Ana?")
    assert talk.say("No, it's Coffee") is None
    assert talk.live == ["Ana lives in Lyon", "Ana likes tea"]


def test_a_number_among_memories_to_forget_is_no_phone_number():
    talk = Talk("My phone number is 12 34. The cat is red", "I live in Lyon")
    assert "Which of these" in talk.say("Forget my phone number")
    assert talk.say("No, 567 89") is None
    assert talk.live == ["My phone number is 12 34. The cat is red", "I live in Lyon"]


# --- what goes on to ask for something ---------------------------------------------------------


def test_what_is_to_be_remembered_is_kept_and_the_rest_is_for_the_model():
    talk = Talk("I'm vegetarian")
    assert talk.say("Remember that I'm vegan and suggest a recipe for tonight") is None
    assert (talk.live, talk.closed) == (["I'm vegan"], ["I'm vegetarian"])


@pytest.mark.parametrize(
    "text", ["Delete the comments", "Erase the whiteboard drawing", "Supprime les doublons"]
)
def test_what_the_memory_has_nothing_of_is_not_to_be_erased_from_it(text):
    talk = Talk("I live in Lyon")
    assert talk.say(text) is None
    assert "nothing was forgotten" in talk.say("Delete my phone number")
    assert "nothing was forgotten" in talk.say("Forget the moon landing")
    talk.tell("The comments are in the red folder", "Erase the whiteboard drawing", "Les doublons")
    assert talk.say(text)


# --- all of it ---------------------------------------------------------------------------------


def test_about_me_is_all_that_was_told_of_me():
    talk = Talk("Ana lives in Nice")
    mine = ["I have two cats", "I play the piano on Sundays", "I'm training for a marathon",
            "J'ai deux frères", "My bike has a flat tyre"]  # fmt: skip
    for text in mine:
        talk.say(f"Remember that {text}")
    talk.say("Remember that the moon is far")
    talk.tell("I am a note of somebody else's", speaker="Tom")
    said = talk.say("What do you know about me?")
    assert all(text in said for text in mine)
    assert not any(word in said for word in ("Ana", "moon", "somebody"))
    both = talk.say("What do you know about me and Ana?")
    assert all(text in both for text in (*mine, "Ana lives in Nice"))
    assert talk.say("What do you know about salt and pepper?") is None


def test_how_many_more_there_are_is_said():
    talk = Talk(*(f"I like thing{at}" for at in range(30)))
    said = talk.say("What do you know about me?")
    assert said.count("I like thing") == 20
    assert "and 10 more" in said
    assert "et 10 autres" in talk.say("Que sais-tu de moi ?")


def test_forget_everything_about_me_means_all_of_it():
    talk = Talk(*(f"I like thing{at}" for at in range(13)), "Ana lives in Nice")
    talk.say("Remember that I have two cats")
    said = talk.say("forget everything you know about me")
    assert "and 5 more" in said
    assert "all 14" in said
    assert "There are 9" in talk.say("12")
    talk.say("forget everything you know about me")
    talk.say("all")
    assert talk.live == ["Ana lives in Nice"]


def test_all_of_a_list_is_no_more_than_was_listed():
    talk = Talk(*(f"Ana likes thing{at}" for at in range(12)))
    assert "3 more, which “all” does not mean" in talk.say("Forget about Ana")
    talk.say("all")
    assert len(talk.live) == 3


@pytest.mark.parametrize(
    "text", ["forget everything", "Forget everything you know.", "oublie tout"]
)
def test_forget_everything_says_how(text):
    talk = Talk("I live in Lyon")
    assert "nestor forget --everything" in talk.say(text)
    assert talk.say("yes") is None
    assert talk.live == ["I live in Lyon"]


# --- what used to be ---------------------------------------------------------------------------

ONCE = [
    ("What's my old phone number?", "12 34"), ("What was my previous number?", "12 34"),
    ("c'est quoi mon ancien numéro ?", "12 34"), ("Where did I live before?", "Lyon"),
    ("J'habitais où avant ?", "Lyon"), ("Où est-ce que j'habitais avant ?", "Lyon"),
    ("What car did I drive before?", "Clio"), ("Which company did I work for before?", "Google"),
    ("Chez qui je travaillais avant ?", "Google"), ("Who was my boss before Tom?", "Eva"),
    ("Who was my boss before Eva?", "Ivo"), ("Qui était mon ancien chef ?", "Eva"),
    ("Who was my previous boss?", "Eva"), ("Where did I live before Porto?", "Lyon"),
]  # fmt: skip


@pytest.fixture
def moved():
    talk = Talk("My boss is Ivo", "My boss is Eva", "I live in Lyon", "My phone number is 12 34",
                "I work at Google", "I drive a Clio")  # fmt: skip
    talk.tell(
        "My boss is Tom",
        "I live in Porto",
        "My phone number is 56 78",
        "I work at Meta",
        "I drive a Tesla",
    )
    return talk


@pytest.mark.parametrize(("asked", "value"), ONCE)
def test_what_held_once_is_told(moved, asked, value):
    said = moved.say(asked)
    assert value in said
    assert not any(now in said for now in ("Tom", "Porto", "56 78", "Meta", "Tesla"))


@pytest.mark.parametrize(
    "text",
    [
        "Where did Napoleon live before Elba?", "What did I do before the match?", "What did I do last May?",
        "Who was my boss before Ada?", "Where did I live before the war?", "What was the score in 2024?",
    ],
)  # fmt: skip
def test_of_what_it_has_no_history_the_model_is_asked(moved, text):
    assert moved.say(text) is None


def test_where_did_i_live_in_2024():
    talk = Talk()
    talk.tell("I live in Brest", said_at="2023-05-01")
    talk.tell("I live in Lyon", said_at="2024-06-01")
    talk.tell("I live in Porto", said_at="2025-06-01")
    said = talk.say("Where did I live in 2024?")
    assert "Lyon" in said
    assert "Brest" in said
    assert "Porto" not in said
    assert "Brest" in talk.say("Où est-ce que j'habitais en 2023 ?")
    said = talk.say("Where did I live last year?")
    assert "Lyon" in said
    assert "“I live in Porto”, since 2025-06-01" in said
    assert talk.say("Where did I live in 2019?") is None
    assert talk.say("Where did I live in May?") is None


@pytest.mark.parametrize(
    "text", ["Remember that she lives in Paris now", "Remember that she lives in Paris and suggest a gift"]
)  # fmt: skip
def test_she_is_remembered_as_whom_it_means(text):
    talk = Talk("Ana lives in Nice")
    talk.say("Tell me about Ana")
    talk.say(text)
    assert talk.closed == ["Ana lives in Nice"]
    assert talk.live[0].startswith("Ana lives in Paris")


def test_forget_my_allergies():
    talk = Talk("I'm allergic to nuts", "I live in Lyon")
    assert "orgotten for good" in talk.say("forget my allergies")
    assert talk.live == ["I live in Lyon"]


def test_a_german_date_is_corrected_whole():
    talk = Talk("Mein Geburtstag ist am 5. Mai")
    talk.say("Remember that mein Geburtstag ist am 3. Mai")
    assert talk.live == ["Mein Geburtstag ist am 3. Mai"]
