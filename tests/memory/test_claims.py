"""What a text claims, read by rules: what denies, remarks, jokes or tells of other times claims nothing."""

from __future__ import annotations

import pytest

from assistant.memory.claims import Who, alone, claims, read
from assistant.memory.earnest import to_work_on
from assistant.memory.places import may_be_in


def said(text, **how):
    return [
        ("not " if one.negated else "") + f"{one.attribute} {one.value}"
        for one in claims(text, **how)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("J'habite plus à Lyon.", "not home Lyon"), ("J'habite pas à Lyon", "not home Lyon"),
        ("Je n'habite plus à Lyon", "not home Lyon"), ("On habite plus à Lyon", "not home Lyon"),
        ("Ma sœur vit plus à Lyon", "not home Lyon"), ("Je suis pas végétarien.", "not diet végétarien"),
        ("Je suis plus végétarienne", "not diet végétarienne"), ("J'aime pas le café", "dislikes le café"),
        ("Je n'aime plus le café", "not likes le café"), ("Je bosse plus chez Airbus", "not employer Airbus"),
        ("Je parle pas allemand", "not speaks allemand"), ("No vivo en Madrid.", "not home Madrid"),
        ("Ya no vivo en Madrid", "not home Madrid"), ("Ana no vive en Madrid", "not home Madrid"),
        ("Non vivo a Roma", "not home Roma"), ("Non abito più a Roma", "not home Roma"),
        ("Não moro em Lisboa", "not home Lisboa"), ("Já não moro em Lisboa", "not home Lisboa"),
        ("Ich wohne nicht in Berlin", "not home Berlin"),
        ("Ich wohne nicht mehr in Berlin", "not home Berlin"),
        ("My name is not Bob", "not name Bob"), ("My phone number is no longer 12 34", "not phone 12 34"),
        ("My phone number isn't 12 34 any more", "not phone 12 34"),
        ("Mon numéro n'est plus le 12 34", "not phone le 12 34"),
        ("I'm not working at Google any more", "not employer Google"),
        ("I'm no longer working for Google", "not employer Google"),
        ("I'm no longer with Google", "not employer Google"),
        ("I stopped working at Google", "not employer Google"),
        ("I don't drive a Tesla any more", "not car Tesla"), ("I sold my Tesla", "not car Tesla"),
        ("Eva is no longer my boss", "not boss Eva"), ("Eva isn't my boss any more", "not boss Eva"),
        ("Eva n'est plus ma cheffe", "not boss Eva"), ("I moved away from Lyon", "not home Lyon"),
    ],
)  # fmt: skip
def test_what_is_denied_is_read_as_denied(text, expected):
    assert said(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No, vivo en Madrid", "home Madrid"), ("No vivo en Madrid, vivo en Sevilla", "home Sevilla"),
        ("Ahora vivo en Madrid", "home Madrid"), ("Ora abito a Roma", "home Roma"),
        ("No, I live in Nice", "home Nice"), ("Non, j'habite à Nice", "home Nice"),
        ("J'habite toujours à Nice", "home Nice"), ("J'habite plutôt à Nice", None),
        ("J'aime plus le café que le thé", None), ("J'aime pas mal le café", None),
        ("J'aime plus le café", None), ("I live in Nice any more", None),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_denial(text, expected):
    found = [one for one in said(text) if not one.startswith("not ")]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    "text",
    [
        "My name is hard to pronounce.", "My name is misspelled on the form", "The name is misleading.",
        "My name is German",
        "My phone is at 5%.", "My phone is an iPhone 12.", "My phone is 3 years old", "My phone is broken",
        "My phone number is easy to remember", "My birthday is next week.", "My birthday is in 3 days",
        "My birthday is coming up on Monday", "My birthday is at 19:30", "The password is incorrect.",
        "My password is too weak",
        "My password is expired", "The wifi password is wrong", "My email is down.", "My email is full",
        "My diet is going well.",
        "My diet is great", "My rent is too high.", "My rent is 3 weeks late",
        "My salary is 10% higher", "The rent is due on the 5th",
        "My address is wrong on the form.", "My address is near the station", "My city is great.",
        "My home is on fire",
        "My home is quiet", "I drive a lot.", "I drive a friend to Paris", "I drive a tram in Zagreb",
        "My car is parked in Paris",
        "My wife is French.", "My wife is Muslim", "My boss is German.", "My boss is CEO",
        "Mon mari est Belge",
        "Mein Mann ist Ingenieur.", "Mein Chef ist Arzt", "My company is German",
        "My employer is great", "My school is closed on Monday",
        "Mon numéro est trop long", "Mon adresse est fausse", "Ma voiture est en panne depuis lundi",
        "My height is average",
        "My blood type is rare", "We go by train.", "Ana m'appelle souvent",
        "My favourite book is too long", "My job is hard",
        "I work at night.", "I work at home today.", "I work for free", "I work at 9",
        "I work for 8 hours", "I work for myself",
        "I work as hard as I can", "I work as much as I can", "Je travaille comme un fou",
        "Je travaille à Paris.",
        "Je travaille au bureau", "Je travaille à la maison", "Je travaille pour moi",
        "Je travaille à plein temps",
        "J'habite au troisième étage.", "Je vis en couple.", "J'habite à côté de Paris",
        "Je viens de rentrer.", "I live in harmony",
        "I moved to the left", "I moved to Linux", "i live in harmony",
    ],
)  # fmt: skip
def test_a_remark_is_no_value(text):
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My name is Bob", "name Bob"), ("My name is Ludwig van Dyke", "name Ludwig van Dyke"),
        ("My phone is 06 11 22 33 44", "phone 06 11 22 33 44"),
        ("My phone number is +33 (0)6 11-22", "phone +33 (0)6 11-22"),
        ("My birthday is on 3 May", "birthday 3 May"),
        ("My birthday is May the fourth", "birthday May the fourth"),
        ("My password is zebra", "password zebra"), ("My email is a@b.c", "email a@b.c"),
        ("My diet is vegan", "diet vegan"),
        ("My diet is low-carb", "diet low-carb"),
        ("My rent is 1200 euros a month", "rent 1200 euros a month"),
        ("My rent is about €900", "rent about €900"), ("My address is Rose Cottage", "address Rose Cottage"),
        ("My city is Lyon", "home Lyon"), ("My home is in Lyon", "home Lyon"),
        ("I drive a Tesla", "car Tesla"),
        ("I drive a red skoda", "car red skoda"), ("My car is a 208", "car a 208"),
        ("My wife is Ana", "wife Ana"),
        ("My boss is Eva Stone", "boss Eva Stone"), ("Mein Mann heißt Tom", "husband Tom"),
        ("My shoe size is 42", "size 42"),
        ("The wifi password is plum-lantern-42", "wifi password plum-lantern-42"),
        ("My employer is Siemens", "employer Siemens"),
        ("I work at a bank", None), ("I work at the bakery", "employer the bakery"),
        ("I work for Meta", "employer Meta"),
        ("I work as a nurse", "job nurse"), ("Je travaille à la SNCF", "employer SNCF"),
        ("Je travaille au CNRS", "employer CNRS"),
        ("My PIN is 4711 at the bank", "pin 4711 at the bank"),
        ("I work at Home Depot", "employer Home Depot"),
        ("My car is a red Tesla", "car a red Tesla"), ("I drive a Tesla to work", "car Tesla"),
        ("I work at Google in Zurich", "employer Google"),
        ("I live in Frankfurt am Main", "home Frankfurt am Main"),
        ("We moved to Porto together", "home Porto"),
        ("I live in New York", "home New York"), ("I live in the Hague", "home the Hague"),
        ("J'habite aux Lilas", "home Lilas"),
        ("i live in porto", "home porto"), ("no, i moved to porto", "home porto"),
        ("My favourite film is Up", "favourite film Up"),
        ("My favourite colour is blue", "favourite colour blue"),
        ("I'm from the Netherlands", "origin the Netherlands"),
    ],
)  # fmt: skip
def test_a_value_of_the_right_kind_is_one(text, expected):
    assert said(text) == ([expected] if expected else [])


def test_a_german_name_is_one_where_it_is_known():
    assert said("Mein Mann ist Tom", known=lambda name: name == "Tom") == ["husband Tom"]


@pytest.mark.parametrize(
    "text",
    [
        "For this exercise, I live in Porto.", "I live in Porto. Just kidding!",
        "I live in Porto... not!", "I live in Porto… not",
        "Je vis à Porto. Je plaisante !", "Ich wohne in Porto. Nur ein Scherz!",
        "I live in Porto. That was a joke.",
        "As a child, I moved to Porto.", "As a young kid I moved to Porto",
        "I moved to Porto when I was five.",
        "When I was five, I moved to Porto", "Enfant, j'ai déménagé à Porto",
        "Quand j'étais petit, j'ai déménagé à Porto",
        "I moved to Porto for a year in 2001", "I moved to Porto in 2015.", "In 2015, I moved to Porto",
        "Back in 2015 I moved to Porto",
        "In May 2015, I moved to Porto", "J'ai déménagé à Porto en 2015", "En 2015, j'ai déménagé à Porto",
        "I moved to Porto 20 years ago", "Ten years ago I moved to Porto",
        "Il y a dix ans, j'ai déménagé à Porto",
        "Starting in June, I live in Porto", "I live in Porto from next month",
        "From Monday, I work at Meta", "I work at Meta next year",
        "À partir de lundi, je travaille chez Meta", "In my novel, Ana lives in Paris.",
        "In my novel Ana lives in Paris",
        "Ana lives in Paris in my story", "Dans mon roman, Ana habite à Paris",
        "For example, I live in Porto",
        "In our game I work at NASA", "I live in Porto during the week",
    ],
)  # fmt: skip
def test_stories_jokes_and_other_times_claim_nothing(text):
    assert said(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Could you proofread this? I moved to Porto in May. Thanks", "Please translate: I moved to Porto",
        "I moved to Porto in May. Can you correct this sentence?",
        "I moved to Porto. Fix my grammar please", "Can you rewrite it? I live in Porto.",
        "You are a travel agent. I live in Porto and want to go to Spain.",
        "You're an old sailor. I live in Cork.", "Act as my doctor. I live in Porto.",
        "Let's role-play. I live in Porto.", "Tu es un pirate. J'habite à Porto.",
        "Peux-tu traduire ? J'habite à Porto.",
        "Hi! Please write a story. I live in Porto. Paul is there.",
        "Tell me a story about Paul. He lives in Paris.",
        "Could you please help me translate this? I live in Porto.",
        "Would you mind checking this text? I live in Porto.",
        "Once upon a time, Ana lived in Rome. Ana lives in Paris.",
        "We're doing a role-play. I live in Porto.",
        "Corrige ce texte : j'habite à Porto", "J'habite à Porto. Corrige cette phrase",
    ],
)  # fmt: skip
def test_texts_to_work_on_and_roles_to_play_are_told(text):
    assert to_work_on(text)


@pytest.mark.parametrize(
    "text",
    [
        "I moved to Porto. Could you write to my landlord?",
        "I live in Porto, can you recommend a cafe?", "You are a great help. I moved to Porto.",
        "No, I live in Porto", "No, wait, I live in Nice.", "I'm reading a book. I live in Nice",
        "At the moment, I live in Nice", "I moved to Porto in May",
        "You're the best! I moved to Porto.",
        "I work at Meta and write reports",
    ],
)  # fmt: skip
def test_a_request_after_a_statement_takes_nothing_from_it(text):
    assert not to_work_on(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I moved to Porto in May", ["home Porto"]),
        ("I live in Porto. Ana loves joking around.", ["home Porto"]),
        ("I work as a child minder", ["job child minder"]), ("I moved to Porto last month", ["home Porto"]),
        ("I've lived here, I was born in 1985", ["birthday 1985"]),
        ("I live in Porto since 2015", ["home Porto"]),
        ("I work for the game company", ["employer the game company"]),
        ("I'm married", ["status married"]), ("I'm pregnant!", ["pregnancy pregnant"]),
        ("I'm retired.", ["activity retired"]),
        ("I'm not pregnant any more", ["not pregnancy pregnant"]),
        ("Je suis enceinte !", ["pregnancy enceinte"]),
        ("Je suis à la retraite", ["activity retraite"]),
        ("I'm lactose intolerant.", ["condition lactose intolerant"]),
        ("I'm coeliac.", ["condition coeliac"]),
        ("Je suis intolérante au lactose", ["condition intolérante au lactose"]),
        ("I left Paris", ["not employer Paris", "not home Paris"]),
        ("J'ai quitté Paris", ["not employer Paris", "not home Paris"]),
        ("I left Acme for Meta", ["not employer Acme"]), ("I left Paris for the weekend", []),
        ("I left Paris this morning", []),
    ],
)  # fmt: skip
def test_one_value_is_not_taken_for_another_kind(text, expected):
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My new phone number is 56 78", "phone 56 78"),
        ("Mon nouveau numéro est le 56 78", "phone le 56 78"),
        ("my new address is 6 rue Y", "address 6 rue Y"), ("My new car is a Skoda", "car a Skoda"),
        ("My new boss is Tom", "boss Tom"),
        ("My new boss is called Tom", "boss Tom"), ("Tom is my new boss", "boss Tom"),
        ("Mon nouveau chef est Tom", "boss Tom"),
        ("My new wifi password is plum", "wifi password plum"),
        ("My New York address is 5 Elm St", "new york address 5 Elm St"),
        ("My old phone number is 12 34", "old phone number 12 34"), ("On a déménagé à Porto", "home Porto"),
        ("On habite à Porto maintenant", "home Porto"), ("On aime le café", None),
        ("On s'est installés à Nice", "home Nice"), ("Je viens d'emménager à Nice", "home Nice"),
        ("Mon nouveau numéro, c'est le 56 78", "phone le 56 78"), ("J'ai vendu ma Tesla", "not car Tesla"),
        ("Je ne conduis plus de Tesla", "not car Tesla"), ("J'ai eu 41 ans hier", "age 41"),
        ("I live in sunny Porto", "home sunny Porto"),
        ("Meine neue Nummer ist 56 78", "phone 56 78"), ("Mi nuevo número es 56 78", "phone 56 78"),
        ("Il mio nuovo numero è 56 78", "phone 56 78"),
        ("Nos mudamos a Madrid el año pasado", "home Madrid"), ("J'habite loin de Paris", None),
        ("I just turned 41", "age 41"),
        ("Je viens d'avoir 41 ans", "age 41"), ("My name's Bob", "name Bob"),
        ("My new number's 56 78", "phone 56 78"), ("I told you, I live in Porto", "home Porto"),
        ("No, I said I moved to Porto", "home Porto"),
        ("I already told you I live in Porto", "home Porto"),
        ("Je t'ai dit que j'habite à Porto", "home Porto"),
        ("I told Ana I live in Porto", None), ("Ana said I live in Porto", None),
        ("I never said I moved to Porto", None),
        ("Wir sind nach Hamburg gezogen", "home Hamburg"), ("Wir wohnen in Hamburg", "home Hamburg"),
        ("Nos mudamos a Oporto", "home Oporto"), ("Me he mudado a Oporto", "home Oporto"),
    ],
)  # fmt: skip
def test_ordinary_corrections_are_read(text, expected):
    assert said(text) == ([expected] if expected else [])


def test_now_stands_before_a_part_too():
    assert said("I left Google last year, now I work at Meta") == [
        "not employer Google",
        "not home Google",
        "employer Meta",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My number isn't 12 34 but 56 78", ["not phone 12 34", "phone 56 78"]),
        ("My number is not 12 34, it's 56 78", ["not phone 12 34", "phone 56 78"]),
        ("I don't live in Lyon but in Nice", ["not home Lyon", "home Nice"]),
        ("Je n'habite pas à Lyon mais à Nice", ["not home Lyon", "home Nice"]),
        ("I don't work at Google any more, it's Meta", ["not employer Google", "employer Meta"]),
        ("My name isn't Bob, it's Bill", ["not name Bob", "name Bill"]),
        ("I don't live in Lyon, Ana does", ["not home Lyon"]),
        ("I don't live in Lyon, Thank God", ["not home Lyon"]),
        ("I don't live in Lyon, it's too loud", ["not home Lyon"]),
        ("I don't like tea, it's bitter", ["dislikes tea"]),
        ("I'm not vegetarian, it's hard", ["not diet vegetarian"]),
        ("I like tea no more", []),
        ("I'm allergic to nothing", []),
        ("I joined the gym", []),
        ("I joined Meta", ["employer Meta"]),
    ],
)
def test_what_holds_instead(text, expected):
    assert said(text) == expected


ANA, TOM, SON = Who("Ana", name="Ana"), Who("Tom", name="Tom"), Who("Tom", "son", "Tom")


@pytest.mark.parametrize(
    ("text", "about", "expected"),
    [
        ("She lives in Paris now", ANA, "Ana"), ("Thanks. She lives in Paris.", ANA, "Ana"),
        ("Ana called. She lives in Paris.", ANA, "Ana"),
        ("He lives in Paris", TOM, "Tom"), ("He lives in Paris", SON, "Tom"),
        ("She lives in Paris", SON, None), ("He lives in Paris", ANA, None),
        ("I met Eva. She lives in Paris.", ANA, None), ("I met Eva and she lives in Paris.", ANA, None),
        ("Eva called. She lives in Paris.", ANA, None),
        ("My new colleague came by. She lives in Paris.", ANA, None),
        ("A woman came by. She lives in Paris.", ANA, None),
        ("Who is Tom Cruise? He lives in Paris.", TOM, None),
        ("Do you know Eva? She lives in Paris.", ANA, None),
        ("I was in Rome. She lives in Paris.", ANA, "Ana"),
    ],
)  # fmt: skip
def test_whom_a_pronoun_means(text, about, expected):
    assert [one.who.name for one in claims(text, about=about)] == ([expected] if expected else [])


def test_a_pronoun_at_the_beginning_becomes_a_name():
    assert alone("she lives in Paris", ANA) == "Ana lives in Paris"
    assert alone("he lives in Paris", ANA) == "He lives in Paris"
    assert alone("", ANA) == ""


def test_whoever_is_told_of_last_is_meant():
    assert [one.text for one in read("Ana lives in Nice. She loves tulips.")][
        1
    ] == "Ana loves tulips"


@pytest.mark.parametrize(
    ("place", "wider", "expected"),
    [
        ("lyon", "france", True), ("lyon", "spain", False), ("rennes", "brittany", True),
        ("rennes", "bavaria", False),
        ("xville", "brittany", True), ("france", "brittany", False), ("brittany", "france", True),
        ("brittany", "germany", False),
        ("lyon", "europe", True), ("toronto", "europe", False), ("france", "europe", True),
        ("france", "spain", False),
        ("lyon", "nice", False), ("california", "texas", False), ("austin", "california", True),
        ("edinburgh", "uk", True),
    ],
)  # fmt: skip
def test_which_place_may_lie_in_which(place, wider, expected):
    assert may_be_in(place, wider) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I live in lyon now", "home lyon"), ("I moved to berlin", "home berlin"),
        ("My sister lives in paris", "home paris"), ("J'habite à lyon", "home lyon"),
        ("I live in the uk", "home the uk"), ("I live in central London", "home central London"),
        ("I live in rural Wales", "home rural Wales"),
        ("Vivo en el centro de Madrid", "home el centro de Madrid"),
        ("My phone number is 06 99 99 99 99 😊", "phone 06 99 99 99 99"),
        ("I just moved to Lyon 😊", "home Lyon"), ("My sister lives in Paris :)", "home Paris"),
        ("J'habite à Lyon merci", "home Lyon"), ("I live in Lyon by the way", "home Lyon"),
        ("I work as a part-time teacher now", "job part-time teacher"),
        ("I work as team leader", "job team leader"), ("My bank is Deutsche Bank now", "bank Deutsche Bank"),
        ("My employer is British Airways", "employer British Airways"),
        ("My weight is about 80 kg now", "weight about 80 kg"),
        ("mon loyer est de 900 euros", "rent de 900 euros"),
        ("J'habite à Paris chez ma sœur", "home Paris"), ("I live in Paris at my sister's", "home Paris"),
        ("my favourite film is Her", "favourite film Her"),
        ("Mein Geburtstag ist am 3. Mai", "birthday am 3. Mai"),
    ],
)  # fmt: skip
def test_ordinary_ways_to_say_it_are_read(text, expected):
    assert said(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "I moved to marketing",
        "I live in jeans",
        "My car is a German one",
        "I work as hard as I can",
    ],
)
def test_small_words_are_no_places_and_no_firms(text):
    assert said(text) == []
