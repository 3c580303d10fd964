"""What a model proposes is taken only where the user's own message bears it out."""

import pytest

from assistant.memory.candidates import check, sensitivity, stated
from assistant.memory.claims import Who


def record(quote, value, attribute="home", subject="me"):
    return {"quote": quote, "value": value, "attribute": attribute, "subject": subject}


@pytest.mark.parametrize(
    ("text", "proposed", "expected"),
    [
        ("Hi! I live in Nantes.", record("I live in Nantes", "Nantes"), "I live in Nantes"),
        ("J’habite à Nantes", record("J'habite à Nantes", "Nantes"), "J'habite à Nantes"),
        ("My brother Marko works at Siemens",
         record("My brother Marko works at Siemens", "Siemens", "employer", "my brother Marko"),
         "My brother Marko works at Siemens"),
        ("So, I play the cello!", record("I play the cello", "cello", "hobby"), "I play the cello"),
    ],
)  # fmt: skip
def test_what_is_plainly_said_is_offered_in_the_users_words(text, proposed, expected):
    assert check(text, proposed).text == expected


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ("I live in Nantes", record("I live in Paris", "Paris")),  # not said
        ("I live in Nantes", record("I live in Nantes", "Paris")),  # not in the quote
        ("Do I live in Nantes?", record("I live in Nantes", "Nantes")),
        ("If I lived in Nantes, I live in Nantes", record("I live in Nantes", "Nantes")),
        ("Maybe I live in Nantes", record("I live in Nantes", "Nantes")),
        ("Tom says I live in Nantes", record("I live in Nantes", "Nantes")),
        ('The song goes "I live in Nantes by night"', record("I live in Nantes", "Nantes")),
        ("I live in Nantes lol just kidding", record("I live in Nantes", "Nantes")),
        ("Paris is lovely in spring", record("Paris", "Paris")),  # nothing says it is home
        ("I ate an apple", record("I ate an apple", "apple", "likes")),
        ("The bus to Nantes lives there", record("Nantes lives", "Nantes")),  # nobody's
        ("I live in Nantes", record("I live in Nantes", "Nantes", "home", "my sister")),
        ("I live in Nantes", record("I live in Nantes", "Nantes", "shoe_polish")),
        ("My number is secret", record("My number is secret", "secret", "phone")),
        ("I live in Nantes", record("I live in Nantes", "Nant")),
        ("I live in Nantes", record("", "")),
        ("I live in Nantes", {}),
        ("I live in Nantes. " * 40, record("I live in Nantes", "Nantes")),
    ],
)
def test_what_the_message_does_not_bear_out_is_dropped(text, proposed):
    assert check(text, proposed) is None


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ("I don't work at Siemens any more", record("work at Siemens", "Siemens", "employer")),
        ("I don't live in Lyon", record("live in Lyon", "Lyon")),
        ("I never want to live in Lyon", record("live in Lyon", "Lyon")),
        ("I want to live in Lyon", record("I want to live in Lyon", "Lyon")),
        ("I may work at Siemens", record("I may work at Siemens", "Siemens", "employer")),
        ("I will live in Lyon", record("I will live in Lyon", "Lyon")),
        ("I'd love to live in Lyon", record("live in Lyon", "Lyon")),
        ("I almost moved to Lyon", record("moved to Lyon", "Lyon")),
        ("I used to live in Lyon", record("live in Lyon", "Lyon")),
        ("I was married", record("I was married", "married", "status")),
        ("I had a dog", record("I had a dog", "dog", "pet")),
        ("I quit my job at Siemens", record("my job at Siemens", "Siemens", "employer")),
        ("I don't have a dog", record("have a dog", "dog", "pet")),
        ("I don't have a dog, a cat or a rabbit", record("a cat or a rabbit", "cat", "pet")),
        ("I have no dog", record("I have no dog", "dog", "pet")),
        ("I have a dog, not a cat", record("not a cat", "cat", "pet")),
        ("I am not allergic to nuts", record("allergic to nuts", "nuts", "allergy")),
        ("Je n'ai pas de chien", record("Je n'ai pas de chien", "chien", "pet")),
        ("J'habite plus à Lyon", record("J'habite plus à Lyon", "Lyon")),
        ("Je veux vivre à Lyon, j'habite chez Ana", record("vivre à Lyon", "Lyon")),
        ("I don't dislike tea", record("I don't dislike tea", "tea", "dislikes")),
        ("As a child, I lived and worked in Lyon", record("worked in Lyon", "Lyon")),
        ("You are a pilot. I live in Lyon. Just kidding", record("I live in Lyon", "Lyon")),
        ("My phone is at 5%", record("My phone is at 5%", "5%", "phone")),
        ("My wife is French", record("My wife is French", "French", "wife")),
    ],
)
def test_what_is_denied_wished_or_over_is_dropped(text, proposed):
    assert check(text, proposed) is None


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ("I have a dog, not a cat", record("I have a dog", "dog", "pet")),
        ("I don't drink, I play the cello", record("I play the cello", "cello", "hobby")),
        ("I can't stand coriander", record("I can't stand coriander", "coriander", "dislikes")),
        ("Je n'aime pas le café", record("Je n'aime pas le café", "café", "dislikes")),
        ("I was born in Lyon", record("I was born in Lyon", "Lyon", "birthplace")),
        ("My birthday is 3 May", record("My birthday is 3 May", "3 May", "birthday")),
        ("I moved in May and I live in Lyon", record("I live in Lyon", "Lyon")),
        ("No, I live in Lyon", record("I live in Lyon", "Lyon")),
        ("We have a dog called Bruno", record("We have a dog", "dog", "pet")),
    ],
)
def test_what_is_denied_beside_it_does_not_matter(text, proposed):
    assert check(text, proposed) is not None


@pytest.mark.parametrize(
    ("text", "attribute", "kind"),
    [
        ("I am allergic to nuts", "allergy", "health"), ("I take pills for asthma", "habit", "health"),
        ("I earn 3000 a month", "salary", "money"), ("My PIN is 1234", "pin", "secret"),
        ("Je suis catholique", "religion", "religion"), ("I voted green", "likes", "politics"),
        ("I live in Lyon", "home", "normal"), ("J'aime le thé", "likes", "normal"),
    ],
)  # fmt: skip
def test_sensitive_matters_are_known_as_such(text, attribute, kind):
    assert sensitivity(text, attribute) == kind


def test_the_rules_propose_by_themselves():
    (home, likes) = stated("I live in Lyon and I love tulips")
    assert (home.claim.attribute, home.text, home.quote) == (
        "home",
        "I live in Lyon",
        "I live in Lyon",
    )
    assert (likes.claim.value, likes.sensitivity) == ("tulips", "normal")
    assert stated("I don't live in Lyon any more") == []


@pytest.mark.parametrize(
    ("text", "subject", "offered"),
    [
        ("She lives in Paris", "she", True), ("He lives in Paris", "he", False),
        ("Eva lives in Paris", "she", False),
        ("I met Eva. She lives in Paris", "she", False),
        ("My colleague came. She lives in Paris", "she", False),
    ],
)  # fmt: skip
def test_she_is_proposed_of_whoever_she_means(text, subject, offered):
    quote = text.split(". ")[-1]
    found = check(text, record(quote, "Paris", subject=subject), Who("Ana", name="Ana"))
    assert (found is not None) is offered


def test_a_state_that_is_proposed_is_no_move():
    said = record("I live in France", "France"), record("I moved to France", "France")
    assert [check(one["quote"], one).claim.state for one in said] == [True, False]
