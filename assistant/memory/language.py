"""Which language a short text is in: by its script, else by its commonest little words."""

from __future__ import annotations

import re
import unicodedata

UNKNOWN = "und"

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # noqa: RUF001 - both apostrophes are typed

# Stop words do two jobs: they name the language, and they are left out of word search.
STOP_WORDS: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": """a about after again all also am an and any are aren't as at be because been before
            being but by can can't could couldn't did didn't do does doesn't doing don't down each
            ever few for from further get gets got had hadn't has hasn't have haven't having he
            he's her here hers him his how i i'd i'll i'm i've if in into is isn't it it's its just
            let me more most my no nor not now of off on once only or other our ours out over own
            same she she's should so some such than that that's the their theirs them then there
            there's these they they're this those through to too under until up us very was wasn't
            we we're were weren't what what's when where which while who whom whose why will with
            won't would you you're your yours tell something anything""",
        "fr": """à ai aie ait as au aura aurait aussi autre aux avais avait avant avec avez avoir avons
            c'est ça car ce cela ces cet cette chez comme comment d'un d'une dans de depuis des
            donc dont du elle elles en est est-ce et étaient était être eu eux fait faut il ils
            j'ai j'aime j'étais je l'a la le les leur leurs lui ma mais me même mes moi mon n'a
            n'est ne ni nos notre nous on ont ou où par parce pas pendant peu peut plus pour
            pourquoi quand que quel quelle quelles quels qu'est qu'il qu'elle qui quoi sa sans se
            sera ses si son sont sous suis sur ta te tes toi ton toujours tous tout toute très tu
            un une vers vos votre vous y""",
        "de": """aber alle als also am an auch auf aus bei beim bin bis bist da dann das dass dein
            deine dem den denn der des dich die dir doch du durch ein eine einem einen einer eines
            er es euch für gegen gibt habe haben hat hatte hatten hier hin ich ihm ihn ihr ihre ihren
            im immer in ins ist ja jetzt kann kein keine können man mehr mein meine meinem meinen
            meiner mich mir mit nach nicht noch nun nur ob oder ohne sehr sein seine seinen sich sie
            sind so über um und uns unser unsere unter vom von vor wann war waren warum was weil
            welche welchem welchen welcher welches wem wen wenn wer werden wessen wie wieder wir
            wird wo wodurch wofür wogegen wohin wollen womit worauf worden woran worüber wovon wovor
            wurde wurden zu zum zur""",
        "es": """a al algo antes aquí así aunque cada como cómo con contra cual cuál cuando cuándo de
            del desde donde dónde dos el él ella ellas ellos en entre era eran eres es esa ese eso
            esta está estaba estamos están estar este esto estos estoy fue fueron ha había hace han
            has hasta hay he la las le les lo los más me mi mí mis mucho muy nada ni no nos nosotros
            nuestra nuestro o os otra otro para pero por porque qué que quien quién se sea ser si sí
            siempre sin sobre solo son soy su sus también tan te tengo tiene tienen todo todos tu tú
            tus un una uno unos usted y ya yo""",
        "it": """a abbiamo ai al alla alle allo anche ancora avere aveva c'è che chi ci come con cosa
            cui da dai dal dalla dalle dei del della delle dello di dopo dove dov'è e è ed era erano
            essere fa fare gli ha hai hanno ho i il in io l'ho la le lei li lo loro lui ma mai me
            mi mia mie miei mio molto ne nei nel nella nelle noi non nostra nostro o ogni per perché
            più poi prima qual quale quali quando quanto quella quello questa questo qui se sei
            sempre senza si siamo sono sta stato su sua sue sugli sul sulla suo suoi te ti tra tu
            tua tuo tutti tutto un una uno vi voi""",
        "pt": """a à agora ainda ao aos aqui as às até com como da das de dela dele depois do dos
            e é ela elas ele eles em era eram essa esse esta está estão estar estava este estou eu
            faz foi for foram há isso isto já lá lhe mais mas me mesmo meu meus minha minhas muito
            na não nas nem no nos nós nossa nosso num numa o onde os ou para pela pelo por porque
            qual quais quando que quem são se sem sempre ser seu seus só sou sua suas também te tem
            tenho ter teu tua tudo um uma umas uns você vocês""",
        "nl": """aan al alle als altijd ben bij daar dan dat de deze die dit doen door dus een en er
            geen had heb hebben heeft hem het hier hij hoe hun ik in is ja je jij jou jouw kan kun
            maar me meer met mij mijn moet na naar niet niets nog nu of om omdat ons onze ook op
            over te tegen toen tot u uit uw van veel voor waar waarom wanneer waren was wat we wel
            welke werd wie wij worden wordt ze zei zelf zich zij zijn zo zonder zou""",
    }.items()
}  # fmt: skip

LANGUAGES = (*STOP_WORDS, "ru", "zh", "ja", "ko", "ar", "hi", UNKNOWN)

# Letters that a language has and its neighbours rarely do; each counts half a stop word.
_TELLING = {
    "fr": "èêùûœçîïë",
    "de": "ßäöü",
    "es": "ñ¿¡áíóú",
    "pt": "ãõâáíóú",
    "it": "ìò",
}

_SCRIPTS = (
    ("HIRAGANA", "ja"), ("KATAKANA", "ja"), ("HANGUL", "ko"), ("CJK", "zh"), ("CYRILLIC", "ru"),
    ("ARABIC", "ar"), ("DEVANAGARI", "hi"),
)  # fmt: skip


def detect(text: str) -> str:
    """The ISO 639-1 code of `text`, or `und` where nothing tells."""
    sample = unicodedata.normalize("NFC", text[:1000])
    return _by_script(sample) or _by_words(sample)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, apostrophes inside kept and made plain."""
    # Lower case comes last: "İ" becomes an "i" and a dot of its own, which is no letter.
    return [word.lower() for word in _WORD.findall(text.replace("’", "'"))]  # noqa: RUF001


def stop_words(language: str) -> frozenset[str]:
    """What to leave out of a word search in `language`; English where it is unknown."""
    return STOP_WORDS.get(language, STOP_WORDS["en"] if language == UNKNOWN else frozenset())


def _by_script(text: str) -> str:
    if text.isascii():
        return ""
    counts: dict[str, int] = {}
    letters = 0
    for character in text:
        if not character.isalpha():
            continue
        letters += 1
        if character > "ʯ":  # past the Latin blocks
            name = unicodedata.name(character, "")
            for script, language in _SCRIPTS:
                if name.startswith(script):
                    counts[language] = counts.get(language, 0) + 1
                    break
    if counts.get("ja"):  # kana beside Chinese characters
        counts["ja"] += counts.pop("zh", 0)
    best = max(counts, key=lambda one: counts[one], default="")
    return best if best and counts[best] * 3 > letters else ""


def _by_words(text: str) -> str:
    scores = dict.fromkeys(STOP_WORDS, 0.0)
    for word in words_of(text):
        for language in _STOPPED_BY.get(word, ()):
            scores[language] += 1.0
    if not text.isascii():
        lowered = text.lower()
        for language, letters in _TELLING.items():
            scores[language] += 0.5 * sum(map(lowered.count, letters))
    most = max(scores.values())
    first, *others = (one for one, score in scores.items() if score == most)
    return UNKNOWN if others else first


_STOPPED_BY: dict[str, tuple[str, ...]] = {}
for _language, _words in STOP_WORDS.items():
    for _word in _words:
        _STOPPED_BY[_word] = (*_STOPPED_BY.get(_word, ()), _language)
